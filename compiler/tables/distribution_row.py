"""The row types of the table of distributions; plain data, importing neither torch nor Pyro."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from compiler.ir.types import Axis, Support, SupportKind
from compiler.tables.binding import BindResult, bind

ConstraintName = Literal[
    "real",
    "positive",
    "nonnegative",
    "unit_interval",
    "half_open_unit_interval",
    "signed_unit_interval",
    "stability",
    "integer",
    "nonnegative_integer",
    "positive_integer",
    "simplex",
    "ordered",
    "lower_cholesky",
    "positive_definite",
    "size",
    "distributions",
]
"""What an argument may be.

Each name says it of every entry of the argument, except `simplex`, `ordered`, `lower_cholesky` and
`positive_definite`, which speak of its own axes together. `half_open_unit_interval` is [0, 1),
`signed_unit_interval` is [-1, 1], `stability` is (0, 2]. A `size` is a whole number, at least one,
or a dim, known before running. `distributions` are no expression.
"""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a distribution.

    Attributes:
        name: As in Pyro's constructor.
        constraint: What its values may be.
        axes: Its own axes: a letter stands for the same size wherever it occurs in the row, a
            number for itself. An argument may have further axes on the left, which broadcast.
        default: Its value where it is left out; None: none; infinite: no bound.
        group: What it is one of several ways to give (`probs` or `logits`), exactly one of which
            has to be given; None: it is the only way.
        keyword_only: Whether it has to be given by name.
        tensor: Whether Pyro refuses a Python number for it. (One with axes is always a tensor.)
    """

    name: str
    constraint: ConstraintName = "real"
    axes: tuple[str | int, ...] = ()
    default: float | None = None
    group: str | None = None
    keyword_only: bool = False
    tensor: bool = False

    @property
    def event_rank(self) -> int:
        """How many axes are the parameter's own."""
        return len(self.axes)

    @property
    def required(self) -> bool:
        """Whether it has to be given whatever else is."""
        return self.default is None and self.group is None


@dataclass(frozen=True, slots=True)
class Sum:
    """A number that follows from the arguments: the sum of some of them, plus a constant.

    Attributes:
        terms: Parameters, or letters of axes (which count as their sizes).
        plus: Added to them.
    """

    terms: tuple[str, ...] = ()
    plus: int = 0

    def at(self, known: Mapping[str, float]) -> float | None:
        """Return the number, or None where a term is not among those known."""
        if any(term not in known for term in self.terms):
            return None
        return sum((known[term] for term in self.terms), start=float(self.plus))


@dataclass(frozen=True, slots=True)
class SupportRule:
    """The support of a distribution.

    Attributes:
        kind: As in the IR.
        lower: Least value: a number, what it follows from, or None (no bound).
        upper: The same on the other side.
        lower_strict: Whether the bound itself is not in the support.
    """

    kind: SupportKind = "real"
    lower: float | Sum | None = None
    upper: float | Sum | None = None
    lower_strict: bool = False

    def at(self, known: Mapping[str, float]) -> Support:
        """Return the IR's support; an infinite bound is none.

        Args:
            known: Values of those parameters (see `DistributionRow.defaults`), and sizes of those
                axes, that are known before running.
        """
        lower, upper = (
            bound.at(known) if isinstance(bound, Sum) else bound
            for bound in (self.lower, self.upper)
        )
        unknown = (self.lower is not None and lower is None) or (
            self.upper is not None and upper is None
        )
        return Support(
            kind=self.kind, lower=_finite(lower), upper=_finite(upper), open_bounds=unknown
        )


def _finite(bound: float | None) -> float | None:
    return bound if bound is not None and math.isfinite(bound) else None


@dataclass(frozen=True, slots=True)
class LocScale:
    """How `reparam noncentered` draws: `loc + scale * base` (`loc + scale @ base` for a matrix).

    Attributes:
        loc: The parameter that becomes 0 in the base distribution.
        scale: The parameter that becomes 1 (the identity matrix) in the base distribution. Where
            the author gives another of its group, the site cannot be decentred; but a matrix is
            also made of a `covariance_matrix`.
        matrix: Whether `scale` is a lower-triangular matrix. A base without further parameters
            is then written `Normal(0, 1).expand(...).to_event(1)`.

    All other parameters stand in the base distribution as they are.
    """

    loc: str = "loc"
    scale: str = "scale"
    matrix: bool = False


@dataclass(frozen=True, slots=True)
class DistributionRow:
    """A distribution of the language.

    Whatever a parameter's constraint, Pyro wants a tensor given for it to be of a floating type:
    most of its distributions cannot draw at whole-number tensors.

    Attributes:
        name: As in the spec and, unless `ours`, in `pyro.distributions`.
        parameters: In the order of Pyro's constructor.
        summary: What it is, in half a sentence.
        mathematics: Its density, in the parameters' names.
        support: Where it lives, at given parameters.
        event_axes: Its event axes: letters of its parameters' axes, names of `size` parameters,
            or numbers.
        categories: How many values it takes, where Pyro can enumerate them.
        index_of: The letter of the axis that a draw is an index into.
        loc_scale: How it is decentred, where that is possible.
        in_order: Two parameters, the first of which has to be the smaller.
        truncatable: Whether `truncated(…)` and `censored(…)` apply: the probabilities of its tails
            are known (`autoguide_core.distributions.tails` and `tails_counts`).
        mean_known: Whether Pyro can tell its mean (`init mean`).
        drawable: Whether Pyro can draw from it; if not, it is for data only.
        ours: Whether it is the language's own and not from Pyro.
        note: What an author has to know beyond that.
    """

    name: str
    parameters: tuple[Parameter, ...]
    summary: str
    mathematics: str
    support: SupportRule = SupportRule()
    event_axes: tuple[str | int, ...] = ()
    categories: Sum | None = None
    index_of: str | None = None
    loc_scale: LocScale | None = None
    in_order: tuple[str, str] | None = None
    truncatable: bool = False
    mean_known: bool = True
    drawable: bool = True
    ours: bool = False
    note: str | None = None

    @property
    def event_rank(self) -> int:
        """How many event axes a draw has."""
        return len(self.event_axes)

    @property
    def element(self) -> Literal["real", "int"]:
        """What the entries of a draw are, and so of the data that it can produce."""
        return "int" if self.discrete else "real"

    @property
    def discrete(self) -> bool:
        """Whether it takes discrete values."""
        return self.support.kind in ("integer", "boolean", "one_hot")

    @property
    def counts(self) -> bool:
        """Whether it draws single whole numbers from 0 on, without an end."""
        support = self.support
        return support.kind == "integer" and support.lower == 0 and support.upper is None

    @property
    def enumerable(self) -> bool:
        """Whether Pyro can sum it out."""
        return self.categories is not None

    @property
    def signature(self) -> str:
        """How it is called: `StudentT(df, loc = 0, scale = 1)`."""
        shown: list[str] = []
        groups: list[str] = []
        for parameter in self.parameters:
            if parameter.group is None:
                default = "" if parameter.default is None else f" = {parameter.default:g}"
                shown.append(parameter.name + default)
            elif parameter.group not in groups:
                groups.append(parameter.group)
                shown.append(" | ".join(p.name for p in self.group(parameter.group)))
        return f"{self.name}({', '.join(shown)})"

    @property
    def defaults(self) -> dict[str, float]:
        """The values of those parameters that may be left out."""
        return {p.name: p.default for p in self.parameters if p.default is not None}

    def parameter(self, name: str) -> Parameter:
        """Return the parameter called `name`; KeyError where there is none."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(name)

    def group(self, name: str) -> tuple[Parameter, ...]:
        """Return the parameters of a group, in order."""
        return tuple(p for p in self.parameters if p.group == name)

    def bind(self, positional: int, keywords: Sequence[str] = ()) -> BindResult:
        """Tell which parameter each argument goes to, or what is wrong with the arguments.

        Args:
            positional: How many arguments stand without a name.
            keywords: The names of the others, in order.
        """
        return bind(self, positional, keywords)

    def event(
        self, shapes: Mapping[str, tuple[Axis, ...]], sizes: Mapping[str, Axis]
    ) -> tuple[Axis, ...]:
        """Return the event axes of a draw.

        Args:
            shapes: All event axes of each argument given, by parameter.
            sizes: What each `size` parameter given says: a number or the name of a dim.

        Raises:
            ValueError: If an argument has fewer axes than the parameter, or two arguments give
                different sizes to one letter; the message says which, for the author.
        """
        axes = self.axes(shapes, sizes)
        return tuple(axes[axis] if isinstance(axis, str) else axis for axis in self.event_axes)

    def axes(
        self, shapes: Mapping[str, tuple[Axis, ...]], sizes: Mapping[str, Axis]
    ) -> dict[str, Axis]:
        """Return what each letter of the row's axes stands for; see `event`."""
        found: dict[str, Axis] = dict(sizes)
        told_by: dict[str, str] = {}
        for parameter in self.parameters:
            if parameter.name not in shapes or not parameter.axes:
                continue
            shape = shapes[parameter.name]
            rank = parameter.event_rank
            if len(shape) < rank:
                kind = {1: "a vector", 2: "a matrix"}[rank]
                raise ValueError(f"`{parameter.name}` of {self.name} has to be {kind}")
            own = shape[len(shape) - rank :]
            for axis, given in zip(parameter.axes, own, strict=True):
                known = found.setdefault(axis, given) if isinstance(axis, str) else axis
                teller = told_by.setdefault(str(axis), parameter.name)
                if known == given:
                    continue
                start = f"`{parameter.name}` of {self.name}"
                if teller != parameter.name:
                    raise ValueError(f"{start} has the size {given} where `{teller}` has {known}")
                if rank > 1:
                    raise ValueError(f"{start} has to be square, not {' by '.join(map(str, own))}")
                raise ValueError(f"{start} needs {known} entries, not {given}")
        return found
