"""The whole program."""

from __future__ import annotations

from typing import Literal

from compiler.ir.expressions import Expression
from compiler.ir.guides import Guide, OptionValue
from compiler.ir.statements import Assignment, Block, PlateBlock, Recorded, Site, Statement
from compiler.ir.types import Axis, Location, Node, ValueType

IR_VERSION: Literal[1] = 1
"""Raised by one whenever an IR file of the version before can no longer be read."""


class Dimension(Node):
    """A named dim.

    `size` is None where it comes from the data. `plate` is the (negative) number that Pyro's
    plate over it gets, None where no plate enters it. `gaps_of` names the data whose missing
    values it counts.
    """

    name: str
    size: int | None
    plate: int | None = None
    gaps_of: str | None = None
    location: Location


class DataVariable(Node):
    """A declared column, vector, matrix or number of the data.

    Attributes:
        name: As in the spec; also the key or column looked for in the data.
        element: `real`, `int`, `bool` or `index`.
        dims: Its axes.
        lower: Least value allowed (strictly above, with `lower_strict`); None: no bound.
        upper: The same on the other side.
        index_of: The dim that an `index` points into.
        base: What an `index` calls the first entry of its dim (0 or 1); strings are factorised.
        missing: Whether gaps are allowed.
        form: `simplex`, `ordered`, `positive_definite`, … where declared as such.
    """

    name: str
    element: Literal["real", "int", "bool", "index"]
    dims: tuple[Axis, ...]
    lower: float | None = None
    lower_strict: bool = False
    upper: float | None = None
    upper_strict: bool = False
    index_of: str | None = None
    base: int = 0
    missing: bool = False
    form: str | None = None
    location: Location


class Derived(Node):
    """A value computed once, from data alone."""

    name: str
    value: Expression
    location: Location

    @property
    def type(self) -> ValueType:
        """The type of the value."""
        return self.value.type


class Function(Node):
    """One typed instance of a function that the spec defines.

    A function used with arguments of several shapes has several instances; `spec_name` is what
    the author calls it, `name` is unique. `plates` are those around its calls.
    """

    name: str
    spec_name: str
    parameters: tuple[str, ...]
    types: tuple[ValueType, ...]
    body: tuple[Assignment, ...]
    result: Expression
    location: Location


class Extern(Node):
    """A user's Python function, called as `name`, imported from `path` ("module:attribute")."""

    name: str
    path: str
    location: Location


class Program(Node):
    """A resolved spec.

    Attributes:
        version: Version of this format.
        name: The model's name.
        path: File that it was compiled from, as the user gave it.
        dims: Named dims in the order declared.
        data: Declared data in the order declared.
        derived: Values computed from data, in order.
        functions: Instances of user functions, callees first.
        externs: User callables that the spec names.
        model: Body of the model.
        predict: Body of `predict`.
        guides: Guides in the order written, `auto` ones included; never empty once resolved.
        fit: Settings of the fit.
        max_plate_nesting: Number of plate dims that the model uses.
    """

    version: Literal[1] = IR_VERSION
    name: str
    path: str
    dims: tuple[Dimension, ...]
    data: tuple[DataVariable, ...]
    derived: tuple[Derived, ...] = ()
    functions: tuple[Function, ...] = ()
    externs: tuple[Extern, ...] = ()
    model: Block
    predict: Block = ()
    guides: tuple[Guide, ...] = ()
    fit: dict[str, OptionValue | dict[str, OptionValue]] = {}
    max_plate_nesting: int = 0

    def dim(self, name: str) -> Dimension:
        """Return the dim called `name`; KeyError where there is none."""
        for dim in self.dims:
            if dim.name == name:
                return dim
        raise KeyError(name)

    def sites(self) -> tuple[Site, ...]:
        """Return the model's sites, in order, from all plates."""
        return tuple(s for s in statements(self.model) if isinstance(s, Site))

    def latents(self) -> tuple[Site, ...]:
        """Return the model's latent sites, in order."""
        return tuple(site for site in self.sites() if site.latent)

    def records(self) -> tuple[Recorded, ...]:
        """Return the model's recorded values, in order."""
        return tuple(s for s in statements(self.model) if isinstance(s, Recorded))


def statements(block: Block) -> tuple[Statement, ...]:
    """Return all statements of a block, plates and what is in them included, in order."""
    found: list[Statement] = []
    for statement in block:
        found.append(statement)
        if isinstance(statement, PlateBlock):
            found.extend(statements(statement.body))
    return tuple(found)
