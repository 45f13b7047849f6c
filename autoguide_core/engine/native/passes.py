"""The passes of the native compiler in their order: lowered, grouped, laid out, written as C++."""

from __future__ import annotations

from dataclasses import dataclass

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
    """
    program = group_rows(lowering.run())
    memory = Memory(program)
    return Translation(program, memory, program_source(program, memory))
