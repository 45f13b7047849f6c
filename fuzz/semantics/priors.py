"""Priors of latents and distributions of outcomes, with their densities by scipy."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import scipy.special as sp
import scipy.stats as st

from fuzz.semantics.expressions import Expression, Values

Prior = tuple[str, Callable[[Any, Any, Any], Any]]
"""The text, and the log density at a value, from location and scale."""

PRIORS: tuple[Prior, ...] = (
    ("Normal({loc}, {scale})", lambda v, a, b: st.norm.logpdf(v, a, b)),
    ("Normal({loc}, {scale})", lambda v, a, b: st.norm.logpdf(v, a, b)),
    ("Laplace({loc}, {scale})", lambda v, a, b: st.laplace.logpdf(v, a, b)),
    ("StudentT(4, {loc}, {scale})", lambda v, a, b: st.t.logpdf(v, 4, a, b)),
    ("Cauchy({loc}, {scale})", lambda v, a, b: st.cauchy.logpdf(v, a, b)),
    ("Logistic({loc}, {scale})", lambda v, a, b: st.logistic.logpdf(v, a, b)),
    ("HalfNormal({scale})", lambda v, a, b: st.halfnorm.logpdf(v, scale=b)),
    ("HalfCauchy({scale})", lambda v, a, b: st.halfcauchy.logpdf(v, scale=b)),
    ("Exponential({scale})", lambda v, a, b: st.expon.logpdf(v, scale=1 / b)),
    ("Gamma(2, rate = {scale})", lambda v, a, b: st.gamma.logpdf(v, 2, scale=1 / b)),
    ("LogNormal({loc}, {scale})", lambda v, a, b: st.norm.logpdf(np.log(v), a, b) - np.log(v)),
    ("InverseGamma(3, {scale})", lambda v, a, b: st.invgamma.logpdf(v, 3, scale=b)),
    ("Weibull({scale}, 1.5)", lambda v, a, b: st.weibull_min.logpdf(v, 1.5, scale=b)),
    ("Beta(2, {scale})", lambda v, a, b: st.beta.logpdf(v, 2, b)),
    ("Uniform(-1, 3)", lambda v, a, b: st.uniform.logpdf(v, -1, 4)),
    (
        "Normal({loc}, {scale}) truncated(lower = 0)",
        lambda v, a, b: st.norm.logpdf(v, a, b) - st.norm.logsf(0, a, b),
    ),
)

Outcome = tuple[str, str, Callable[[Any, int], Any], Callable[[Any, Any, Any], Any]]
"""The declared type, the text (`{mean}` is positive), draws of some data, and the log density."""


def _reals(generator: Any, count: int) -> Any:
    return generator.normal(size=count)


def _positive(generator: Any, count: int) -> Any:
    return generator.gamma(2, 1, count)


def _counts(generator: Any, count: int) -> Any:
    return generator.poisson(1.5, count).astype(float)


def _censored(generator: Any, count: int) -> Any:
    return np.where(generator.random(count) < 0.4, 0.0, np.abs(generator.normal(size=count)))


def _mean(eta: Any) -> Any:
    return np.exp(np.tanh(eta))


OUTCOMES: tuple[Outcome, ...] = (
    ("real", "Normal({eta}, {scale})", _reals, lambda y, e, s: st.norm.logpdf(y, e, s)),
    ("real", "Normal({eta}, {scale})", _reals, lambda y, e, s: st.norm.logpdf(y, e, s)),
    ("real", "StudentT(3, {eta}, {scale})", _reals, lambda y, e, s: st.t.logpdf(y, 3, e, s)),
    ("real", "Laplace({eta}, {scale})", _reals, lambda y, e, s: st.laplace.logpdf(y, e, s)),
    ("int >= 0", "Poisson({mean})", _counts, lambda y, e, s: st.poisson.logpmf(y, _mean(e))),
    (
        "int in 0 .. 1",
        "Bernoulli(logits = {eta})",
        lambda g, n: g.integers(0, 2, n).astype(float),
        lambda y, e, s: y * e - np.logaddexp(0, e),
    ),
    (
        "int in 0 .. 5",
        "Binomial(5, logits = {eta})",
        lambda g, n: g.integers(0, 6, n).astype(float),
        lambda y, e, s: np.log(sp.comb(5, y)) + y * e - 5 * np.logaddexp(0, e),
    ),
    (
        "int >= 0",
        "NegativeBinomial2({mean}, {scale})",
        _counts,
        lambda y, e, s: st.nbinom.logpmf(y, s, s / (s + _mean(e))),
    ),
    (
        "int >= 0",
        "ZeroInflatedPoisson({mean}, gate = 0.3)",
        _counts,
        lambda y, e, s: np.where(
            y == 0,
            np.log(0.3 + 0.7 * np.exp(-_mean(e))),
            np.log(0.7) + st.poisson.logpmf(y, _mean(e)),
        ),
    ),
    (
        "real > 0",
        "Gamma({mean}, rate = {scale})",
        _positive,
        lambda y, e, s: st.gamma.logpdf(y, _mean(e), scale=1 / s),
    ),
    (
        "real > 0",
        "Weibull({mean}, {scale})",
        _positive,
        lambda y, e, s: st.weibull_min.logpdf(y, s, scale=_mean(e)),
    ),
    (
        "real > 0",
        "LogNormal({eta}, {scale})",
        _positive,
        lambda y, e, s: st.norm.logpdf(np.log(y), e, s) - np.log(y),
    ),
    (
        "real > 0",
        "Exponential({mean})",
        _positive,
        lambda y, e, s: st.expon.logpdf(y, scale=1 / _mean(e)),
    ),
    (
        "real >= 0",
        "Normal({eta}, {scale}) censored(lower = 0)",
        _censored,
        lambda y, e, s: np.where(y <= 0, st.norm.logcdf(0, e, s), st.norm.logpdf(y, e, s)),
    ),
    (
        "real >= 0",
        "Normal({eta}, {scale}) truncated(lower = 0)",
        lambda g, n: np.abs(g.normal(size=n)),
        lambda y, e, s: st.norm.logpdf(y, e, s) - st.norm.logsf(0, e, s),
    ),
    (
        "real",
        "Mixture([0.3, 0.7], [Normal({eta}, {scale}), StudentT(3, 0, 10)])",
        _reals,
        lambda y, e, s: np.logaddexp(
            np.log(0.3) + st.norm.logpdf(y, e, s), np.log(0.7) + st.t.logpdf(y, 3, 0, 10)
        ),
    ),
)


def prior(
    loc: Expression, scale: Expression, random: Random
) -> tuple[str, Callable[[Values, Any], Any]]:
    """Return a prior's text, and its log density at a value."""
    text, density = random.choice(PRIORS)
    filled = text.format(loc=loc.text, scale=scale.text)
    return filled, lambda values, v: density(v, loc.value(values), scale.value(values))
