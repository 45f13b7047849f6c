"""What a model's data tell of its non-centred latents, found where its density is high."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice

import torch

from autoguide_core.engine.curvature.density import LogDensity
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.curvature.mode import climb
from autoguide_core.engine.curvature.whitening import by_curvature

_MOST_STARTS, _COMPARED = 8, 2
_ROUNDS = 6
_FIRST_CLIMB, _CLIMB = 50, 300
_MOST_EXACT, _STEP = 250, 1e-4
_SETTLED = 0.05
"""Standard numbers of the latents at the mode below which another round would change little."""


def learn_knowledge(
    density: LogDensity, gradients: Gradients, starts: Iterable[torch.Tensor]
) -> torch.Tensor:
    """Find what the data tell of each non-centred latent, and a point of high density.

    Each start has knowledge of its own, and with it coordinates of its own, in which densities
    cannot be compared; so the start is kept whose Gaussian has the most mass. The first two that
    lead to a Gaussian are compared, as some may lead to where there is no density.

    Args:
        density: The density.
        gradients: The same, with knowledge as what is ``known``, which is replaced.
        starts: Where to begin, in the coordinates of ``gradients.known``, each (D,); one at least,
            of which the first eight are tried.

    Returns:
        The point of high density in the coordinates of the knowledge found, shape (D,).
    """
    known = gradients.known
    found: list[tuple[float, int, torch.Tensor, tuple[torch.Tensor, ...]]] = []
    for start in islice(starts, _MOST_STARTS):
        point = _learn(density, gradients, start)
        found.append((_log_mass(gradients, point), len(found), point, gradients.known))
        gradients.known = known  # for whatever makes the next start as well
        if sum(mass > -math.inf for mass, *_ in found) == _COMPARED:
            break
    _, _, point, gradients.known = max(found, key=lambda one: one[:2])
    return point


def _log_mass(gradients: Gradients, point: torch.Tensor) -> float:
    """The log mass of the Gaussian at a point, or -inf where there is none."""
    log_density = float(gradients.value_and_grad(point[None])[0][0])
    hessian = -gradients.hessian(point)
    if not math.isfinite(log_density) or not bool(hessian.isfinite().all()):
        return -math.inf
    return log_density + by_curvature(point, hessian).log_det


def _learn(density: LogDensity, gradients: Gradients, start: torch.Tensor) -> torch.Tensor:
    """From one start: see `learn_knowledge`.

    The latents' standard numbers depend on what is known of them, and where the density is high
    depends on the coordinates; so the two are found in turns. The first climb is short: where
    nothing is known yet, a flat prior on a scale has no mode.
    """
    movable = density.noncentrable
    (knowledge,) = gradients.known
    point = start

    def nudged(nudge: torch.Tensor, point: torch.Tensor, knowledge: torch.Tensor) -> torch.Tensor:
        return density.nudged(point, knowledge, nudge)

    still = torch.zeros_like(start)
    rest = Gradients(nudged, still, point, knowledge)
    for turn in range(_ROUNDS):
        rest.known = (point, knowledge)
        (slope,) = rest.value_and_grad(still[None])[1]
        precision = -_diagonal(rest, density)
        precision = torch.where(movable, precision.clamp(min=0.0), 0.0)
        pull = torch.where(movable, slope + precision * density.to_centred(point, knowledge), 0.0)
        new = torch.stack([precision, pull])
        if not bool(new.isfinite().all()):
            break
        knowledge = new
        gradients.known = (knowledge,)
        begin = torch.where(movable, 0.0, point)
        point = climb(gradients, begin, _CLIMB if turn else _FIRST_CLIMB)
        if turn and float(point[movable].abs().max()) < _SETTLED:
            break
    return point


def _diagonal(rest: Gradients, density: LogDensity) -> torch.Tensor:
    """Second derivatives in each coordinate alone, (D,).

    In many dimensions sums along the rows of each site's block take their place, which are the
    same where the rest of the model sees the site's entries one by one.
    """
    still = torch.zeros(density.dim, dtype=torch.float64)
    if density.dim <= _MOST_EXACT:
        return torch.diagonal(rest.hessian(still))
    diagonal, at = still.clone(), 0
    for shape in density.layout.values():
        site = slice(at, at + shape.numel())
        at += shape.numel()
        if bool(density.noncentrable[site].any()):
            step = torch.zeros_like(still)
            step[site] = _STEP
            _, slopes = rest.value_and_grad(torch.stack([step, -step]))
            diagonal[site] = (slopes[0] - slopes[1])[site] / (2.0 * _STEP)
    return diagonal
