"""Random expressions of given dims, as text, from the names in scope at a place of a spec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

Dims = tuple[str, ...]
Draw = Callable[[st.SearchStrategy[Any]], Any]

VECTORS = ("group", "pred", "k")
"""Dims that expressions may have as axes; `k` has the size 2, the others come from data."""


@dataclass(frozen=True)
class Value:
    """A name in scope.

    Attributes:
        name: The name.
        axes: The plates around its definition, then its own dims.
        positive: Whether it is certain to be positive.
        passing: Whether it is gone once the model has run.
    """

    name: str
    axes: Dims
    positive: bool = False
    passing: bool = False


@dataclass
class Writer:
    """Writes expressions at one place.

    Attributes:
        draw: Hypothesis's.
        values: What is defined so far.
        plates: The plates around the place.
        functions: Functions of the spec that take one value, entry by entry.
    """

    draw: Draw
    values: list[Value]
    plates: Dims = ()
    functions: list[str] = field(default_factory=list)

    def seen(self, value: Value) -> Dims | None:
        """Return a value's dims as seen from here; None where it cannot be read here."""
        if any(value.axes.count(plate) > 1 for plate in self.plates):
            return None
        return tuple(axis for axis in value.axes if axis not in self.plates)

    def names(self, dims: Dims) -> list[str]:
        """Return the names of values of exactly these dims, those of the model more often."""
        found = [value.name for value in self.values if self.seen(value) == dims]
        return found + 2 * [name for name in found if name[-1].isdigit()]

    def positive(self, dims: Dims, depth: int) -> str:
        """Return a positive expression of these dims, or of a single number."""
        found = [v.name for v in self.values if v.positive and self.seen(v) in ((), dims)]
        options = ["1", "0.5", *found, *found]
        chosen = self.one_of([*options, ""]) if depth else self.one_of(options)
        if chosen:
            return chosen
        before, after = self.draw(
            st.sampled_from(
                [("exp(tanh(", "))"), ("softplus(sin(", "))"), ("(0.5 + sigmoid(", "))")]
            )
        )
        return f"{before}{self.value(dims, depth - 1)}{after}"

    def value(self, dims: Dims, depth: int) -> str:
        """Return an expression of these dims, of moderate size whatever the values."""
        makers = [maker for maker in self._makers(dims) if depth > 0]
        names = self.names(dims)
        if names and self.one_of(["name", "name", *["made"] * (len(makers) > 0)]) == "name":
            return self.one_of(names)
        if not makers:
            return self._leaf(dims)
        return self.draw(st.sampled_from(makers))(depth - 1)

    def one_of(self, options: list[str]) -> str:
        """Return one of some texts."""
        return self.draw(st.sampled_from(options))

    def _leaf(self, dims: Dims) -> str:
        if not dims:
            return self.one_of(["0", "1", "-0.5", "2.25"])
        return f"fill({self.one_of(['1', '-0.5'])}, {', '.join(dims)})"

    def _makers(self, dims: Dims) -> list[Callable[[int], str]]:
        spare = [dim for dim in VECTORS if dim not in (*dims, *self.plates)]
        makers: list[Callable[[int], str]] = [
            lambda depth: f"{self._function()}({self.value(dims, depth)})",
            lambda depth: f"({self.value(dims, depth)} {self._sign()} {self.value((), depth)})",
            lambda depth: f"({self.value(dims, depth)} {self._sign()} {self.value(dims, depth)})",
            lambda depth: f"-{self.value(dims, depth)}" if depth == 0 else self.value(dims, depth),
            lambda depth: (
                f"(if {self.value(dims, depth)} > {self.value((), depth)} then "
                f"{self.value(dims, depth)} else {self.value((), 0)})"
            ),
        ]
        if dims:
            makers.append(lambda depth: f"{self._along()}({self.value(dims, depth)})")
        if len(dims) == 2:
            makers.append(lambda depth: f"transpose({self.value(dims[::-1], depth)})")
            makers.append(
                lambda depth: f"outer({self.value(dims[:1], depth)}, {self.value(dims[1:], depth)})"
            )
        if dims[-1:] == ("k",):
            inner = dims[:-1]
            makers.append(
                lambda depth: f"columns({self.value(inner, depth)}, {self.value(inner, depth)})"
            )
        if dims == ("k",):
            makers.append(lambda depth: f"[{self.value((), depth)}, {self.value((), depth)}]")
        for dim in spare if len(dims) < 2 else []:
            makers += self._reducing(dims, dim)
        if "obs" in self.plates and "group" in spare:
            makers += [
                (lambda depth, name=name: f"{name}[g]") for name in self.names(("group", *dims))
            ]
        return makers

    def _reducing(self, dims: Dims, dim: str) -> list[Callable[[int], str]]:
        longer = (*dims, dim)
        over = f", over = {dim}" if dims else ""
        makers: list[Callable[[int], str]] = [
            lambda depth: f"dot({self.value(longer, depth)}, {self.value((dim,), depth)})",
        ]
        if dim != "k" or not dims:  # an axis of two entries need not be called `k`
            makers.append(lambda depth: f"{self._reduction()}({self.value(longer, depth)}{over})")
        if dims:
            makers.append(
                lambda depth: f"({self.value(longer, depth)} @ {self.value((dim,), depth)})"
            )
        if dim == "k":
            place = self.one_of(["0", "1", "-1"])
            makers += [
                (lambda depth, name=name: f"{name}[{place}]") for name in self.names(("k", *dims))
            ]
        return makers

    def _function(self) -> str:
        return self.one_of(["tanh", "sin", "sigmoid", "atan", *self.functions])

    def _sign(self) -> str:
        return self.one_of(["+", "-", "*"])

    def _along(self) -> str:
        return self.one_of(["cumsum", "softmax", "sort", "reverse"])

    def _reduction(self) -> str:
        return self.one_of(["sum", "mean", "logsumexp", "max"])
