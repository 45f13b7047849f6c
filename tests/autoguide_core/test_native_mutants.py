"""The compiler broken on purpose: its checks or the proof on the spot find each mistake."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from native_densities import DENSITIES, Data
from native_mutants import MUTANTS, Mutant
from native_together import compile_sources, compiler, in_turn, runner_of
from torch import Tensor

from autoguide_core.engine.native import passes
from autoguide_core.engine.native.checks import PassError
from autoguide_core.engine.native.lowering import Lowering
from autoguide_core.engine.native.memory import Memory
from autoguide_core.engine.native.passes import Translation, translated
from autoguide_core.engine.native.program import Program
from autoguide_core.engine.native.proof import Outcome, Trial, prove
from autoguide_core.engine.stepping.capture import capture

PROGRAMS = {
    "regression": ("regression", 5000, 20),
    "effects": ("effects of few", 5000, 20),
    "padded": ("padded", 5000, 20),
    "neighbours": ("neighbours", 5000, 20),
    "extremes": ("extremes", 5000, 20),
    "two lengths": ("two lengths", 5000, 20),
    "factor": ("factor of 40", 1, 3),
    "product": ("product of 39", 1, 3),
}
"""A density, its rows and its columns, by the name that mutants know it by."""

ROW = torch.tensor([0.25, 2.0], dtype=torch.float64)


Made = tuple[Lowering, Translation]


@dataclass
class Case:
    """A step of gradient ascent with momentum on a noisy density.

    Attributes:
        lowering: The graph of the step.
        trial: What to prove it with.
    """

    lowering: Lowering
    trial: Trial

    @classmethod
    def of(cls, name: str) -> Case:
        density_name, rows, columns = PROGRAMS[name]
        density = DENSITIES[density_name](Data(rows, columns, torch.float64))

        def step(theta: Tensor, speed: Tensor, noise: Tensor, row: Tensor) -> tuple[Tensor, ...]:
            value, slope = in_turn(density, (theta + 0.1 * noise)[None])
            speed = 0.9 * speed + 0.1 * slope[0]
            return theta + row[0] * speed / 1e4, speed, value[0]

        generator = torch.Generator().manual_seed(1)
        drawn = torch.randn(4, columns + 2, generator=generator, dtype=torch.float64)
        state = {"theta": 0.3 * drawn[3], "speed": torch.zeros(columns + 2, dtype=torch.float64)}
        graph = capture(step, {**state, "noise": drawn[0], "row": ROW}, [], "theta")
        example = [*state.values(), drawn[0], ROW]
        lowering = Lowering(graph, example, ["state", "state", "noise", "row"])
        return cls(lowering, Trial.of(state, example[2:], [drawn[:3]]))


def broken(case: Case, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> Made:
    """What a broken compiler makes of a step; raises PassError where its checks find that out."""
    grouped, written, placed = passes.group_rows, passes.program_source, passes.Memory

    class Lowered(Lowering):
        def run(self) -> Program:
            program = super().run()
            return mutant.lowered(program) if mutant.lowered else program

    def group(program: Program) -> Program:
        program = grouped(program)
        return mutant.grouped(program) if mutant.grouped else program

    def places(program: Program) -> Memory:
        memory = placed(program)
        if mutant.places:
            mutant.places(program, memory)
        return memory

    def source(program: Program, memory: Memory) -> str:
        text = written(program, memory)
        return mutant.text(text) if mutant.text else text

    given = case.lowering
    lowering = Lowered(given.graph, given.example, given._roles)
    with monkeypatch.context() as patch:
        patch.setattr(passes, "group_rows", group)
        patch.setattr(passes, "Memory", places)
        patch.setattr(passes, "program_source", source)
        translation = translated(lowering)
    if mutant.calls:
        mutant.calls(lowering.foreign)
    return lowering, translation


def outcomes(made: Mapping[str, tuple[Case, Made]]) -> dict[str, Outcome]:
    """What the proof says of each, all compiled together."""
    library = compile_sources([translation.source for _, (_, translation) in made.values()])
    found = {}
    for number, (name, (case, (lowering, translation))) in enumerate(made.items()):
        on = functools.partial(runner_of, library, number, lowering, translation, spoilt=True)
        graph, trial = case.lowering.graph, case.trial
        found[name] = prove(graph, on, trial, ("theta",), again=False)
    return found


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_each_mistake_is_found(
    tmp_path: Path, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PPLC_COMPILER", compiler(tmp_path))
    monkeypatch.setenv("PPLC_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("PPLC_CHECKS", "1")
    cases = {name: Case.of(name) for name in PROGRAMS}
    made = {name: (case, broken(case, Mutant(name), monkeypatch)) for name, case in cases.items()}
    sources = {name: translation.source for name, (_, (_, translation)) in made.items()}
    found_by = {}
    for name, mutant in MUTANTS.items():
        case = cases[mutant.program]
        try:
            made[name] = case, broken(case, mutant, monkeypatch)
        except PassError:
            found_by[name] = "checks"
        else:
            same = made[name][1][1].source == sources[mutant.program]
            assert mutant.calls or not same, f"{name} changes nothing"
    said = outcomes(made)
    for name in PROGRAMS:
        assert said[name] == Outcome("", True), name
    found_by |= {name: "proof" for name in MUTANTS if name in said and said[name].difference}
    for name in MUTANTS:
        found = found_by.get(name, "nothing")
        print(f"{name}: {found} {said[name].difference if found == 'proof' else ''}")
    assert [name for name in MUTANTS if name not in found_by] == []
    assert Counter(found_by.values()) >= Counter(proof=30, checks=9)
