"""Distributions on the positive half of the real line, or from a bound on."""

from __future__ import annotations

from compiler.tables.distribution_row import DistributionRow, Parameter, Sum, SupportRule
from compiler.tables.distribution_rows.shared import CONCENTRATION, DF, LOC, RATE, SCALE

_FROM_ZERO = SupportRule(lower=0)
_ABOVE_ZERO = SupportRule(lower=0, lower_strict=True)

ROWS = (
    DistributionRow(
        "HalfNormal",
        (SCALE,),
        "a normal distribution folded at zero",
        "exp(-(x / scale)^2 / 2) sqrt(2 / pi) / scale",
        support=_FROM_ZERO,
        truncatable=True,
    ),
    DistributionRow(
        "HalfCauchy",
        (SCALE,),
        "a Cauchy distribution folded at zero",
        "2 / (pi scale (1 + (x / scale)^2))",
        support=_FROM_ZERO,
        truncatable=True,
        mean_known=False,
    ),
    DistributionRow(
        "LogNormal",
        (LOC, SCALE),
        "the exponential of a normal variable; loc and scale are those of log(x)",
        "exp(-((log(x) - loc) / scale)^2 / 2) / (x scale sqrt(2 pi))",
        support=_ABOVE_ZERO,
        truncatable=True,
    ),
    DistributionRow(
        "Exponential",
        (RATE,),
        "the exponential distribution, of mean 1 / rate",
        "rate exp(-rate x)",
        support=_FROM_ZERO,
        truncatable=True,
    ),
    DistributionRow(
        "Gamma",
        (CONCENTRATION, RATE),
        "the gamma distribution, of mean concentration / rate",
        "rate^concentration x^(concentration - 1) exp(-rate x) / Gamma(concentration)",
        support=_FROM_ZERO,
        truncatable=True,
    ),
    DistributionRow(
        "InverseGamma",
        (CONCENTRATION, RATE),
        "the reciprocal of a gamma variable",
        "rate^concentration x^(-concentration - 1) exp(-rate / x) / Gamma(concentration)",
        support=_ABOVE_ZERO,
        truncatable=True,
        note="There is no mean where concentration <= 1.",
    ),
    DistributionRow(
        "Chi2",
        (DF,),
        "the sum of df squared standard normal variables",
        "x^(df/2 - 1) exp(-x/2) / (2^(df/2) Gamma(df/2))",
        support=_FROM_ZERO,
        truncatable=True,
    ),
    DistributionRow(
        "FisherSnedecor",
        (Parameter("df1", "positive"), Parameter("df2", "positive")),
        "the F distribution: the ratio of two mean squares",
        "(df1/df2)^(df1/2) x^(df1/2 - 1) (1 + x df1/df2)^(-(df1 + df2)/2) / B(df1/2, df2/2)",
        support=_ABOVE_ZERO,
        truncatable=True,
        note="There is no mean where df2 <= 2.",
    ),
    DistributionRow(
        "Weibull",
        (SCALE, CONCENTRATION),
        "the Weibull distribution of life times",
        "(k/scale) (x/scale)^(k - 1) exp(-(x/scale)^k), where k = concentration",
        support=_ABOVE_ZERO,
        truncatable=True,
        note="The scale comes first.",
    ),
    DistributionRow(
        "Pareto",
        (SCALE, Parameter("alpha", "positive")),
        "a power law above scale",
        "alpha scale^alpha / x^(alpha + 1)",
        support=SupportRule(lower=Sum(("scale",))),
        truncatable=True,
        note="The scale, which is the least value, comes first. There is no mean where alpha <= 1.",
    ),
)
