"""Typed expressions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compiler.ir.types import Axis, Node, ValueType

ReferenceKind = Literal["data", "derived", "site", "local", "size", "parameter", "states"]


class Constant(Node):
    """A literal."""

    node: Literal["constant"] = "constant"
    value: bool | int | float | str
    type: ValueType


class Reference(Node):
    """A use of a named value.

    `kind`: `data`, `derived`, `site` (observed or latent, also a recorded value), `local` (an
    assignment), `size` (a dim's size), `parameter` (of the function being defined), `states` (all
    states of a hidden chain, on an axis that has its name).
    `plates` and `event` tell how the value is stored: the plates around its definition, and its
    event axes there; `type` tells how it is seen from here.
    """

    node: Literal["reference"] = "reference"
    name: str
    kind: ReferenceKind
    plates: tuple[str, ...] = ()
    event: tuple[Axis, ...] = ()
    type: ValueType


class Apply(Node):
    """An operator or a function of the table `compiler.tables.functions`, by its row's name."""

    node: Literal["apply"] = "apply"
    function: str
    arguments: tuple[Expression, ...]
    options: dict[str, Expression] = {}
    type: ValueType


class Invoke(Node):
    """A call of a function that the spec defines, by the name of one typed instance of it."""

    node: Literal["invoke"] = "invoke"
    function: str
    arguments: tuple[Expression, ...]
    type: ValueType


class Items(Node):
    """A list literal; its first axis is the list's length."""

    node: Literal["items"] = "items"
    items: tuple[Expression, ...]
    type: ValueType


class Filled(Node):
    """Data with their gaps filled by a site, `values`.

    The site has a value for each gap (one event axis, whatever the data's), or, where it stands in
    the plates of the data, one for each entry.
    """

    node: Literal["filled"] = "filled"
    data: Reference
    values: Reference
    type: ValueType


class Range(Node):
    """`lower:upper` as one of an index's places; constants only."""

    node: Literal["range"] = "range"
    lower: int | None
    upper: int | None


class IndexAt(Node):
    """`base[i, j]`: an entry for each of the base's first event axes, the others kept whole."""

    node: Literal["index"] = "index"
    base: Expression
    indices: tuple[Annotated[Expression | Range, Field(discriminator="node")], ...]
    type: ValueType


class Lag(Node):
    """`prev(x, steps, default)`: a value of the steps of a `recur`, some steps before.

    Without a default there is nothing before the first step, and nothing reads it there.
    """

    node: Literal["lag"] = "lag"
    base: Reference
    dim: str
    steps: int
    default: Expression | None = None
    type: ValueType


class Initially(Node):
    """`init a then b`: one value for the first `steps` of a `recur`, the other from then on."""

    node: Literal["initially"] = "initially"
    initial: Expression
    then: Expression
    dim: str
    steps: int
    type: ValueType


Expression = Annotated[
    Constant | Reference | Apply | Invoke | Items | IndexAt | Filled | Lag | Initially,
    Field(discriminator="node"),
]
