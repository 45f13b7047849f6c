"""Whether one run that makes all draws at once does what as many single runs do.

A model that reduces over axes of its own (``w.sum()`` of a vector) mixes the particles; it has the
right shapes nevertheless. So the log densities themselves are compared, at the same draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.utils import _pytree
from torch.utils._python_dispatch import _disable_current_modes

from autoguide_core.engine.estimators.particles import Particles, Site
from autoguide_core.engine.precision import double_precision
from autoguide_core.engine.tracing.modes import OperationMode

_AGREEMENT, _AGREEMENT_SINGLE = 1e-5, 1e-3
"""Of values and of log densities in nats, absolute and relative: in double precision, where
parameters may be single, and in single precision."""

_TOGETHER, _APART = 11, 3
"""Particles that are run at once, a number that few axes of a model have; and how many of them
are run one by one: a mixture of some shows in each."""


Sites: TypeAlias = Sequence[Mapping[str, Site]]
"""Sites by name, in one run or some; scored."""


def vectorises(particles: Particles) -> bool:
    """Whether a run of all particles gives each of them what a run of its own would.

    Args:
        particles: Guide and model; how many particles is no matter.

    Raises:
        Exception: Whatever a model raises that is not made for it.
    """

    def sites(particles: Particles) -> Sites:
        pair = next(particles.pairs())
        return dict(pair.guide_sites()), dict(pair.model_sites())

    return keeps_apart(
        lambda count: sites(replace(particles, count=count, together=True)),
        lambda: sites(replace(particles, count=1, together=False)),
        particles.depth,
    )


def keeps_apart(together: Callable[[int], Sites], alone: Callable[[], Sites], depth: int) -> bool:
    """Whether runs of many draws at once do what single runs do, at the same random numbers.

    Args:
        together: Makes a number of draws at once, under a plate left of all others.
        alone: Makes one.
        depth: How many plates there are beside that.
    """
    with torch.random.fork_rng(devices=[]):
        try:
            with double_precision():
                return _agree(together, alone, depth, _AGREEMENT)
        except Exception:  # some code is made for single precision alone
            return _agree(together, alone, depth, _AGREEMENT_SINGLE)


def _agree(
    together: Callable[[int], Sites], alone: Callable[[], Sites], depth: int, bound: float
) -> bool:
    with _Remembering() as memory:
        whole = together(_TOGETHER)
    for place in range(_APART):
        with _Recalling(memory.results, place):
            part = alone()
        if not all(_is_part(*pair, place, depth, bound) for pair in zip(part, whole, strict=True)):
            return False
    return True


def _is_part(
    part: Mapping[str, Site], whole: Mapping[str, Site], place: int, depth: int, bound: float
) -> bool:
    """Whether values and log densities of one particle are its part of those of all."""
    return part.keys() == whole.keys() and all(
        _equal(site["log_prob"], _at(whole[name]["log_prob"], place, depth), bound)
        and (
            site["is_observed"]
            or "_enumerate_dim" in site["infer"]  # all its values, the same for each particle
            or _equal(
                site["value"],
                _at(whole[name]["value"], place, depth + site["fn"].event_dim),
                bound,
            )
        )
        for name, site in part.items()
    )


def _at(value: Tensor, place: int, depth: int) -> Tensor | None:
    """The entries of one particle; None where they are not kept apart."""
    if value.dim() <= depth or value.shape[-1 - depth] != _TOGETHER:
        return None
    return value.select(value.dim() - 1 - depth, place)


def _equal(one: Tensor, other: Tensor | None, bound: float) -> bool:
    if other is None or one.numel() != other.numel():
        return False
    pair = one.detach().reshape(-1).double(), other.detach().reshape(-1).double()
    return bool(torch.allclose(*pair, rtol=bound, atol=bound, equal_nan=True))


class _Remembering(OperationMode):
    """Keeps what random operations give, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.results: list[Any] = []

    def operate(self, func: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        result = func(*args, **keywords)
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

    def operate(self, func: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        result = func(*args, **keywords)
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
