"""Sequential Monte Carlo from a base distribution to a posterior."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from autoguide_core.annealing.base import Base
from autoguide_core.annealing.moves import Mover
from autoguide_core.annealing.particles import Evaluate, Path
from autoguide_core.annealing.resampling import systematic
from autoguide_core.annealing.settling import settle

_KEPT = 0.5
"""Effective share of the particles that a change of temperature leaves."""
_MOVES_BETWEEN = 1
_MOST_TEMPERATURES = 60

Report = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Annealed:
    """Draws of a posterior, and how they were come by.

    Attributes:
        points: Draws, shape (S, D).
        log_p: Log density of the posterior there, (S,), as far as it was known.
        temperatures: Those of the path, from the first after 0 to 1.
        moves: Moves at temperature 1.
        acceptance: Mean acceptance of the last move.
        memory: The greatest correlation of a coordinate, or of its distance from the middle,
            with where the last moves began: what the draws know of where they came from.
        drift: By how much means or spreads changed in the last moves, in standard errors.
        stuck: The share of the draws that no move changed.
        evaluations: Gradients taken.
        evidence: Estimate of the log normalising constant of the posterior, in nats.
        fault: Why the draws are not to be relied on, or None.
    """

    points: Tensor
    log_p: Tensor
    temperatures: tuple[float, ...]
    moves: int
    acceptance: float
    memory: float
    drift: float
    stuck: float
    evaluations: int
    evidence: float
    fault: str | None


def anneal(
    evaluate: Evaluate,
    base: Base,
    count: int,
    seed: int,
    most: int,
    report: Report = lambda *_: None,
) -> Annealed:
    """Take draws of a base distribution to the posterior.

    The draws are re-weighted, resampled and moved along ``q^(1-t) p^t``, in steps of the
    temperature t that leave most of them effective; at t = 1 they are moved on until they have
    forgotten where they came from and drift no more. Unlike importance weights this needs no base
    with tails as heavy as the posterior's; like a Markov chain it needs moves that reach
    everywhere.

    Source: Del Moral, Doucet and Jasra, "Sequential Monte Carlo samplers" (2006); Neal, "Annealed
    importance sampling" (2001).

    Args:
        evaluate: The posterior, in coordinates in which it is of about unit size.
        base: Where to begin.
        count: How many draws, S.
        seed: Seed of all random numbers.
        most: Gradients after which it gives up.
        report: Called with stages done, the most there may be, and the temperature.

    Returns:
        The draws.
    """
    generator = torch.Generator().manual_seed(seed)
    path = Path(base, evaluate)
    particles = path.at(base.sample(count, generator))
    mover = Mover(path, particles.points.shape[1], generator, most)
    temperatures: list[float] = []
    temperature, evidence = 0.0, 0.0
    while temperature < 1.0:
        step = 1.0 - temperature
        if len(temperatures) < _MOST_TEMPERATURES - 1 and not mover.is_exhausted:
            step = _next_step(particles.log_weights, step)
        log_weights = step * particles.log_weights
        evidence += float(log_weights.logsumexp(0)) - math.log(count)
        temperature = min(1.0, temperature + step)
        temperatures.append(temperature)
        report(len(temperatures), _MOST_TEMPERATURES, temperature)
        particles = particles.take(systematic(torch.softmax(log_weights, 0), count, generator))
        mover.adapt(particles.points)
        if temperature < 1.0:
            for _ in range(_MOVES_BETWEEN):
                particles = mover.move(particles, temperature)
    settled = settle(particles, mover, report)
    particles = settled.particles
    return Annealed(
        points=particles.points,
        log_p=particles.log_p,
        temperatures=tuple(temperatures),
        moves=settled.moves,
        acceptance=mover.acceptance,
        memory=settled.memory,
        drift=settled.drift,
        stuck=settled.stuck,
        evaluations=mover.evaluations,
        evidence=evidence,
        fault=settled.fault,
    )


def _next_step(log_weights: Tensor, rest: float) -> float:
    """The greatest step that leaves most of the particles effective, by bisection."""
    if _effective(rest * log_weights) >= _KEPT:
        return rest
    low, high = 0.0, rest
    for _ in range(40):
        middle = 0.5 * (low + high)
        enough = _effective(middle * log_weights) >= _KEPT
        low, high = (middle, high) if enough else (low, middle)
    return max(low, 1e-4 * rest)


def _effective(log_weights: Tensor) -> float:
    """The effective share of weighted particles, from 0 to 1."""
    total = 2.0 * log_weights.logsumexp(0) - (2.0 * log_weights).logsumexp(0)
    return float(total.exp()) / len(log_weights)
