"""Emits a circle of definitions that is a linear recurrence, in vectorised passes."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.emit.expressions import floating_code, is_number, numeric
from compiler.emit.layout import align
from compiler.emit.place import Place
from compiler.emit.python import call
from compiler.emit.sequences.affine import Affine, NotAffine, Splitter
from compiler.emit.sequences.definitions import Definition
from compiler.ir import Expression, Lag, Reference
from compiler.ir.queries import subexpressions
from compiler.ir.rewrite import Arithmetic, rewritten
from compiler.tables.reserved import python_name


class Linear:
    """A circle of definitions as a linear recurrence of those that are read at earlier steps.

    Args:
        circle: The definitions, in the order written.
        calc: Puts expressions together.

    Attributes:
        states: The unknowns of the recurrence.
        others: What follows from them.

    Raises:
        NotAffine: If it is none.
    """

    def __init__(self, circle: Sequence[Definition], calc: Arithmetic) -> None:
        self._by_name = {one.name: one for one in circle}
        lagged = {
            part.base.name
            for one in circle
            for part in subexpressions(one.value)
            if isinstance(part, Lag) and part.base.name in self._by_name
        }
        self.states = [one for one in circle if one.name in lagged]
        self.others = [one for one in circle if one.name not in lagged]
        splitter = Splitter(calc, {one.name: one.then for one in circle})
        self._parts: list[Affine] = []
        self._first: list[Expression] = []
        self.steps = max(1, *(one.steps for one in circle))
        if any(one.steps not in (0, self.steps) for one in circle):
            raise NotAffine
        for one in self.states:
            self._first.append(self._beginning(one))
            self._parts.append(splitter.split(self._undefaulted(one.then)))

    def _beginning(self, one: Definition) -> Expression:
        """Return what a state is at the first steps, in terms of nothing in the circle."""

        def replace(part: Expression) -> Expression | None:
            match part:
                case Lag(base=base, default=default) if base.name in self._by_name:
                    if default is None or self.steps > 1:
                        raise NotAffine
                    return default
                case Reference(name=name) if name in self._by_name:
                    return self._beginning(self._by_name[name])
                case _:
                    return None

        return rewritten(one.then if one.initial is None else one.initial, replace)

    def _undefaulted(self, expr: Expression) -> Expression:
        """Take the defaults of lags away, which say what the first step is."""

        def replace(part: Expression) -> Expression | None:
            match part:
                case Lag(base=base, steps=1) if base.name in self._by_name:
                    return part.model_copy(update={"default": None})
                case Lag(base=base, default=default) if base.name in self._by_name:
                    if default is not None:
                        raise NotAffine
                    return None
                case _:
                    return None

        return rewritten(expr, replace)

    def lines(self, dim: str, place: Place) -> list[tuple[Definition, str]]:
        """Return the code of each state."""
        place.needs.names.add(dim)
        if len(self.states) == 1 and set(self._parts[0].coefficients) == {(self.states[0].name, 1)}:
            return [(self.states[0], self._single(dim, place))]
        return self._system(dim, place)

    def _single(self, dim: str, place: Place) -> str:
        (state,), (parts,), (first,) = self.states, self._parts, self._first
        (coefficient,) = parts.coefficients.values()
        event = state.value.type.event
        codes = [_code(e, event, place) for e in (first, parts.constant, coefficient)]
        return call(
            "sequences.linear_recurrence",
            *codes,
            python_name(dim),
            **self._named(event, dim, place),
        )

    def _system(self, dim: str, place: Place) -> list[tuple[Definition, str]]:
        """Return the code of several states, or of one with several lags."""
        if any(state.value.type.event for state in self.states):
            raise NotAffine
        number = {state.name: i for i, state in enumerate(self.states)}
        firsts = ", ".join(_code(first, (), place) for first in self._first)
        addends = ", ".join(_code(parts.constant, (), place) for parts in self._parts)
        factors = ", ".join(
            f"({i}, {number[name]}, {lag}): {_code(value, (), place)}"
            for i, parts in enumerate(self._parts)
            for (name, lag), value in parts.coefficients.items()
        )
        code = call(
            "sequences.linear_system",
            f"[{firsts}]",
            f"[{addends}]",
            f"{{{factors}}}",
            python_name(dim),
            **self._named((), dim, place),
        )
        return [(state, f"{code}[{i}]") for i, state in enumerate(self.states)]

    def _named(self, event: tuple[str | int, ...], dim: str, place: Place) -> dict[str, str]:
        named = {} if self.steps == 1 else {"steps": str(self.steps)}
        axis = place.numbers[dim] - len(event)
        return named | ({} if axis == -1 else {"dim": str(axis)})


def _code(expr: Expression, event: tuple[str | int, ...], place: Place) -> str:
    code = floating_code(expr, place) if is_number(expr) else numeric(expr, place)
    return align(code, expr.type, event, place)
