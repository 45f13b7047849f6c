"""How far rounding alone moves the results of a graph.

The graph is run beside itself: each operation once with its operands as they are, and some times
with operands that were moved by a few units in the last place, each at random and each time that
it is read. Operations that add many numbers up are moved by what adding them in another order may
change, which goes with the magnitude of the terms and not of their sum. What comes out at the end
tells how far another program that computes the same may be away: little where numbers are well
determined, much where they are small differences of large ones, and everything where a sign hangs
on a rounding error. Whatever is whole or a truth value is that of the undisturbed run throughout,
and so is what jumps (``floor``, ``sign``): no disturbance takes the other side of a branch.

This is the idea of the CESTAC method (Vignes, "A stochastic arithmetic for reliable scientific
computation", 1993), with other code in the place of other roundings.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter

from autoguide_core.engine.native.operations import operation_name

_RUNS, _RUNS_OF_LARGE, _LARGE = 4, 2, 500_000
"""Disturbed runs beside the plain one: fewer for graphs of so many numbers, as they take long."""

_UNITS = 4.0
"""Units in the last place by which an operand is moved at most."""

_UNITS_OF_SUMS = 0.5
"""The same for a sum, in magnitudes of its terms times the root of their number."""

_SPARE = 4096
"""Numbers by which the table of random factors is longer than the largest tensor."""

_PRODUCTS = {"dot", "mv", "mm", "bmm", "addmm", "baddbmm"}
_RUNNING = {"cumsum", "cumprod", "index_add", "index_put", "scatter_add", "scatter_reduce"}
"""Sums of which each may have as many terms as there are."""

_SUMS = {"sum", "mean", "prod", *_PRODUCTS, *_RUNNING}
_JUMPS = {
    *("floor", "ceil", "round", "trunc", "frac", "sign", "sgn", "heaviside"),
    *("remainder", "fmod", "floor_divide"),
}


@dataclass(frozen=True, eq=False)
class Versions:
    """A value of a graph: as it is, and as it is with disturbances.

    Attributes:
        plain: The value of the undisturbed run.
        disturbed: Those of the others.
    """

    plain: Any
    disturbed: tuple[Any, ...]

    @classmethod
    def of(cls, value: Any, runs: int) -> Versions:
        """A value that is the same in all runs."""
        return cls(value, (value,) * runs)

    def spread(self) -> Tensor:
        """By how much each element moves, in float64; infinite where it may be no number."""
        plain = self.plain.double()
        widest = torch.zeros_like(plain)
        for one in self.disturbed:
            same = (one == self.plain) | (one.isnan() & self.plain.isnan())
            apart = torch.where(same, 0.0, (one.double() - plain).abs())
            widest = torch.maximum(widest, apart.nan_to_num(nan=math.inf))
        return widest


def disturbed_runs(graph: GraphModule) -> int:
    """How many disturbed runs of a graph to make."""
    nodes = graph.graph.find_nodes(op="get_attr")
    numbers = sum(getattr(graph, name).numel() for name in {str(node.target) for node in nodes})
    return _RUNS if numbers < _LARGE else _RUNS_OF_LARGE


def run_disturbed(graph: GraphModule, inputs: Sequence[Versions]) -> list[Versions]:
    """Run a graph with and without disturbances.

    Args:
        graph: A graph of tensor operations, none of them in place.
        inputs: The values of its placeholders, in as many runs as is said by `disturbed_runs`.

    Returns:
        Its outputs.
    """
    with torch.no_grad():
        return list(_Disturber(graph).run(*inputs))


class _Disturber(Interpreter):
    def __init__(self, graph: GraphModule) -> None:
        super().__init__(graph)
        self._runs = disturbed_runs(graph)
        self._random = random.Random(0)
        self._tables: dict[torch.dtype, Tensor] = {}

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        """A constant of the graph."""
        return Versions.of(super().get_attr(target, args, kwargs), self._runs)

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """An operation, in all runs."""
        given = (args, kwargs)
        plain = _call(target, _each(given, lambda one: one.plain))
        name = operation_name(target)
        if name in _JUMPS or kwargs.get("rounding_mode") or not _has_floats(plain):
            return Versions.of(plain, self._runs)
        sway = self._sway(target, given, plain) if name in _SUMS else None
        runs = range(self._runs)
        return Versions(plain, tuple(self._disturbed(target, given, plain, sway, k) for k in runs))

    def _disturbed(self, target: Any, given: Any, plain: Any, sway: Tensor | None, run: int) -> Any:
        """The operation in one of the disturbed runs."""

        def moved(one: Versions) -> Any:
            return _floats(one.disturbed[run], lambda v: v * self._factors(v))

        try:
            value = _call(target, _each(given, moved))
        except RuntimeError:  # a matrix that just had a factor, say
            return _floats(plain, lambda one: torch.full_like(one, torch.nan))
        if sway is not None:
            value = value + sway * (self._factors(plain) - 1.0)
        return _whole_as(plain, value)

    def _sway(self, target: Any, given: Any, plain: Tensor) -> Tensor:
        """What the order of a sum may change, in units of the disturbance of an operand."""
        leaves: list[Tensor] = []
        _each(given, lambda one: leaves.append(one.plain))
        sizes = [leaf.numel() for leaf in leaves]
        name = operation_name(target)
        if name in _PRODUCTS:
            terms = leaves[-1].shape[-2] if leaves[-1].dim() > 1 else sizes[-1]
        else:
            results = 1 if name in _RUNNING else max(plain.numel(), 1)
            terms = max(sizes) // results
        magnitude = _call(target, _each(given, lambda one: _floats(one.plain, torch.abs)))
        return magnitude * (_UNITS_OF_SUMS / _UNITS * math.sqrt(max(terms, 1)))

    def _factors(self, like: Tensor) -> Tensor:
        """Factors close to 1, different at each call but cut from one table, as that is fast."""
        table = self._tables.get(like.dtype)
        if table is None or len(table) < like.numel() + _SPARE:
            unit = _UNITS * torch.finfo(like.dtype).eps / 2
            count, generator = like.numel() + 2 * _SPARE, torch.Generator().manual_seed(0)
            noise = torch.rand(count, generator=generator, dtype=torch.float64) - 0.5
            noise = noise.sign() * (0.25 + 1.5 * noise.abs())  # none so small as to be lost
            table = self._tables[like.dtype] = (1.0 + unit * noise).to(like.dtype)
        first = self._random.randint(0, len(table) - like.numel())
        return table[first : first + like.numel()].view(like.shape)


def _call(target: Any, given: tuple[Any, Any]) -> Any:
    args, kwargs = given
    return target(*args, **kwargs)


def _each(given: Any, pick: Callable[[Versions], Any]) -> Any:
    """The arguments of an operation, with a version of each value; torch's trees are slow."""
    if isinstance(given, Versions):
        return pick(given)
    if isinstance(given, tuple | list):
        return [_each(one, pick) for one in given]
    if isinstance(given, dict):
        return {name: _each(one, pick) for name, one in given.items()}
    return given


def _floats(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Change the tensors of floating-point numbers among values."""
    if isinstance(value, Tensor):
        return change(value) if value.is_floating_point() else value
    if isinstance(value, tuple | list):
        return [_floats(one, change) for one in value]
    return value


def _has_floats(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_has_floats, value))
    return isinstance(value, Tensor) and value.is_floating_point()


def _whole_as(plain: Any, value: Any) -> Any:
    """The value, with whole numbers and truth values taken from the plain run."""
    if isinstance(plain, tuple | list):
        return [_whole_as(*pair) for pair in zip(plain, value, strict=True)]
    return value if _has_floats(plain) else plain
