"""The proof of compiled code on the spot: it is run beside the graph that it was made from.

Two trials, on the real data. The first is one step from the present state. The second is two steps
in one run, from the state that the first has led to and with the parameters moved, so that all
slots hold numbers and what is carried from step to step is seen. Compared are the whole new state
and the results, each number, with what rounding explains (see ``rounding``); NaN and infinity have
to stand in the same places. The scratch memory holds NaN beforehand, so that what is read without
having been written shows.

All is done in copies of the state and with the generators of random numbers put aside, so that a
fit goes on as if there had been no proof.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.fx import GraphModule

from autoguide_core.engine.native.rounding import Versions, disturbed_runs, run_disturbed

_EXACT = {torch.float64: 5e-13, torch.float32: 4e-6}
"""Relative distance of two numbers that need no explanation: thousands of units in the last place
in double precision, where functions differ by some hundreds, and tens in single precision."""

_OF_GREATEST = 2.0
"""Units in the last place of the greatest number of a row by which each of them may be off."""

_SAFETY = 32.0
"""How many times as far as disturbances a number may be away."""

_SHIFTS = (0.03, 0.003, 0.0)
"""By how much parameters are moved for the second trial; less where that leads outside."""

_OTHER_ROW = 0.9
"""Times the numbers of a step, those of the next."""


TRIAL_STEPS = 3
"""Steps that a proof makes."""


class Steps(Protocol):
    """What can be proved: makes steps on the state that it was made with."""

    def run(self, state: Mapping[str, Tensor], noise: Sequence[Tensor], rows: Tensor) -> Tensor:
        """Make steps in place; see ``NativeRunner``."""
        ...


@dataclass(frozen=True)
class Trial:
    """Steps to make, and from where.

    Attributes:
        state: The state.
        noise: For each draw of a step a tensor (K, *shape).
        rows: The numbers of the steps, (K, H).
    """

    state: Mapping[str, Tensor]
    noise: Sequence[Tensor]
    rows: Tensor

    @classmethod
    def of(
        cls,
        state: Mapping[str, Tensor],
        example: Sequence[Tensor],
        noise: Sequence[Tensor] | None,
    ) -> Trial:
        """The trial of a runner.

        Args:
            state: The present state.
            example: The draws of one step, and its row.
            noise: The draws of ``TRIAL_STEPS`` steps; by default those of the example.
        """
        *drawn, row = example
        if noise is None:
            noise = [one.expand(TRIAL_STEPS, *one.shape) for one in drawn]
        rows = torch.stack([(_OTHER_ROW**k * row).to(row.dtype) for k in range(TRIAL_STEPS)])
        return cls(state, noise, rows)


@dataclass(frozen=True)
class Outcome:
    """How a proof went.

    Attributes:
        difference: What differs by how much, as a clause; empty where nothing does.
        is_complete: Whether all trials were made at points where there are numbers to compare.
    """

    difference: str
    is_complete: bool = False


def prove(
    graph: GraphModule,
    steps_on: Callable[[Mapping[str, Tensor]], Steps],
    trial: Trial,
    moved: Sequence[str],
    *,
    again: bool,
) -> Outcome:
    """Compare compiled steps with those of the graph.

    Args:
        graph: The recorded step: of the state's tensors, the draws and the row; its results are
            the new state's tensors and the step's output.
        steps_on: From a state to the compiled steps on it. Their scratch memory holds NaN.
        trial: Three steps, of which the first begins at the state.
        moved: The names of the state's tensors that may have other values close by.
        again: Whether it has been proved before, so that one trial is enough.

    Returns:
        What was found.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        first = _Reference(graph, _part(trial, trial.state, 0, 1))
        difference = first.difference(steps_on)
        if difference or again or not first.is_sound:
            return Outcome(difference)
        for shift in _SHIFTS:
            begun = _shifted(first.state, moved, shift)
            second = _Reference(graph, _part(trial, begun, 1, TRIAL_STEPS))
            if second.is_sound:
                break
        return Outcome(second.difference(steps_on), second.is_sound)


class _Reference:
    """Steps made by torch.

    Attributes:
        trial: The steps.
        state: The state after them.
        results: Their results; fewer where a single one was not finite, which ends them.
        is_sound: Whether all went well, so that there are numbers to compare.
    """

    def __init__(self, graph: GraphModule, trial: Trial) -> None:
        self.trial, self._graph = trial, graph
        self.state: dict[str, Tensor] = dict(trial.state)
        self.results: list[Tensor] = []
        self._failed = False
        torch.manual_seed(0)
        try:
            for inputs in _by_step(trial):
                *new, result = graph(*self.state.values(), *inputs)
                self.state = dict(zip(self.state, new, strict=True))
                self.results.append(result)
                if not result.dim() and not bool(result.isfinite()):
                    break
        except (RuntimeError, ValueError, IndexError):
            self._failed = True
        self.is_sound = not self._failed and all(
            _finite(new) >= _finite(old)
            for new, old in zip(self.state.values(), trial.state.values(), strict=True)
        )
        self.is_sound &= all(bool(result.isfinite().all()) for result in self.results)

    def difference(self, steps_on: Callable[[Mapping[str, Tensor]], Steps]) -> str:
        """What compiled steps do otherwise, as a clause; empty where rounding explains it."""
        if self._failed:
            return ""
        state = {
            name: value.clone(memory_format=torch.contiguous_format)
            for name, value in self.trial.state.items()
        }
        steps = steps_on(state)
        torch.manual_seed(0)
        try:
            told = steps.run(state, self.trial.noise, self.trial.rows)
        except Exception as error:
            return f"it raises {type(error).__name__}, which the graph does not"
        names = [*self.state, *("the result" for _ in self.results)]
        found = [
            *state.values(),
            *(one.to(r.dtype) for one, r in zip(told, self.results, strict=False)),
        ]
        expected = [*self.state.values(), *self.results]
        apart = [
            place
            for place, pair in enumerate(zip(found, expected, strict=True))
            if not _equal(*pair)
        ]
        if not apart:
            return ""
        disturbed = self._disturbed()
        worst = max((*_unexplained(found[p], disturbed[p]), names[p]) for p in apart)
        ratio, distance, explained, name = worst
        if ratio <= 1.0:
            return ""
        return f"{name}: off by {distance:.2g}, of which rounding explains {explained:.2g}"

    def _disturbed(self) -> list[Versions]:
        """The new state and the results, as far as rounding determines them."""
        runs = disturbed_runs(self._graph)
        state = [Versions.of(value, runs) for value in self.trial.state.values()]
        results: list[Versions] = []
        torch.manual_seed(0)
        for _, inputs in zip(self.results, _by_step(self.trial), strict=False):
            given = [Versions.of(value, runs) for value in inputs]
            *state, result = run_disturbed(self._graph, [*state, *given])
            results.append(result)
        return [*state, *results]


def _part(trial: Trial, state: Mapping[str, Tensor], first: int, last: int) -> Trial:
    """Some of the steps, from a state."""
    noise = [drawn[first:last] for drawn in trial.noise]
    return Trial({n: v.clone() for n, v in state.items()}, noise, trial.rows[first:last])


def _by_step(trial: Trial) -> Iterator[list[Tensor]]:
    """The inputs of each step beside the state."""
    for place, row in enumerate(trial.rows):
        yield [*(drawn[place] for drawn in trial.noise), row]


def _shifted(state: Mapping[str, Tensor], moved: Sequence[str], shift: float) -> dict[str, Tensor]:
    """A state some of whose tensors are moved, each number by another amount."""
    values = dict(state)
    for name in moved:
        value = values[name]
        waves = torch.sin(torch.arange(1.0, value.numel() + 1.0, dtype=value.dtype))
        values[name] = value + shift * value.abs().clamp(min=1.0) * waves.view(value.shape)
    return values


def _finite(value: Tensor) -> int:
    return int(value.isfinite().sum())


def _equal(found: Tensor, expected: Tensor) -> bool:
    """Whether all numbers are the same, but for their last digits."""
    if not expected.is_floating_point():
        return bool(torch.equal(found, expected))
    close = (found - expected).abs() <= _exact(expected)
    same = (found == expected) | (found.isnan() & expected.isnan())
    return bool((close | same).all())


def _exact(expected: Tensor) -> Tensor:
    """By how much numbers may be off whatever they come from."""
    kind = torch.finfo(expected.dtype)
    size = expected.abs().nan_to_num(0.0, 0.0, 0.0)
    greatest = size.amax(-1, keepdim=True) if size.dim() and size.numel() else size
    return size * _EXACT[expected.dtype] + greatest * (_OF_GREATEST * kind.eps) + kind.tiny


def _unexplained(found: Tensor, expected: Versions) -> tuple[float, float, float]:
    """The number that rounding explains least: its distance over what is explained, and both."""
    plain = expected.plain
    if not plain.is_floating_point():
        return math.inf, float((found != plain).sum()), 0.0
    explained = _SAFETY * expected.spread() + _exact(plain)
    same = (found == plain) | (found.isnan() & plain.isnan()) | (explained == math.inf)
    apart = (found.double() - plain.double()).abs().nan_to_num(nan=math.inf)
    ratio = torch.where(same, 0.0, apart / explained).flatten()
    worst = int(ratio.argmax())
    return float(ratio[worst]), float(apart.flatten()[worst]), float(explained.flatten()[worst])
