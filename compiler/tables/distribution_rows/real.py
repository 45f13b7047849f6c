"""Distributions on the whole real line."""

from __future__ import annotations

from compiler.tables.distribution_row import DistributionRow, LocScale, Parameter
from compiler.tables.distribution_rows.shared import DF, LOC, SCALE

_ASYMMETRY = Parameter("asymmetry", "positive")

ROWS = (
    DistributionRow(
        "Normal",
        (LOC, SCALE),
        "the normal distribution, by its standard deviation",
        "exp(-((x - loc) / scale)^2 / 2) / (scale sqrt(2 pi))",
        loc_scale=LocScale(),
        truncatable=True,
    ),
    DistributionRow(
        "StudentT",
        (DF, Parameter("loc", default=0), Parameter("scale", "positive", default=1)),
        "Student's t: like a normal one, with heavier tails the smaller df is",
        "(1 + ((x - loc) / scale)^2 / df)^(-(df + 1) / 2) / (scale sqrt(df) B(1/2, df/2))",
        loc_scale=LocScale(),
        truncatable=True,
        note="The degrees of freedom come first. There is no mean where df <= 1.",
    ),
    DistributionRow(
        "Cauchy",
        (LOC, SCALE),
        "the Cauchy distribution: tails so heavy that it has no mean",
        "1 / (pi scale (1 + ((x - loc) / scale)^2))",
        loc_scale=LocScale(),
        truncatable=True,
        mean_known=False,
    ),
    DistributionRow(
        "Laplace",
        (LOC, SCALE),
        "the double exponential distribution",
        "exp(-|x - loc| / scale) / (2 scale)",
        loc_scale=LocScale(),
        truncatable=True,
    ),
    DistributionRow(
        "AsymmetricLaplace",
        (LOC, SCALE, _ASYMMETRY),
        "a Laplace distribution with a scale of its own on either side",
        "exp(-|x - loc| / s) / (left + right), where left = scale asymmetry, "
        "right = scale / asymmetry, and s is the one of x's side",
        loc_scale=LocScale(),
        truncatable=True,
    ),
    DistributionRow(
        "SoftLaplace",
        (LOC, SCALE),
        "a smooth distribution with Laplace-like tails (log-concave, the hyperbolic secant)",
        "1 / (pi scale cosh((x - loc) / scale))",
        loc_scale=LocScale(),
        truncatable=True,
    ),
    DistributionRow(
        "Logistic",
        (LOC, SCALE),
        "the logistic distribution",
        "exp(-z) / (scale (1 + exp(-z))^2), where z = (x - loc) / scale",
        loc_scale=LocScale(),
        truncatable=True,
    ),
    DistributionRow(
        "SkewLogistic",
        (LOC, SCALE, Parameter("asymmetry", "positive", default=1)),
        "a logistic distribution with a skew",
        "asymmetry exp(-z) / (scale (1 + exp(-z))^(asymmetry + 1)), where z = (x - loc) / scale",
        loc_scale=LocScale(),
        truncatable=True,
        mean_known=False,
    ),
    DistributionRow(
        "SkewNormal",
        (LOC, SCALE, Parameter("skew")),
        "a normal distribution with a skew, to the right where skew is positive",
        "2 phi(z) Phi(skew z) / scale, where z = (x - loc) / scale, phi and Phi are the standard "
        "normal density and distribution function",
        loc_scale=LocScale(),
        ours=True,
    ),
    DistributionRow(
        "Gumbel",
        (LOC, SCALE),
        "the distribution of a maximum (type I extreme value)",
        "exp(-(z + exp(-z))) / scale, where z = (x - loc) / scale",
        loc_scale=LocScale(),
        truncatable=True,
    ),
    DistributionRow(
        "StableWithLogProb",
        (
            Parameter("stability", "stability"),
            Parameter("skew", "signed_unit_interval"),
            Parameter("scale", "positive", default=1),
            Parameter("loc", default=0),
        ),
        "Levy's stable distributions: normal at stability 2, Cauchy at 1 (without skew)",
        "by numerical integration (Nolan's parametrisation S0)",
        note="Its density is costly. There is no mean where stability <= 1.",
    ),
    DistributionRow(
        "VonMises",
        (LOC, Parameter("concentration", "positive")),
        "a distribution of an angle in radians, normal-like around the circle",
        "exp(concentration cos(x - loc)) / (2 pi I0(concentration))",
        ours=True,
        note="Draws lie in [-pi, pi), data may be any angles. A latent is a point of the circle; "
        "draws of its posterior are reported in the turn around their circular mean. Where a model "
        "does more with it than take its sine or cosine, add to it, or have other angles drawn "
        "around it, it lies in [-pi, pi].",
    ),
)
