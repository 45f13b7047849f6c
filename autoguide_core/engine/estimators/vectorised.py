"""Whether one run that makes all draws at once does what as many single runs do.

A model that reduces over axes of its own (``w.sum()`` of a vector) mixes the particles; it has the
right shapes nevertheless. So the log densities themselves are compared, at the same draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree
from torch.utils._python_dispatch import _disable_current_modes

from autoguide_core.engine.estimators.particles import Pair, Particles
from autoguide_core.engine.precision import double_precision
from autoguide_core.engine.tracing.modes import OperationMode

_AGREEMENT = 1e-5
"""Of log densities in nats, absolute and relative: what is left of single precision."""

_TOGETHER, _APART = 11, 3
"""Particles that are run at once, a number that few axes of a model have; and how many of them
are run one by one: a mixture of some shows in each."""


def vectorises(particles: Particles) -> bool:
    """Whether a run of all particles gives each of them what a run of its own would.

    Args:
        particles: Guide and model; how many particles is no matter.

    Raises:
        Exception: Whatever a model raises that is not made for it.
    """
    single = replace(particles, count=1, together=False)
    together = replace(particles, count=_TOGETHER, together=True)
    with double_precision():
        with _Remembering() as memory:
            whole = next(together.pairs())
        for place in range(_APART):
            with _Recalling(memory.results, place):
                part = next(single.pairs())
            if not _is_part(part, whole, place, particles.depth):
                return False
    return True


def _is_part(part: Pair, whole: Pair, place: int, depth: int) -> bool:
    """Whether the log densities of one particle are its part of those of all."""
    sites = [
        (dict(part.guide_sites()), dict(whole.guide_sites())),
        (dict(part.model_sites()), dict(whole.model_sites())),
    ]
    return all(one.keys() == other.keys() for one, other in sites) and all(
        _equal(site["log_prob"], _at(other[name]["log_prob"], place, depth))
        for one, other in sites
        for name, site in one.items()
    )


def _at(log_prob: Tensor, place: int, depth: int) -> Tensor | None:
    """The entries of one particle; None where they are not kept apart."""
    if log_prob.dim() <= depth or log_prob.shape[-1 - depth] != _TOGETHER:
        return None
    return log_prob.select(log_prob.dim() - 1 - depth, place)


def _equal(one: Tensor, other: Tensor | None) -> bool:
    if other is None or one.numel() != other.numel():
        return False
    pair = one.detach().reshape(-1).double(), other.detach().reshape(-1).double()
    return bool(torch.allclose(*pair, rtol=_AGREEMENT, atol=_AGREEMENT, equal_nan=True))


class _Remembering(OperationMode):
    """Keeps what random operations give, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.results: list[Any] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if torch.Tag.nondeterministic_seeded in func.tags:
            with _disable_current_modes():  # it may be written to later
                kept = _pytree.tree_map_only(Tensor, torch.clone, result)
            self.results.append(kept)
        return result


class _Recalling(OperationMode):
    """Gives random operations of one particle its part of what those of all have given.

    Args:
        results: The results, in their order.
        place: Which particle.
    """

    def __init__(self, results: list[Any], place: int) -> None:
        super().__init__()
        self._rest, self._place = iter(results), place

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if torch.Tag.nondeterministic_seeded in func.tags:
            with _disable_current_modes():
                _pytree.tree_map(self._fill, result, next(self._rest))
        return result

    def _fill(self, own: Any, given: Any) -> None:
        if isinstance(own, Tensor):
            own.copy_(self._part(own, given).reshape(own.shape))

    def _part(self, own: Tensor, given: Tensor) -> Tensor:
        """What has as many numbers as one particle has is of all particles."""
        if own.numel() == given.numel():
            return given
        for axis, size in enumerate(given.shape):  # values of an enumeration may be left of it
            part = given.select(axis, self._place) if size == _TOGETHER else given
            if part.squeeze().shape == own.squeeze().shape:
                return part
        return given.reshape(_TOGETHER, -1)[self._place]
