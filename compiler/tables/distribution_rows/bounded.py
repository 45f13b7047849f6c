"""Distributions on an interval."""

from __future__ import annotations

from compiler.tables.distribution_row import DistributionRow, Parameter, Sum, SupportRule
from compiler.tables.distribution_rows.shared import LOGITS, PROBS

_UNIT = SupportRule(lower=0, upper=1)
_CONCENTRATIONS = (
    Parameter("concentration1", "positive"),
    Parameter("concentration0", "positive"),
)

ROWS = (
    DistributionRow(
        "Uniform",
        (Parameter("low"), Parameter("high")),
        "all values from low to high alike",
        "1 / (high - low)",
        support=SupportRule(lower=Sum(("low",)), upper=Sum(("high",))),
        in_order=("low", "high"),
        truncatable=True,
    ),
    DistributionRow(
        "Beta",
        _CONCENTRATIONS,
        "the beta distribution, of mean concentration1 / (concentration1 + concentration0)",
        "x^(concentration1 - 1) (1 - x)^(concentration0 - 1) / B(concentration1, concentration0)",
        support=_UNIT,
        truncatable=True,
    ),
    DistributionRow(
        "BetaProportion",
        (Parameter("mean", "unit_interval"), Parameter("precision", "positive")),
        "the beta distribution by its mean, for proportions in a regression",
        "Beta(mean precision, (1 - mean) precision)",
        support=_UNIT,
        truncatable=True,
        ours=True,
        note="The variance is mean (1 - mean) / (precision + 1).",
    ),
    DistributionRow(
        "Kumaraswamy",
        _CONCENTRATIONS,
        "much like the beta distribution, with a quantile function in closed form",
        "a b x^(a - 1) (1 - x^a)^(b - 1), where a = concentration1, b = concentration0",
        support=_UNIT,
        truncatable=True,
    ),
    DistributionRow(
        "ContinuousBernoulli",
        (PROBS, LOGITS),
        "a density on [0, 1] proportional to a Bernoulli mass, for grey values",
        "C(probs) probs^x (1 - probs)^(1 - x)",
        support=_UNIT,
        truncatable=True,
    ),
    DistributionRow(
        "RelaxedBernoulli",
        (Parameter("temperature", "positive", tensor=True), PROBS, LOGITS),
        "a differentiable stand-in for Bernoulli (Gumbel-softmax), sharper the colder",
        "t a x^(-t - 1) (1 - x)^(-t - 1) / (a x^(-t) + (1 - x)^(-t))^2, "
        "where t = temperature, a = exp(logits)",
        support=_UNIT,
        mean_known=False,
    ),
    DistributionRow(
        "AffineBeta",
        (*_CONCENTRATIONS, Parameter("loc"), Parameter("scale", "positive")),
        "a beta distribution stretched over [loc, loc + scale]",
        "Beta(concentration1, concentration0) at (x - loc) / scale, divided by scale",
        support=SupportRule(lower=Sum(("loc",)), upper=Sum(("loc", "scale"))),
    ),
)
