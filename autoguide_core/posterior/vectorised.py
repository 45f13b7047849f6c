"""Evaluating a function at many draws, as many at once as it allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch.utils import _pytree

from autoguide_core.engine.refusals import is_refusal
from autoguide_core.engine.tracing.trace import trace_function

Draws = TypeVar("Draws")
Values = TypeVar("Values")

_NUMBERS_PER_CHUNK = 4_000_000


def in_chunks(evaluate: Callable[[Draws], Values], draws: Draws, size: int) -> Values:
    """Evaluate all draws, a chunk of them at once where the function can be vectorised.

    Draws are vectorised by ``torch.func.vmap``, over the function or over its traced graph; a
    function that allows neither (one that branches on values, say) is called draw by draw.

    Args:
        evaluate: From tensors of one draw to tensors; both in any nesting of tuples and dicts.
        draws: The draws, in the nesting that it takes, each tensor (S, …).
        size: How many numbers one evaluation handles, which tells how many go at once.

    Returns:
        The values, in the nesting that it gives, each tensor (S, …); those of a draw at which
        the model cannot be evaluated are NaN, or 0 where they are whole numbers.

    Raises:
        Exception: The function's own, if it refuses all draws, or fails wherever it is called.
    """
    count = len(_pytree.tree_leaves(draws)[0])
    chunk = max(1, _NUMBERS_PER_CHUNK // max(size, 1))

    def at(index: int | slice) -> Draws:
        part: Draws = _pytree.tree_map(lambda tensor: tensor[index], draws)
        return part

    def run(one: Callable[[Draws], Values]) -> list[Values]:
        batched = torch.func.vmap(one, randomness="different")
        return [batched(at(slice(start, start + chunk))) for start in range(0, count, chunk)]

    join = torch.cat
    try:
        parts = run(evaluate)
    except (RuntimeError, ValueError, NotImplementedError):
        with torch.enable_grad():  # which a model that differentiates needs
            try:
                parts = run(trace_function(evaluate, at(0), at(count - 1)))
            except Exception:  # tracing may fail in as many ways as a model has operations
                each = [at(index) for index in range(count)]
                parts, join = _one_by_one(evaluate, each), torch.stack
    joined: Values = _pytree.tree_map(lambda *tensors: join(tensors), *parts)
    return joined


def _detached(values: Values) -> Values:
    """The same values, without what they were made of."""
    plain: Values = _pytree.tree_map_only(torch.Tensor, torch.Tensor.detach, values)
    return plain


def _one_by_one(evaluate: Callable[[Draws], Values], draws: Sequence[Draws]) -> list[Values]:
    """The values at each draw; see `in_chunks`."""
    found: dict[int, Values] = {}
    refusal: Exception | None = None
    for place, draw in enumerate(draws):
        try:
            found[place] = _detached(evaluate(draw))
        except Exception as error:
            if not is_refusal(error):
                raise
            refusal = error
    if not found and refusal is not None:
        raise refusal
    nothing = _pytree.tree_map(_nothing_like, next(iter(found.values())))
    return [found.get(place, nothing) for place in range(len(draws))]


def _nothing_like(tensor: torch.Tensor) -> torch.Tensor:
    return torch.full_like(tensor, torch.nan if tensor.is_floating_point() else 0)
