"""Distributions of whole numbers, of classes and of counts."""

from __future__ import annotations

from compiler.tables.distribution_row import DistributionRow, Parameter, Sum, SupportRule
from compiler.tables.distribution_rows.shared import (
    CLASS_LOGITS,
    CLASS_PROBS,
    CONCENTRATION,
    LOGITS,
    PROBS,
    RATE,
    TRIALS,
)

_COUNT = SupportRule("integer", lower=0)
_OUT_OF_TRIALS = SupportRule("integer", lower=0, upper=Sum(("total_count",)))
_CONCENTRATIONS = (
    Parameter("concentration1", "positive"),
    Parameter("concentration0", "positive"),
)
_FAILURES = Parameter("total_count", "nonnegative")
_NEGATIVE_BINOMIAL_PROBS = Parameter("probs", "half_open_unit_interval", group="chance")
_GATES = (
    Parameter("gate", "unit_interval", group="gate", keyword_only=True, tensor=True),
    Parameter("gate_logits", group="gate", keyword_only=True, tensor=True),
)

ROWS = (
    DistributionRow(
        "Bernoulli",
        (PROBS, LOGITS),
        "one trial: 1 with the chance probs, else 0",
        "probs^x (1 - probs)^(1 - x)",
        support=SupportRule("boolean", lower=0, upper=1),
        categories=Sum(plus=2),
    ),
    DistributionRow(
        "Binomial",
        (TRIALS, PROBS, LOGITS),
        "successes out of total_count trials",
        "choose(total_count, x) probs^x (1 - probs)^(total_count - x)",
        support=_OUT_OF_TRIALS,
        truncatable=True,
        categories=Sum(("total_count",), plus=1),
        note="Pyro enumerates it only where total_count is the same everywhere.",
    ),
    DistributionRow(
        "BetaBinomial",
        (*_CONCENTRATIONS, TRIALS),
        "successes out of total_count trials whose chance is a beta variable",
        "choose(total_count, x) B(x + concentration1, total_count - x + concentration0) "
        "/ B(concentration1, concentration0)",
        support=_OUT_OF_TRIALS,
        categories=Sum(("total_count",), plus=1),
        note="Pyro enumerates it only where total_count is the same everywhere.",
    ),
    DistributionRow(
        "Poisson",
        (Parameter("rate", "nonnegative"),),
        "counts of mean rate",
        "rate^x exp(-rate) / x!",
        support=_COUNT,
        truncatable=True,
    ),
    DistributionRow(
        "GammaPoisson",
        (CONCENTRATION, RATE),
        "counts whose rate is a gamma variable (a negative binomial)",
        "choose(x + concentration - 1, x) (rate / (1 + rate))^concentration (1 + rate)^(-x)",
        support=_COUNT,
        truncatable=True,
    ),
    DistributionRow(
        "NegativeBinomial",
        (_FAILURES, _NEGATIVE_BINOMIAL_PROBS, LOGITS),
        "successes of chance probs before total_count failures",
        "choose(x + total_count - 1, x) (1 - probs)^total_count probs^x",
        support=_COUNT,
        truncatable=True,
        note="Its mean is total_count probs / (1 - probs): for a mean mu and a dispersion phi, "
        "write NegativeBinomial2(mu, phi).",
    ),
    DistributionRow(
        "NegativeBinomial2",
        (Parameter("mean", "nonnegative"), Parameter("dispersion", "positive")),
        "overdispersed counts by their mean: the negative binomial of regressions",
        "choose(x + d - 1, x) (mean / (mean + d))^x (d / (mean + d))^d, where d = dispersion",
        support=_COUNT,
        truncatable=True,
        ours=True,
        note="The variance is mean + mean^2 / dispersion.",
    ),
    DistributionRow(
        "LogNormalNegativeBinomial",
        (
            _FAILURES,
            Parameter("logits"),
            Parameter("multiplicative_noise_scale", "positive"),
        ),
        "a negative binomial whose logits have normal noise",
        "the mean of NegativeBinomial(total_count, logits = logits + e) "
        "over e ~ Normal(0, multiplicative_noise_scale), by quadrature",
        support=_COUNT,
        drawable=False,
        note="Pyro can tell its density but not draw from it: use it for data.",
    ),
    DistributionRow(
        "Geometric",
        (PROBS, LOGITS),
        "failures before the first success",
        "(1 - probs)^x probs",
        support=_COUNT,
        truncatable=True,
    ),
    DistributionRow(
        "ZeroInflatedPoisson",
        (RATE, *_GATES),
        "zero with the chance gate, else a Poisson count",
        "gate [x = 0] + (1 - gate) rate^x exp(-rate) / x!",
        support=_COUNT,
    ),
    DistributionRow(
        "ZeroInflatedNegativeBinomial",
        (
            _FAILURES,
            Parameter("probs", "half_open_unit_interval", group="chance", keyword_only=True),
            Parameter("logits", group="chance", keyword_only=True),
            *_GATES,
        ),
        "zero with the chance gate, else a negative binomial count",
        "gate [x = 0] + (1 - gate) choose(x + total_count - 1, x) (1 - probs)^total_count probs^x",
        support=_COUNT,
    ),
    DistributionRow(
        "ExtendedBinomial",
        (Parameter("total_count", "integer", default=1), PROBS, LOGITS),
        "Binomial with a density (of zero) for impossible counts and negative total_count too",
        "choose(total_count, x) probs^x (1 - probs)^(total_count - x)",
        support=SupportRule("integer"),
        categories=Sum(("total_count",), plus=1),
    ),
    DistributionRow(
        "ExtendedBetaBinomial",
        (*_CONCENTRATIONS, Parameter("total_count", "integer", default=1)),
        "BetaBinomial with a density (of zero) for impossible counts and negative total_count too",
        "choose(total_count, x) B(x + concentration1, total_count - x + concentration0) "
        "/ B(concentration1, concentration0)",
        support=SupportRule("integer"),
        categories=Sum(("total_count",), plus=1),
    ),
    DistributionRow(
        "Categorical",
        (CLASS_PROBS, CLASS_LOGITS),
        "one of n classes, by its number from 0",
        "probs[x]",
        support=SupportRule("integer", lower=0, upper=Sum(("n",), plus=-1)),
        categories=Sum(("n",)),
        index_of="n",
        mean_known=False,
    ),
    DistributionRow(
        "OneHotCategorical",
        (CLASS_PROBS, CLASS_LOGITS),
        "one of n classes, by a vector of zeros with a single 1",
        "the sum over i of x[i] probs[i]",
        support=SupportRule("one_hot"),
        event_axes=("n",),
        categories=Sum(("n",)),
    ),
    DistributionRow(
        "OrderedLogistic",
        (Parameter("predictor", tensor=True), Parameter("cutpoints", "ordered", ("cuts",))),
        "one of ordered classes: where a logistic variable falls between the cutpoints",
        "sigmoid(cutpoints[x] - predictor) - sigmoid(cutpoints[x - 1] - predictor)",
        support=SupportRule("integer", lower=0, upper=Sum(("cuts",))),
        categories=Sum(("cuts",), plus=1),
        mean_known=False,
        note="There is one class more than there are cutpoints. Data that count from 1 are an "
        "index: `dim grade = 5`, `y[obs] : index(grade, base = 1)`.",
    ),
    DistributionRow(
        "OrderedProbit",
        (Parameter("predictor", tensor=True), Parameter("cutpoints", "ordered", ("cuts",))),
        "one of ordered classes: where a normal variable falls between the cutpoints",
        "Phi(cutpoints[x] - predictor) - Phi(cutpoints[x - 1] - predictor)",
        support=SupportRule("integer", lower=0, upper=Sum(("cuts",))),
        categories=Sum(("cuts",), plus=1),
        mean_known=False,
        ours=True,
        note="There is one class more than there are cutpoints.",
    ),
    DistributionRow(
        "DiscreteUniform",
        (Parameter("low", "integer"), Parameter("high", "integer")),
        "all whole numbers from low to high alike, both included",
        "1 / (high - low + 1)",
        support=SupportRule("integer", lower=Sum(("low",)), upper=Sum(("high",))),
        categories=Sum(("high",), plus=1),
        in_order=("low", "high"),
        ours=True,
        note="low and high are numbers known before the fit: literals, sizes of dims, or data.",
    ),
    DistributionRow(
        "Multinomial",
        (Parameter("total_count", "size", default=1), CLASS_PROBS, CLASS_LOGITS),
        "how many of total_count trials fall in each class",
        "total_count! times the product over i of probs[i]^x[i] / x[i]!",
        support=SupportRule("integer", lower=0, upper=Sum(("total_count",))),
        event_axes=("n",),
        note="Pyro wants the same total_count for all; DirichletMultinomial takes one for each.",
    ),
    DistributionRow(
        "DirichletMultinomial",
        (Parameter("concentration", "positive", ("n",)), TRIALS),
        "multinomial counts whose probabilities are a Dirichlet variable",
        "total_count B(sum(concentration), total_count) / "
        "the product over i with x[i] > 0 of x[i] B(concentration[i], x[i])",
        support=SupportRule("integer", lower=0, upper=Sum(("total_count",))),
        event_axes=("n",),
        note="Pyro's own Predictive draws from it only where total_count is the same everywhere.",
    ),
)
