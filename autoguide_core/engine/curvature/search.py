"""Where a model's density is high: what the data tell of its latents, and its modes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from autoguide_core.engine.curvature.compiled import CompiledGradients
from autoguide_core.engine.curvature.density import LogDensity
from autoguide_core.engine.curvature.folding import flat_layout
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.curvature.knowledge import learn_knowledge
from autoguide_core.engine.curvature.mode import Mode, find_modes
from autoguide_core.engine.progress import Reporter
from autoguide_core.engine.structure import Model
from autoguide_core.initialization import START_RADII

STARTS = 4
_FEW = 100
"""Latent dimensions up to which a search is over before its density would be compiled."""
POINTS_PER_CALL = 64
"""Points that compiled code evaluates at once."""


@dataclass(frozen=True)
class Search:
    """The density of a model and the modes found.

    Attributes:
        density: The log density.
        gradients: The same, with gradients; what it knows of non-centred latents is ``known``.
        begin: Where the guide began, in coordinates without knowledge, shape (D,).
        start: A starting point in its coordinates, shape (D,).
        compiled: The density, compiled, where the search has needed it so.
        modes: The highest mode and others that count; none if no start had a finite density.
    """

    density: LogDensity
    gradients: Gradients
    begin: torch.Tensor
    start: torch.Tensor
    modes: tuple[Mode, ...]
    compiled: CompiledGradients | None = None

    @property
    def mode(self) -> Mode | None:
        """The highest mode."""
        return self.modes[0] if self.modes else None

    @property
    def knowledge(self) -> torch.Tensor | None:
        """What is known of non-centred latents, (2, D), or None where there are none."""
        return self.gradients.known[0] if self.gradients.known else None


def search_modes(
    model: Model,
    guide: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    seed: int,
    report: Reporter,
) -> Search:
    """Find the modes of a model's unconstrained density from the guide's start and three others.

    Args:
        model: The model.
        guide: A guide with one flat latent vector, already set up.
        args: The model's positional arguments.
        kwargs: The model's keyword arguments.
        seed: Seed of the other starts, uniform on (-2, 2), or nearer to 0 if the density is a
            finite number at too few of them.
        report: Where progress goes.

    Returns:
        The search's outcome.
    """
    density = LogDensity(model, args, kwargs, flat_layout(guide))
    begin = start = density.finite_point(guide.loc.detach().double(), seed)
    knowledge = getattr(guide, "knowledge", None)
    if knowledge is not None and bool(density.noncentrable.any()):
        known = knowledge.detach().double()
        gradients = Gradients(density, density.finite_point(start, seed, known), known)
        begin = torch.where(density.noncentrable, 0.0, start)
        start = learn_knowledge(density, gradients, _plain_starts(gradients, begin, seed))
    else:
        gradients = Gradients(density, start)
    starts = [start, *islice(_random_starts(gradients, start, seed), STARTS - 1)]
    compiled = None
    if density.dim > _FEW:
        compiled = CompiledGradients(gradients, density.dim, POINTS_PER_CALL)
    modes = find_modes(compiled or gradients, starts, report.phase("mode"), density.circular)
    return Search(density, gradients, begin, start, tuple(modes), compiled)


def _plain_starts(gradients: Gradients, begin: torch.Tensor, seed: int) -> Iterator[torch.Tensor]:
    """A point and zero, each (D,), then random ones: those of finite density and slope."""
    for point in (begin, torch.zeros_like(begin)):
        if _is_good(gradients, point):
            yield point
    yield from _random_starts(gradients, begin, seed)


def _random_starts(gradients: Gradients, like: torch.Tensor, seed: int) -> Iterator[torch.Tensor]:
    """Random points of finite density and slope, as many as 100 draws have."""
    generator = torch.Generator(device=like.device).manual_seed(seed)
    for radius in START_RADII:
        unit = torch.rand(like.shape, generator=generator, dtype=like.dtype, device=like.device)
        point = radius * (2.0 * unit - 1.0)
        if _is_good(gradients, point):
            yield point


def _is_good(gradients: Gradients, point: torch.Tensor) -> bool:
    value, slope = gradients.value_and_grad(point[None])
    return bool(value.isfinite() & slope.isfinite().all())
