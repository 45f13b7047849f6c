"""Statements of the model and of `predict`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compiler.ir.expressions import Expression
from compiler.ir.types import Axis, Location, Node, Support, ValueType


class Distribution(Node):
    """A distribution of the table `compiler.tables.distributions` with its arguments.

    Attributes:
        name: Its name.
        arguments: By parameter. Those of a mixture's components have the component's number in
            front: `0.loc`.
        positional: How many of them (in order) the author wrote without a name.
        components: The distributions that a mixture is made of.
        along: The axis that the one component of a mixture stands for.
    """

    name: str
    arguments: dict[str, Expression]
    positional: int = 0
    components: tuple[str, ...] = ()
    along: Axis | None = None


class Site(Node):
    """A random variable.

    Attributes:
        name: As in the spec, in the posterior and in the guide.
        observed: Whether the data block declares it.
        predicted: Whether it stands in the `predict` block.
        distribution: What it is drawn from.
        plates: The plates around it, outermost first.
        event: All its event axes, those of the distribution itself last.
        support: The values it can take, truncation and declared type included.
        constraint: `ordered` and the like where the spec declares one over the distribution.
        lower: Truncation or a flat prior's bound; None where there is none.
        upper: The same on the other side.
        truncated: Whether the bounds cut and renormalise the distribution.
        censoring: What is known of censored values, by the keyword of `censored`.
        lowered: Whether a bound depends on latents, so that the site is drawn on a fixed support
            and moved (see `base_name`).
        noncentered: Whether it is drawn as `loc + scale * base`.
        marginalized: Whether it is summed out (discrete sites).
        listed_up_to: The greatest count summed over, where its distribution has no end.
        base_name: The site that the guide sees in its place if `noncentered` or `lowered`.
        initial: What the first steps of a `recur` are drawn from; None: as all others, or, if it
            is observed, not at all.
        begin: How many first steps of a `recur` are not drawn from `distribution`.
        stepped: Whether it is a state of a `recur` that is drawn as one flat sequence, with the
            densities of its steps as terms beside it.
        missing: Whether gaps in the data count nothing.
        imputes: The data whose gaps the site fills.
        completed: What is observed where it is the data with their gaps filled.
        states: The states of a hidden chain that is summed out; None: it is none.
        hidden: The chain that an observed site depends on; its arguments have that axis in front.
    """

    statement: Literal["site"] = "site"
    name: str
    observed: bool
    predicted: bool = False
    distribution: Distribution
    element: Literal["real", "int"]
    plates: tuple[str, ...]
    event: tuple[Axis, ...]
    support: Support
    constraint: Literal["ordered", "positive_ordered"] | None = None
    lower: Expression | None = None
    upper: Expression | None = None
    truncated: bool = False
    censoring: dict[str, Expression] = {}
    lowered: bool = False
    noncentered: bool = False
    marginalized: bool = False
    listed_up_to: int | None = None
    base_name: str | None = None
    missing: bool = False
    initial: Distribution | None = None
    begin: int = 0
    stepped: bool = False
    imputes: str | None = None
    completed: Expression | None = None
    states: Axis | None = None
    hidden: str | None = None
    location: Location

    @property
    def latent(self) -> bool:
        """Whether inference has to find it."""
        return not self.observed and not self.predicted

    @property
    def discrete(self) -> bool:
        """Whether it takes discrete values."""
        return self.support.kind in ("integer", "boolean", "one_hot")


class Assignment(Node):
    """A named intermediate value."""

    statement: Literal["assignment"] = "assignment"
    name: str
    value: Expression
    location: Location


class Recorded(Node):
    """A named value that is kept in the posterior."""

    statement: Literal["record"] = "record"
    name: str
    value: Expression
    plates: tuple[str, ...]
    location: Location

    @property
    def type(self) -> ValueType:
        """The type of the value."""
        return self.value.type


class FactorTerm(Node):
    """A term of the log density."""

    statement: Literal["factor"] = "factor"
    name: str
    value: Expression
    location: Location


class PlateBlock(Node):
    """A plate: its statements are independent along the dim; `minibatch` draws that many of it.

    `sequential` is that of a `recur`: the statements are run step by step, and may read earlier
    steps, of what stands further down, too.
    """

    statement: Literal["plate"] = "plate"
    dim: str
    minibatch: int | None = None
    sequential: bool = False
    body: Block
    location: Location


Statement = Annotated[
    Site | Assignment | Recorded | FactorTerm | PlateBlock, Field(discriminator="statement")
]
Block = tuple[Statement, ...]
