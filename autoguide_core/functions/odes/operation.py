"""A solution as one operation of torch, so that a graph holds it as one node.

Recorded step by step, an equation would be some ten thousand operations. The operation has a
gradient, and a rule for ``vmap``, by which it takes the points of a batch as further lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual
from torch.autograd.function import once_differentiable
from torch.utils import _pytree

from autoguide_core.functions.odes.solver import numbered

_library = torch.library.Library("autoguide_odes", "DEF")
_library.define(
    "solve(int solver, Tensor state, Tensor starts, Tensor widths, Tensor[] arguments, "
    "bool[] shared) -> Tensor"
)
_library.define(
    "slopes(int solver, Tensor state, Tensor starts, Tensor widths, Tensor[] arguments, "
    "bool[] shared, Tensor solution, Tensor slopes) -> Tensor[]"
)


def _solve(
    solver: int,
    state: Tensor,
    starts: Tensor,
    widths: Tensor,
    arguments: Sequence[Tensor],
    shared: Sequence[bool],
) -> Tensor:
    return numbered(solver).forward(state, starts, widths, arguments, shared)


def _slopes(
    solver: int,
    state: Tensor,
    starts: Tensor,
    widths: Tensor,
    arguments: Sequence[Tensor],
    shared: Sequence[bool],
    solution: Tensor,
    slopes: Tensor,
) -> list[Tensor]:
    return numbered(solver).backward(state, starts, widths, arguments, shared, solution, slopes)


def _solve_shape(
    solver: int,
    state: Tensor,
    starts: Tensor,
    widths: Tensor,
    arguments: Sequence[Tensor],
    shared: Sequence[bool],
) -> Tensor:
    return state.new_empty(len(starts), *state.shape)


def _slopes_shape(
    solver: int,
    state: Tensor,
    starts: Tensor,
    widths: Tensor,
    arguments: Sequence[Tensor],
    shared: Sequence[bool],
    solution: Tensor,
    slopes: Tensor,
) -> list[Tensor]:
    own = [argument for argument, one in zip(arguments, shared, strict=True) if not one]
    return [torch.empty_like(value) for value in (state, *own)]


# --- many points at a time ----------------------------------------------------------------------


def _solve_points(
    info: Any,
    dims: Any,
    solver: int,
    state: Tensor,
    starts: Tensor,
    widths: Tensor,
    arguments: Sequence[Tensor],
    shared: Sequence[bool],
) -> tuple[Tensor, int]:
    given = _as_lanes(info.batch_size, dims[1:5], state, starts, widths, arguments, shared)
    solution = torch.ops.autoguide_odes.solve(solver, *given)
    return _apart(solution, info.batch_size, 1), 1


def _slopes_points(
    info: Any,
    dims: Any,
    solver: int,
    state: Tensor,
    starts: Tensor,
    widths: Tensor,
    arguments: Sequence[Tensor],
    shared: Sequence[bool],
    solution: Tensor,
    slopes: Tensor,
) -> tuple[list[Tensor], list[int]]:
    count = info.batch_size
    given = _as_lanes(count, dims[1:5], state, starts, widths, arguments, shared)
    one, other = (_joined(v, d, count, 1) for v, d in ((solution, dims[6]), (slopes, dims[7])))
    found = torch.ops.autoguide_odes.slopes(solver, *given, one, other)
    # What was shared and differs among points now has slopes that nobody asks for.
    wanted = [True, *(not one for one, still in zip(shared, given[4], strict=True) if not still)]
    result = [_apart(v, count, 0) for v, keep in zip(found, wanted, strict=True) if keep]
    return result, [0] * len(result)


def _as_lanes(
    count: int,
    dims: Sequence[Any],
    state: Tensor,
    starts: Tensor,
    widths: Tensor,
    arguments: Sequence[Tensor],
    shared: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor, list[Tensor], list[bool]]:
    """The arguments with the points among the lanes; what differs among points is not shared."""
    lanes = state.shape[0] if dims[0] is None else state.movedim(dims[0], 0).shape[1]
    still = [one and dim is None for one, dim in zip(shared, dims[3], strict=True)]
    given: list[Tensor] = []
    for argument, one, dim, stays in zip(arguments, shared, dims[3], still, strict=True):
        if stays:
            given.append(argument)
        elif one:
            by_point = argument.movedim(dim, 0)
            given.append(by_point.repeat_interleave(lanes, 0))
        else:
            given.append(_joined(argument, dim, count, 0))
    times = [_joined(v, d, count, 1) for v, d in ((starts, dims[1]), (widths, dims[2]))]
    return _joined(state, dims[0], count, 0), times[0], times[1], given, still


def _joined(value: Tensor, dim: int | None, count: int, lane: int) -> Tensor:
    """A value with points and lanes as one dimension, at the place of the lanes."""
    if dim is None:
        value = value.unsqueeze(lane).expand(*value.shape[:lane], count, *value.shape[lane:])
    else:
        value = value.movedim(dim, lane)
    return value.flatten(lane, lane + 1)


def _apart(value: Tensor, count: int, lane: int) -> Tensor:
    return value.unflatten(lane, (count, -1))


# --- the operations -----------------------------------------------------------------------------


def _reverse_only(name: str) -> Any:
    """A kernel above the true one, which refuses what would silently be taken for a constant."""

    def kernel(*arguments: Any) -> Any:
        for value in _pytree.tree_leaves(arguments):
            if isinstance(value, Tensor) and unpack_dual(value).tangent is not None:
                raise NotImplementedError("differential equations have reverse derivatives only")
        with torch._C._AutoDispatchBelowAutograd():
            return getattr(torch.ops.autoguide_odes, name)(*arguments)

    return kernel


for _name, _function, _shape, _points in (
    ("solve", _solve, _solve_shape, _solve_points),
    ("slopes", _slopes, _slopes_shape, _slopes_points),
):
    _library.impl(_name, _function, "CompositeExplicitAutograd")
    _library.impl(_name, _reverse_only(_name), "Autograd")
    _full = f"autoguide_odes::{_name}"
    torch.library.register_fake(_full, _shape, lib=_library)
    torch.library.register_vmap(_full, _points, lib=_library)


class Solution(torch.autograd.Function):
    """The operation with its gradient in the state and in the arguments that are not shared."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        solver: int,
        shared: tuple[bool, ...],
        state: Tensor,
        starts: Tensor,
        widths: Tensor,
        *arguments: Tensor,
    ) -> Tensor:
        """Solve; the arguments are those of `Solver.forward`."""
        solution: Tensor = torch.ops.autoguide_odes.solve(
            solver, state, starts, widths, list(arguments), list(shared)
        )
        return solution

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        """Keep what the gradient needs."""
        ctx.solver, ctx.shared, *tensors = inputs
        ctx.save_for_backward(output, *tensors)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        """Carry slopes back; none in times, which are data."""
        solution, state, starts, widths, *arguments = ctx.saved_tensors
        found = iter(
            torch.ops.autoguide_odes.slopes(
                ctx.solver, state, starts, widths, arguments, list(ctx.shared), solution, slopes
            )
        )
        in_state = next(found)
        in_arguments = [None if one else next(found) for one in ctx.shared]
        return None, None, in_state, None, None, *in_arguments
