"""Puts the lines of a `recur` in order: draws, recurrences, and what follows from them."""

from __future__ import annotations

from compiler.emit.expressions import named, tensor
from compiler.emit.place import Place
from compiler.emit.sequences.affine import NotAffine
from compiler.emit.sequences.chains import chain_line
from compiler.emit.sequences.definitions import Definition, definition
from compiler.emit.sequences.linear import Linear
from compiler.emit.sequences.order import circles
from compiler.emit.sequences.states import flat_line, steps_line
from compiler.emit.sequences.steps import loop_lines
from compiler.emit.sites import base_line, kept_line
from compiler.ir import PlateBlock, Site, Statement
from compiler.ir.queries import references, values_of
from compiler.ir.rewrite import Arithmetic
from compiler.tables.reserved import python_name

Unit = tuple[Statement, list[str] | None]
"""A statement with its lines; None: those that it has in any plate."""


def sequence_units(block: PlateBlock, place: Place) -> list[Unit]:
    """Return what the lines of a `recur` are made of, in the order in which they run.

    Args:
        block: The block.
        place: The place inside it.
    """
    return _Sequence(block, place).units()


class _Sequence:
    def __init__(self, block: PlateBlock, place: Place) -> None:
        self._block = block
        self._place = place
        self._calc = Arithmetic(place.sizes, tuple(place.plates))
        self._defined = [definition(one, block.dim, self._calc) for one in block.body]

    def units(self) -> list[Unit]:
        """Return all units: first the draws that stand for states, then the rest."""
        body = self._block.body
        found: list[Unit] = [
            (one, [base_line(one, self._place) if one.noncentered else flat_line(one, self._place)])
            for one in body
            if isinstance(one, Site) and (one.noncentered or one.stepped)
        ]
        for circle in circles(self._reads()):
            definitions = [self._defined[i] for i in circle]
            first = definitions[0]
            if first is None:
                found.append(self._plain(body[circle[0]]))
            elif first.name not in first.reads() and len(circle) == 1:
                found.append((first.statement, [self._line(first, self._code(first))]))
            else:
                found += self._circle([one for one in definitions if one is not None])
        return found

    def _reads(self) -> dict[int, list[int]]:
        """Return the statements that each statement reads, at whatever step."""
        body = self._block.body
        names = {
            one.name: i
            for i, one in enumerate(body)
            if not isinstance(one, PlateBlock) and not (isinstance(one, Site) and one.observed)
        }
        drawn = {one.name for one in body if isinstance(one, Site) and one.stepped}
        found: dict[int, list[int]] = {}
        for i, (one, defined) in enumerate(zip(body, self._defined, strict=True)):
            reads = _names(one) if defined is None else defined.reads()
            found[i] = sorted(names[name] for name in (reads & names.keys()) - drawn)
        return found

    def _plain(self, statement: Statement) -> Unit:
        if isinstance(statement, Site) and statement.stepped:
            return statement, [steps_line(statement, self._place)]
        if isinstance(statement, Site) and statement.states is not None:
            return statement, [chain_line(statement, self._place)]
        return statement, None

    def _circle(self, circle: list[Definition]) -> list[Unit]:
        dim = self._block.dim
        try:
            linear = Linear(circle, self._calc)
            codes = linear.lines(dim, self._place)
        except NotAffine:
            lines = loop_lines(circle, dim, self._place)
            ends = [self._line(one, python_name(one.name)) for one in circle if one.kept]
            return [(circle[0].statement, [*lines, *ends])]
        solved: list[Unit] = [(one.statement, [self._line(one, code)]) for one, code in codes]
        follow = [(one.statement, [self._line(one, self._code(one))]) for one in linear.others]
        return solved + follow

    def _code(self, one: Definition) -> str:
        return (tensor if one.kept else named)(one.value, self._place)

    def _line(self, one: Definition, code: str) -> str:
        """Return the line that names a value, and keeps it in the posterior if it is to be."""
        if not one.kept:
            return f"{python_name(one.name)} = {code}"
        return kept_line(one.name, code, len(one.value.type.event))


def _names(statement: Statement) -> set[str]:
    return {r.name for value in values_of(statement) for r in references(value)}
