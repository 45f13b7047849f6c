"""The guide families: a row each. Adding one here makes the language, checks and docs know it."""

from __future__ import annotations

from compiler.tables.family_row import HIDDEN_FACTORS, Family, block_flows, full_rank, rank_of
from compiler.tables.flows import FLOWS
from compiler.tables.options import Option

_INIT_SCALE = Option(
    "init_scale",
    "real",
    0.1,
    "Standard deviation at the start, in unconstrained space.",
    least=0,
    strict=True,
    by_site=True,
)

_RANK = Option(
    "rank",
    "int",
    None,
    "Rank of the low-rank matrix, below D; the square root of D, rounded, where it is left out.",
    least=1,
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
        count=full_rank,
        options=(_INIT_SCALE,),
    ),
    Family(
        "AutoNoncenteredMultivariateNormal",
        "One normal with a full covariance, in which a site whose prior has a location or a scale "
        "that depends on other latents is drawn relative to them, as if it were written "
        "non-centred. Parts that cover those others have to stand above.",
        covers="joint",
        holds="continuous",
        default_init="median",
        minibatch=False,
        formula="2 D + D (D - 1) / 2",
        count=full_rank,
        options=(_INIT_SCALE,),
        in_pyro=False,
    ),
    Family(
        "AutoLowRankMultivariateNormal",
        "One normal whose covariance is a low-rank matrix plus a diagonal one.",
        covers="joint",
        holds="continuous",
        default_init="median",
        minibatch=False,
        formula="D (rank + 2)",
        count=lambda dimension, options: dimension * (rank_of(dimension, options) + 2),
        options=(_INIT_SCALE, _RANK),
    ),
    Family(
        "AutoBatchedMultivariateNormal",
        "For each element of the plates a normal with a full covariance over the sites inside.",
        covers="plate",
        holds="continuous",
        default_init="median",
        minibatch=True,
        formula="2 D + D (D - 1) / 2 for each element",
        count=full_rank,
        options=(_INIT_SCALE,),
        in_pyro=False,
    ),
    Family(
        "AutoBatchedLowRankMultivariateNormal",
        "For each element of the plates a normal whose covariance is a low-rank matrix plus a "
        "diagonal one.",
        covers="plate",
        holds="continuous",
        default_init="median",
        minibatch=True,
        formula="D (rank + 2) for each element",
        count=lambda dimension, options: (
            dimension * (min(rank_of(dimension, options), dimension) + 2)
        ),
        options=(
            _INIT_SCALE,
            Option(
                "rank",
                "int",
                None,
                "Rank of the low-rank matrices, lowered to D where there are fewer dimensions; "
                "the square root of D, rounded, where it is left out.",
                least=1,
            ),
        ),
        in_pyro=False,
    ),
    Family(
        "AutoGaussian",
        "One normal over all its sites, whose precision is zero where the model makes two sites "
        "independent given the rest.",
        covers="joint",
        holds="continuous",
        default_init="feasible",
        minibatch=False,
        formula="2 D, and those of a quadratic term for each site",
        count=None,
        options=(
            _INIT_SCALE,
            Option(
                "backend",
                "choice",
                "dense",
                "How it is computed; `structured` is faster from a few hundred dimensions on.",
                choices=("dense", "structured"),
                not_in_pyro=("structured",),
            ),
        ),
    ),
    Family(
        "AutoStructured",
        "Noise for each site, and linear dependencies between the sites that the posterior ties "
        "together, drawn in the model's order.",
        covers="joint",
        holds="continuous",
        default_init="feasible",
        minibatch=False,
        formula="those of each site, and of the dependencies",
        count=None,
        options=(
            _INIT_SCALE,
            Option(
                "conditionals",
                "choice",
                "mvn",
                "The noise of each site: `mvn` has a full covariance, `normal` a diagonal one, "
                "`delta` is none.",
                choices=("mvn", "normal", "delta"),
            ),
        ),
    ),
    Family(
        "AutoNormalMessenger",
        "An independent normal for each entry of each site, put in place while the model runs.",
        covers="site",
        holds="continuous",
        default_init="mean",
        minibatch=True,
        formula="2 D",
        count=lambda dimension, options: 2 * dimension,
        options=(_INIT_SCALE,),
        in_pyro=False,
    ),
    Family(
        "AutoHierarchicalNormalMessenger",
        "As AutoNormalMessenger, where a site whose prior depends on others moves with the mean "
        "of that prior, given the draws of the others.",
        covers="site",
        holds="continuous",
        default_init="mean",
        minibatch=True,
        formula="2 D, and 1 for each entry of the sites that follow others",
        count=lambda dimension, options: 2 * dimension,
        options=(
            _INIT_SCALE,
            Option(
                "init_weight",
                "real",
                1.0,
                "How far a site follows the mean of its prior at the start.",
                least=0,
                strict=True,
            ),
        ),
        follows=True,
        in_pyro=False,
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
        "AutoBNAFNormal",
        "A standard normal sent through block neural autoregressive flows, over all its sites.",
        covers="joint",
        holds="continuous",
        default_init="uniform",
        minibatch=False,
        formula="2 D, and those of the flows",
        count=block_flows,
        options=(
            _INIT_SCALE,
            Option("num_flows", "int", 1, "How many flows follow each other.", least=1),
            Option(
                "hidden_factors",
                "ints",
                HIDDEN_FACTORS,
                "Hidden units of each layer of a flow for each dimension.",
                least=1,
            ),
        ),
        in_pyro=False,
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
    "noncentered": "AutoNoncenteredMultivariateNormal",
    "AutoLowRank": "AutoLowRankMultivariateNormal",
    "bnaf": "AutoBNAFNormal",
    "AutoBatchedMVN": "AutoBatchedMultivariateNormal",
    "structured": "AutoStructured",
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
