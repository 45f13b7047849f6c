"""Emits the statements of a body, each block tied to its spec line by a comment."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.emit.expressions import named, numeric, tensor
from compiler.emit.place import Place
from compiler.emit.sequences.block import Unit, sequence_units
from compiler.emit.sites import site_lines
from compiler.ir import (
    Assignment,
    Block,
    FactorTerm,
    Location,
    PlateBlock,
    Program,
    Recorded,
    Site,
)
from compiler.ir.program import statements
from compiler.tables.reserved import python_name

INDENT = "    "


def body_lines(block: Block, program: Program, place: Place) -> list[str]:
    """Return the lines of a body."""
    return _Body(program, _repeated(block)).lines(block, place)


def _repeated(block: Block) -> set[str]:
    """Return the dims whose plate stands more than once; Pyro wants one plate of a name."""
    dims = [s.dim for s in statements(block) if isinstance(s, PlateBlock)]
    return {dim for dim in dims if dims.count(dim) > 1}


class _Body:
    def __init__(self, program: Program, repeated: set[str]) -> None:
        self._program = program
        self._repeated = repeated
        self._made: set[str] = set()
        self._comment = ""

    def lines(self, block: Block, place: Place) -> list[str]:
        return self._units([(statement, None) for statement in block], place)

    def _units(self, units: Sequence[Unit], place: Place) -> list[str]:
        found: list[str] = []
        for statement, made in units:
            if isinstance(statement, PlateBlock) and found:
                found.append("")
            comment = where(self._program, statement.location)
            if comment != self._comment:
                found.append(comment)
            self._comment = comment
            if made is not None:
                found += made
                continue
            match statement:
                case Site():
                    found += site_lines(statement, self._program, place)
                case Assignment(name=name, value=value):
                    found.append(f"{python_name(name)} = {named(value, place)}")
                case Recorded(name=name, value=value):
                    found.append(self._record(statement, place))
                case FactorTerm(name=name, value=value):
                    found.append(f"pyro.factor({name!r}, {numeric(value, place)})")
                case PlateBlock():
                    found += self._plate(statement, place)
        return found

    def _record(self, statement: Recorded, place: Place) -> str:
        rank = len(statement.value.type.event)
        event = f", event_dim={rank}" if rank else ""
        call = f"pyro.deterministic({statement.name!r}, {tensor(statement.value, place)}{event})"
        return f"{python_name(statement.name)} = {call}"

    def _plate(self, block: PlateBlock, place: Place) -> list[str]:
        dim = block.dim
        place.needs.names.add(dim)
        number = place.numbers[dim]
        subsample = ""
        if block.minibatch is not None:
            place.needs.names.add(f"{dim}_minibatch")
            subsample = f" subsample_size={dim}_minibatch,"
        plate = f'pyro.plate("{dim}", {python_name(dim)},{subsample} dim={number})'
        head: list[str] = []
        if dim in self._repeated:
            if dim not in self._made:
                self._made.add(dim)
                head = [f"{dim}_plate = {plate}"]
            plate = f"{dim}_plate"
        index = "" if block.minibatch is None else f" as {dim}_index"
        opening = f"with {plate}{index}:"
        inside = place.inside(dim, block.minibatch)
        if block.sequential:
            body = self._units(sequence_units(block, inside), inside)
        else:
            body = self.lines(block.body, inside)
        return [*head, opening, *(INDENT + line if line else "" for line in body or ["pass"])]


def where(program: Program, location: Location) -> str:
    """Return the comment that ties emitted code to its line of the spec."""
    return f"# {program.path}:{location.line}"
