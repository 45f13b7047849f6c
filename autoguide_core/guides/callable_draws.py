"""Running a hand-written guide function for many draws: at once where that is right, else in turn.

A function that was written for one draw may be run once inside a plate of draws, to the left of
all of its own plates, if every operation in it broadcasts. Shapes alone do not tell: ``z.sum()``
runs without complaint and sums over the draws too. So the run is checked: some of its draws, the
extreme ones among them, are put back into the function one at a time, and all densities and results
must come out as they did in the joint run. Where anything differs, or an error is raised, the
function is called once a draw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pyro
import torch
from torch import Tensor

from autoguide_core.guides.callable_runs import Run, run_with, traced
from autoguide_core.guides.draws import align_draws
from autoguide_core.guides.full_size import full_size_model

_PLATE = "_callable_draws"
# Draws that are put back into the function: the first, the last, and extremes of each site.
_MOST_CHECKS = 16


class _DoesNotBroadcastError(Exception):
    """The joint run is not what the single runs are."""


@dataclass(frozen=True)
class Draws:
    """Many draws of a guide function.

    Attributes:
        values: Sites that are not auxiliary, and what the function returned beside them, by name;
            each (S, *shape of one call).
        log_prob: The log density of the draws at the function's sites, shape (S,).
    """

    values: dict[str, Tensor]
    log_prob: Tensor


def draw_many(function: Callable[[], dict[str, Tensor]], num_draws: int) -> Draws | None:
    """Draw from a guide function in one run.

    Args:
        function: The guide function with its arguments bound.
        num_draws: The number S of draws.

    Returns:
        The draws, with each subsampled plate at its full size, or None where the function does not
        broadcast.
    """
    with torch.no_grad(), full_size_model():
        return _together(function, num_draws, {})


def draw_in_turn(function: Callable[[], dict[str, Tensor]], num_draws: int) -> dict[str, Tensor]:
    """Call a guide function once a draw and stack what it returns.

    A function that cannot run with its plates at their full size (because it was given a
    minibatch, say) runs with its own.

    Args:
        function: The guide function with its arguments bound.
        num_draws: The number S of draws.

    Returns:
        Each (S, *shape of one call), by name.
    """
    with torch.no_grad(), ExitStack() as stack:
        stack.enter_context(full_size_model())
        try:
            draws = [traced(function)[0]]
        except (RuntimeError, ValueError, IndexError):
            stack.close()
            draws = [traced(function)[0]]
        draws.extend(traced(function)[0] for _ in range(num_draws - 1))
        draws = draws[:num_draws]
    return {name: torch.stack([draw[name] for draw in draws]) for name in (draws or [{}])[0]}


def score_draws(function: Callable[[], dict[str, Tensor]], draws: Mapping[str, Tensor]) -> Tensor:
    """The log density of given draws under a guide function.

    Args:
        function: The guide function with its arguments bound.
        draws: Values for its sample sites, each (S, *site shape); others are not looked at.

    Returns:
        Shape (S,).

    Raises:
        ValueError: The function has a sample site for which there are no draws.
    """
    num_draws = len(next(iter(draws.values()))) if draws else 0
    if num_draws == 0:
        return torch.zeros(0)
    with torch.no_grad(), full_size_model():
        _refuse_missing(run_with(function, _at(draws, 0)), draws)
        together = _together(function, num_draws, draws)
        if together is not None:
            return together.log_prob
        runs = [run_with(function, _at(draws, index)) for index in range(num_draws)]
        return torch.stack([sum(p.sum() for p in run.log_probs.values()) for run in runs])


def _refuse_missing(run: Run, draws: Mapping[str, Tensor]) -> None:
    for name in run.sites:
        if name not in draws:
            raise ValueError(
                f"The guide function has the sample site '{name}', for which the draws hold no "
                "values: its density cannot be computed without them. Return the site's value from "
                "the function, so that it is kept with the draws, or write the function without "
                "auxiliary sites."
            )


def _together(
    function: Callable[[], dict[str, Tensor]], num_draws: int, given: Mapping[str, Tensor]
) -> Draws | None:
    """All draws in one run, new or given; None where that is not what single runs give."""
    try:
        single = run_with(function, _at(given, 0))
        shapes = {name: value.shape for name, value in single.sites.items()}
        padded = {
            name: value.reshape(num_draws, *_ones(single, name), *shapes[name])
            for name, value in given.items()
            if name in shapes
        }
        with pyro.plate(_PLATE, num_draws, dim=-1 - single.depth):
            joint = run_with(function, padded)
        values = _aligned(joint.values, {n: v.shape for n, v in single.values.items()}, num_draws)
        sites = _aligned(joint.sites, shapes, num_draws)
        log_probs = {
            name: _per_draw(log_prob, single.log_probs[name].shape, num_draws, single.depth)
            for name, log_prob in joint.log_probs.items()
        }
        for index in _suspects(sites, num_draws):
            again = run_with(function, _at(sites, index))
            _compare(_at(values, index), again.values)
            _compare(_at(sites, index), again.sites)
            _compare(_at(log_probs, index), {n: p.sum() for n, p in again.log_probs.items()})
    except Exception:  # a function of the user's may fail in any way on what it was not written for
        return None
    total = sum(log_probs.values(), start=torch.zeros(()))
    return Draws(values, total.expand(num_draws))


def _at(draws: Mapping[str, Tensor], index: int) -> dict[str, Tensor]:
    return {name: value[index] for name, value in draws.items()}


def _ones(single: Run, name: str) -> tuple[int, ...]:
    """The dims that stand between the draws and a site of fewer plates than the deepest."""
    batch_dim = int(single.log_probs[name].dim())
    return (1,) * (single.depth - batch_dim)


def _aligned(
    values: Mapping[str, Tensor], shapes: Mapping[str, torch.Size], num_draws: int
) -> dict[str, Tensor]:
    """Values of a joint run as (S, *shape of one run)."""
    if values.keys() != shapes.keys():
        raise _DoesNotBroadcastError
    result = {}
    for name, value in values.items():
        gap = value.dim() - 1 - len(shapes[name])
        if any(size != 1 for size in value.shape[1 : 1 + max(gap, 0)]):
            raise _DoesNotBroadcastError
        result[name] = align_draws(value, num_draws, shapes[name])
    return result


def _per_draw(log_prob: Tensor, shape: torch.Size, num_draws: int, depth: int) -> Tensor:
    """The log density of a site for each draw; shape (S,)."""
    if log_prob.shape != (num_draws, *(1,) * (depth - len(shape)), *shape):
        raise _DoesNotBroadcastError
    return log_prob.reshape(num_draws, -1).sum(1)


def _suspects(sites: Mapping[str, Tensor], num_draws: int) -> list[int]:
    """Draws worth a second look: a function that branches does so at extremes."""
    chosen = [0, num_draws - 1]
    for value in sites.values():
        size = value.reshape(num_draws, -1).to(torch.float64).sum(1)
        chosen += [int(size.argmin()), int(size.argmax())]
    return list(dict.fromkeys(chosen))[:_MOST_CHECKS]


def _compare(joint: Mapping[str, Tensor], single: Mapping[str, Tensor]) -> None:
    if joint.keys() != single.keys():
        raise _DoesNotBroadcastError
    for name, value in single.items():
        if joint[name].shape != value.shape or not torch.allclose(
            joint[name], value, rtol=1e-3, atol=1e-4, equal_nan=True
        ):
            raise _DoesNotBroadcastError
