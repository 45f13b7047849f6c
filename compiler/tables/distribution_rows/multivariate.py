"""Distributions of vectors and matrices, on simplices and spheres."""

from __future__ import annotations

from compiler.tables.distribution_row import (
    DistributionRow,
    LocScale,
    Parameter,
    SupportRule,
)
from compiler.tables.distribution_rows.shared import CLASS_LOGITS, CLASS_PROBS, DF

_VECTOR_LOC = Parameter("loc", "real", ("n",))
_SCALE_TRIL = Parameter("scale_tril", "lower_cholesky", ("n", "n"))
_COVARIANCES = (
    Parameter("covariance_matrix", "positive_definite", ("n", "n"), group="covariance"),
    Parameter("precision_matrix", "positive_definite", ("n", "n"), group="covariance"),
    Parameter("scale_tril", "lower_cholesky", ("n", "n"), group="covariance"),
)
_DIM = Parameter("dim", "size")
_LKJ_CONCENTRATION = Parameter("concentration", "positive", default=1)

ROWS = (
    DistributionRow(
        "Dirichlet",
        (Parameter("concentration", "positive", ("n",)),),
        "a distribution of probabilities that sum to 1",
        "Gamma(sum(concentration)) times the product over i of "
        "x[i]^(concentration[i] - 1) / Gamma(concentration[i])",
        support=SupportRule("simplex"),
        event_axes=("n",),
    ),
    DistributionRow(
        "RelaxedOneHotCategorical",
        (Parameter("temperature", "positive", tensor=True), CLASS_PROBS, CLASS_LOGITS),
        "a differentiable stand-in for OneHotCategorical (Gumbel-softmax), sharper the colder",
        "Gamma(n) t^(n - 1) (sum(probs x^(-t)))^(-n) times the product over i of "
        "probs[i] x[i]^(-t - 1), where t = temperature",
        support=SupportRule("simplex"),
        event_axes=("n",),
        mean_known=False,
    ),
    DistributionRow(
        "MultivariateNormal",
        (_VECTOR_LOC, *_COVARIANCES),
        "the normal distribution of a vector",
        "exp(-(x - loc)' inv(S) (x - loc) / 2) / sqrt((2 pi)^n det(S)), "
        "where S = covariance_matrix = inv(precision_matrix) = scale_tril scale_tril'",
        event_axes=("n",),
        loc_scale=LocScale(scale="scale_tril", matrix=True),
        note="scale_tril is the fastest and the most stable.",
    ),
    DistributionRow(
        "LowRankMultivariateNormal",
        (
            _VECTOR_LOC,
            Parameter("cov_factor", "real", ("n", "rank")),
            Parameter("cov_diag", "positive", ("n",)),
        ),
        "the normal distribution of a long vector, its covariance of low rank and a diagonal",
        "MultivariateNormal of covariance cov_factor cov_factor' + diag(cov_diag)",
        event_axes=("n",),
    ),
    DistributionRow(
        "MultivariateStudentT",
        (DF, _VECTOR_LOC, _SCALE_TRIL),
        "Student's t of a vector",
        "Gamma((df + n)/2) (1 + (x - loc)' inv(S) (x - loc) / df)^(-(df + n)/2) / "
        "(Gamma(df/2) sqrt((df pi)^n det(S))), where S = scale_tril scale_tril'",
        event_axes=("n",),
        loc_scale=LocScale(scale="scale_tril", matrix=True),
        note="There is no mean where df <= 1.",
    ),
    DistributionRow(
        "LKJCholesky",
        (_DIM, _LKJ_CONCENTRATION),
        "the lower Cholesky factor of a correlation matrix",
        "proportional to det(x x')^(concentration - 1) as a density of the matrix x x'",
        support=SupportRule("corr_cholesky"),
        event_axes=("dim", "dim"),
        mean_known=False,
        note="At concentration 1 all correlation matrices are alike; above, weak correlations "
        "are likelier.",
    ),
    DistributionRow(
        "Wishart",
        (DF, *_COVARIANCES),
        "the distribution of a scatter matrix of df normal vectors",
        "det(x)^((df - n - 1)/2) exp(-trace(inv(S) x)/2) / "
        "(2^(df n/2) det(S)^(df/2) Gamma_n(df/2)), where S = covariance_matrix",
        support=SupportRule("positive_definite"),
        event_axes=("n", "n"),
        note="df has to be above n - 1. For a covariance prior, LKJCholesky with scales of its "
        "own is easier to fit. PyTorch warns of singular draws where there are none.",
    ),
    DistributionRow(
        "ProjectedNormal",
        (Parameter("concentration", "real", ("n",)),),
        "a direction: a normal vector around concentration, scaled to length 1",
        "the density of v / |v| where v ~ Normal(concentration, 1)",
        support=SupportRule("sphere"),
        event_axes=("n",),
        note="Its density is known for n = 2, 3 and 4 only. Its mean is a direction.",
    ),
    DistributionRow(
        "VonMises3D",
        (Parameter("concentration", "real", (3,)),),
        "a direction in space, around that of concentration, the tighter the longer that is",
        "proportional to exp(concentration' x), where |x| = 1",
        support=SupportRule("sphere"),
        event_axes=(3,),
        drawable=False,
        mean_known=False,
        note="Pyro can tell its density but not draw from it: use it for data.",
    ),
    DistributionRow(
        "SineBivariateVonMises",
        (
            Parameter("phi_loc"),
            Parameter("psi_loc"),
            Parameter("phi_concentration", "positive"),
            Parameter("psi_concentration", "positive"),
            Parameter("correlation", group="correlation"),
            Parameter("weighted_correlation", "signed_unit_interval", group="correlation"),
        ),
        "a pair of dependent angles, as of a protein's backbone",
        "proportional to exp(k1 cos(a) + k2 cos(b) + correlation sin(a) sin(b)), where "
        "a = x[0] - phi_loc, b = x[1] - psi_loc, k1 = phi_concentration, k2 = psi_concentration",
        event_axes=(2,),
        ours=True,
    ),
)
