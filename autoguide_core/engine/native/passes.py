"""The passes of the native compiler in their order: lowered, grouped, laid out, written as C++."""

from __future__ import annotations

from dataclasses import dataclass

from autoguide_core.engine.native import checks
from autoguide_core.engine.native.lowering import Lowering
from autoguide_core.engine.native.memory import Memory
from autoguide_core.engine.native.program import Program
from autoguide_core.engine.native.rows import group_rows
from autoguide_core.engine.native.source import program_source


@dataclass(frozen=True)
class Translation:
    """A graph in C++.

    Attributes:
        program: Its kernels.
        memory: Where its storages lie.
        source: The C++.
    """

    program: Program
    memory: Memory
    source: str


def translated(lowering: Lowering) -> Translation:
    """Take a graph through all passes.

    Raises:
        NativeUnavailable: If it cannot be lowered.
        PassError: If the checks are on, and a pass has made a mistake.
    """
    program = lowering.run()
    check = checks.are_on()
    if check:
        checks.check_program(program, "lowering")
    program = group_rows(program)
    memory = Memory(program)
    if check:
        checks.check_program(program, "grouping")
        checks.check_memory(program, memory)
    return Translation(program, memory, program_source(program, memory))
