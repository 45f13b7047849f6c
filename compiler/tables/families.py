"""The guide families: a row each. Adding one here makes the language, checks and docs know it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from compiler.ir.guides import OptionValue
from compiler.tables.flows import FLOWS
from compiler.tables.options import Option

Count = Callable[[int, Mapping[str, OptionValue]], int]


@dataclass(frozen=True, slots=True)
class Family:
    """A variational family for one part of a guide.

    Attributes:
        name: Its name in a spec and in Pyro.
        doc: What it is, in one line.
        covers: `joint`: one distribution over all its sites; `site`: one for each.
        holds: The kind of latents it takes.
        default_init: The init strategy where none is written; None where it takes none.
        minibatch: Whether it may hold latents in a minibatched plate.
        alone: Whether it must be the only part of its guide.
        options: Its options, `init_scale` included; each is a constructor argument of that name,
            but those of a flow.
        flow: Whether its options together describe the transform that it is built with.
        formula: The number of its parameters, in words; D is the dimension of its sites.
        count: The same as a function of D and of the options; None where it depends on networks.
    """

    name: str
    doc: str
    covers: Literal["joint", "site"]
    holds: Literal["continuous", "discrete"]
    default_init: str | None
    minibatch: bool
    formula: str
    count: Count | None
    alone: bool = False
    options: tuple[Option, ...] = ()
    flow: bool = False

    def option(self, name: str) -> Option | None:
        """Return the option called `name`, None where there is none."""
        return next((option for option in self.options if option.name == name), None)


def _rank(dimension: int, options: Mapping[str, OptionValue]) -> int:
    rank = options.get("rank")
    return rank if isinstance(rank, int) else round(dimension**0.5)


_INIT_SCALE = Option(
    "init_scale",
    "real",
    0.1,
    "Standard deviation at the start, in unconstrained space.",
    least=0,
    strict=True,
)

_ROWS = (
    Family(
        "AutoDelta",
        "A point: maximum a posteriori in the constrained space, without a Jacobian.",
        covers="site",
        holds="continuous",
        default_init="median",
        minibatch=True,
        formula="D",
        count=lambda dimension, options: dimension,
    ),
    Family(
        "AutoNormal",
        "An independent normal for each entry of each site, in unconstrained space.",
        covers="site",
        holds="continuous",
        default_init="feasible",
        minibatch=True,
        formula="2 D",
        count=lambda dimension, options: 2 * dimension,
        options=(_INIT_SCALE,),
    ),
    Family(
        "AutoDiagonalNormal",
        "One normal with a diagonal covariance over all its sites, in unconstrained space.",
        covers="joint",
        holds="continuous",
        default_init="median",
        minibatch=False,
        formula="2 D",
        count=lambda dimension, options: 2 * dimension,
        options=(_INIT_SCALE,),
    ),
    Family(
        "AutoMultivariateNormal",
        "One normal with a full covariance over all its sites, in unconstrained space.",
        covers="joint",
        holds="continuous",
        default_init="median",
        minibatch=False,
        formula="2 D + D (D - 1) / 2",
        count=lambda dimension, options: 2 * dimension + dimension * (dimension - 1) // 2,
        options=(_INIT_SCALE,),
    ),
    Family(
        "AutoLowRankMultivariateNormal",
        "One normal whose covariance is a low-rank matrix plus a diagonal one.",
        covers="joint",
        holds="continuous",
        default_init="median",
        minibatch=False,
        formula="D (rank + 2)",
        count=lambda dimension, options: dimension * (_rank(dimension, options) + 2),
        options=(
            _INIT_SCALE,
            Option(
                "rank",
                "int",
                None,
                "Rank of the low-rank matrix, below D; the square root of D, rounded, "
                "where it is left out.",
                least=1,
            ),
        ),
    ),
    Family(
        "AutoNormalizingFlow",
        "A standard normal sent through a trainable flow, over all its sites.",
        covers="joint",
        holds="continuous",
        default_init=None,
        minibatch=False,
        formula="those of the flow",
        count=None,
        options=(
            Option("flow", "choice", "iaf", "The kind of flow.", choices=tuple(FLOWS)),
            Option("layers", "int", 2, "How many such transforms follow each other.", least=1),
            Option(
                "hidden",
                "ints",
                None,
                "Sizes of the hidden layers of each transform's network, where it has one.",
                least=1,
            ),
        ),
        flow=True,
    ),
    Family(
        "AutoIAFNormal",
        "A standard normal sent through inverse autoregressive flows, over all its sites.",
        covers="joint",
        holds="continuous",
        default_init=None,
        minibatch=False,
        formula="those of the flows",
        count=None,
        options=(
            Option(
                "hidden_dim",
                "ints",
                None,
                "Sizes of the hidden layers; one layer of 3 D + 1 where it is left out.",
                least=1,
            ),
            Option("num_transforms", "int", 1, "How many flows follow each other.", least=1),
        ),
    ),
    Family(
        "AutoLaplaceApproximation",
        "The mode in unconstrained space, then a normal from the Hessian there.",
        covers="joint",
        holds="continuous",
        default_init="median",
        minibatch=False,
        formula="D",
        count=lambda dimension, options: dimension,
        alone=True,
    ),
    Family(
        "AutoDiscreteParallel",
        "A distribution over the classes of each discrete site, summed over exactly.",
        covers="site",
        holds="discrete",
        default_init=None,
        minibatch=False,
        formula="classes - 1 for each entry",
        count=lambda dimension, options: dimension,
    ),
)

FAMILIES: dict[str, Family] = {row.name: row for row in _ROWS}

FOREIGN_FAMILIES: dict[str, str] = {
    "meanfield": "AutoNormal",
    "mean_field": "AutoNormal",
    "normal": "AutoNormal",
    "fullrank": "AutoMultivariateNormal",
    "full_rank": "AutoMultivariateNormal",
    "AutoMVN": "AutoMultivariateNormal",
    "AutoLowRank": "AutoLowRankMultivariateNormal",
    "AutoBNAFNormal": "AutoNormalizingFlow",
    "map": "AutoDelta",
    "MAP": "AutoDelta",
    "optimize": "AutoDelta",
    "laplace": "AutoLaplaceApproximation",
    "iaf": "AutoIAFNormal",
    "flow": "AutoNormalizingFlow",
    "enumerate": "AutoDiscreteParallel",
}
"""What Stan, NumPyro and people call a family, with its name here."""

DISCRETE_PARALLEL = ("Bernoulli", "Categorical", "OneHotCategorical")
"""The distributions that AutoDiscreteParallel can hold."""
