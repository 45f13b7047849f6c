"""Random expressions of the shapes that a model has: numbers, vectors, one for each row."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from fuzz.semantics.expressions import (
    ALONG,
    REDUCTIONS,
    Expression,
    Values,
    applied,
    binary,
    named,
    number,
    unary,
)


@dataclass
class Names:
    """What is defined so far.

    Attributes:
        predictors: The length of vectors.
        numbers: Names of single numbers.
        vectors: Names of vectors over predictors.
        groups: Names of numbers for each group.
        group_vectors: Names of vectors for each group.
        rows: Other expressions with a number for each row.
    """

    predictors: int
    numbers: list[str] = field(default_factory=list)
    vectors: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    group_vectors: list[str] = field(default_factory=list)
    rows: list[Expression] = field(default_factory=list)


class Writer:
    """Writes expressions.

    Args:
        names: What is defined so far.
        random: What to choose by.
    """

    def __init__(self, names: Names, random: Random) -> None:
        self._names, self._random = names, random

    def single(self, depth: int) -> Expression:
        """Return a single number."""
        random, names = self._random, self._names
        if depth <= 0 or random.random() < 0.25:
            known = names.numbers and random.random() < 0.5
            return named(random.choice(names.numbers)) if known else number(random)
        kind = random.randrange(9)
        if kind < 2 or not names.vectors:
            return unary(self.single(depth - 1), random)
        if kind < 4:
            return binary(self.single(depth - 1), self.single(depth - 1), random)
        vector = self.whole_vector(depth - 1)
        if kind < 8:
            return applied(*random.choice(list(REDUCTIONS.items())), vector)
        other = self.whole_vector(depth - 1)
        return Expression(
            f"dot({vector.text}, {other.text})",
            lambda values: np.dot(vector.value(values), other.value(values)),
        )

    def vector(self, depth: int) -> Expression:
        """Return a vector over the predictors; there must be one."""
        random = self._random
        if depth <= 0 or random.random() < 0.25:
            return named(random.choice(self._names.vectors))
        kind = random.randrange(6)
        if kind < 2:
            return unary(self.vector(depth - 1), random)
        if kind < 4:
            other = self.single(depth - 1) if kind == 2 else self.vector(depth - 1)
            return binary(self.vector(depth - 1), other, random)
        return applied(*random.choice(list(ALONG.items())), self.whole_vector(depth - 1))

    def whole_vector(self, depth: int) -> Expression:
        """Return a vector whose value has an entry for each predictor, none left to broadcast."""
        vector = self.vector(depth)
        return Expression(vector.text, lambda values: self._whole(vector.value(values)))

    def _whole(self, value: Any) -> Any:
        return np.broadcast_to(value, (self._names.predictors,))

    def row(self, depth: int) -> Expression:
        """Return a number for each row."""
        random = self._random
        if depth <= 0 or random.random() < 0.2:
            return random.choice(self._row_leaves())
        other = self.row if random.random() < 0.7 else self.single
        if random.random() < 0.25:
            return unary(self.row(depth - 1), random)
        return binary(self.row(depth - 1), other(depth - 1), random)

    def _row_leaves(self) -> list[Expression]:
        names, random = self._names, self._random
        found = [named("x"), named("t"), self.single(1), *names.rows * 2]
        if names.groups:
            found += [_of_group(random.choice(names.groups))] * 3
        if names.group_vectors:
            found += [_dot_of_group(random.choice(names.group_vectors))] * 2
        if names.vectors:
            vector = self.whole_vector(1)
            text = f"dot(X, {vector.text})"
            found += [Expression(text, lambda values: values["X"] @ vector.value(values))] * 3
        return found

    def positive(self, x: Expression) -> Expression:
        """Return a positive function of an expression, of moderate size."""
        template, function = self._random.choice(_POSITIVE)
        return applied(template, function, x)


_POSITIVE: list[tuple[str, Any]] = [
    ("exp(tanh({}))", lambda x: np.exp(np.tanh(x))),
    ("(0.1 + softplus({}))", lambda x: 0.1 + np.logaddexp(0, x)),
    ("(0.3 + sigmoid({}))", lambda x: 0.3 + 1 / (1 + np.exp(-x))),
]


def _of_group(name: str) -> Expression:
    return Expression(f"{name}[g]", lambda values: values[name][values["g"]])


def _dot_of_group(name: str) -> Expression:
    def value(values: Values) -> Any:
        return np.sum(values["X"] * values[name][values["g"]], -1)

    return Expression(f"dot(X, {name}[g])", value)
