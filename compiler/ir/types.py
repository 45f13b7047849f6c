"""What every IR node shares: its base class, places in the source, and the types of values."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from grammar.span import Span

Axis = str | int
"""One axis of a value: the name of a dim, an unnamed size, or a part of a dim (`time[1:]`)."""


class Node(BaseModel):
    """Base of all IR nodes: immutable, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Location(Node):
    """A place in the spec; the fields are those of `grammar.span.Span`."""

    start: int
    end: int
    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def of(cls, span: Span) -> Location:
        """Return the location of a span."""
        return cls(
            start=span.start,
            end=span.end,
            line=span.line,
            column=span.column,
            end_line=span.end_line,
            end_column=span.end_column,
        )

    @property
    def span(self) -> Span:
        """The same place as a `Span`."""
        return Span(self.start, self.end, self.line, self.column, self.end_line, self.end_column)


SupportKind = Literal[
    "real",
    "integer",
    "boolean",
    "simplex",
    "ordered",
    "positive_ordered",
    "corr_cholesky",
    "lower_cholesky",
    "positive_definite",
    "corr_matrix",
    "one_hot",
    "sphere",
    "circular",
    "unit_vector",
]


class Support(Node):
    """The set of values that something can take.

    `real` and `integer` may be bounded (None: unbounded); bounds that are not literals are
    unknown here and stand in the distribution's arguments, with `open_bounds` set.
    """

    kind: SupportKind = "real"
    lower: float | None = None
    upper: float | None = None
    open_bounds: bool = False


class ValueType(Node):
    """The type of a value at one place in the spec.

    Attributes:
        element: What each entry is. Arithmetic takes `bool` as 0 and 1.
        batch: The plates around this place over which the value varies, outermost first.
        event: The value's other axes, in order.
        random: Whether it depends on a latent site (and so may carry sample dims on the left).
        index_of: The dim that the value, an integer, indexes.
        support: The values its entries can take.
    """

    element: Literal["real", "int", "bool", "text"]
    batch: tuple[str, ...] = ()
    event: tuple[Axis, ...] = ()
    random: bool = False
    index_of: Axis | None = None
    support: Support = Support()
