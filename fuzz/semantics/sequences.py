"""Random recurrences: values and latents that are made from those of earlier steps."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import scipy.stats as st

from fuzz.semantics.expressions import Expression, Function, Values, applied
from fuzz.semantics.values import Writer

LONGEST_LOOP = 33
"""Steps beyond which only recurrences are written that need no loop over them."""


_STEPS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "{coefficient} * {before} + {row}": lambda c, before, row: c * before + row,
    "{row} - {before} * {coefficient}": lambda c, before, row: row - before * c,
    "tanh({before} + {row})": lambda c, before, row: np.tanh(before + row),
    "(if {before} > {row} then {before} * 0.5 else {coefficient})": lambda c, before, row: (
        before * 0.5 if before > row else c
    ),
    "{coefficient} + atan({before}) * {before} * 0.1 + {row}": lambda c, before, row: (
        c + np.arctan(before) * before * 0.1 + row
    ),
}
"""The next value, from a number below 1, the value some steps before, and one of this row."""

_LINEAR = 2


def recurrence(name: str, write: Writer, rows: int, random: Random) -> tuple[str, Function]:
    """Return a value that depends on itself some steps before: the statement, and its meaning.

    Args:
        name: What it is called.
        write: Writes the expressions in it.
        rows: How many steps there are.
        random: What to choose by.
    """
    known = list(_STEPS.items())
    template, step = random.choice(known if rows <= LONGEST_LOOP else known[:_LINEAR])
    lag = random.choice([1, 1, 1, 2, 3])
    first, coefficient, row = write.single(1), _moderate(write), write.row(1)
    then = template.format(coefficient=coefficient.text, before=_before(name, lag), row=row.text)

    def value(values: Values) -> Any:
        begin, factor = first.value(values), coefficient.value(values)
        of_row = np.broadcast_to(row.value(values), (rows,))
        found = np.empty(rows)
        for i in range(rows):
            found[i] = begin if i < lag else step(factor, found[i - lag], of_row[i])
        return found

    return f"{name} = init {first.text} then {then}", value


def walk(
    name: str, write: Writer, rows: int, random: Random
) -> tuple[str, Callable[[Values, Any], Any]]:
    """Return a latent whose location depends on the step before, and its density at each step.

    Arguments are those of `recurrence`.
    """
    first, coefficient, row = write.single(1), _moderate(write), write.row(1)
    scale = write.positive(write.single(1))
    loc = f"{coefficient.text} * {_before(name, 1)} + {row.text}"
    drawn = f"init Normal({first.text}, 1.5) then StudentT(5, {loc}, {scale.text})"

    def density(values: Values, v: Any) -> Any:
        of_row = np.broadcast_to(row.value(values), (rows,))
        rest = coefficient.value(values) * v[:-1] + of_row[1:]
        of_first = st.norm.logpdf(v[:1], first.value(values), 1.5)
        return np.concatenate([of_first, st.t.logpdf(v[1:], 5, rest, scale.value(values))])

    return f"{name} ~ {drawn} reparam centered", density


def lagged(random: Random) -> Expression:
    """Return data some steps before, and a number at the steps that have none there."""
    name, lag = random.choice(["x", "t", "y"]), random.choice([1, 2, 3])

    def value(values: Values) -> Any:
        there = np.asarray(values[name], float)
        return np.concatenate([np.full(min(lag, len(there)), 0.5), there[:-lag]])

    return Expression(f"prev({name}, {lag}, 0.5)", value)


def _moderate(write: Writer) -> Expression:
    return applied("tanh({})", np.tanh, write.single(1))


def _before(name: str, lag: int) -> str:
    return f"prev({name})" if lag == 1 else f"prev({name}, {lag})"
