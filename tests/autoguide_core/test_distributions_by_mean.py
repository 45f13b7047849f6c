"""Distributions by their means, and the skew normal one, against scipy."""

from __future__ import annotations

import numpy as np
import scipy.stats
import torch

from autoguide_core.distributions import (
    BetaProportion,
    NegativeBinomial2,
    SkewNormal,
    Truncated,
    TruncatedCounts,
)


def number(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_negative_binomial_by_its_mean() -> None:
    made = NegativeBinomial2(number(0.3, 4.0, 90.0), 2.5)
    counts = number(0, 3, 120)
    known = scipy.stats.nbinom.logpmf(counts, 2.5, 2.5 / (2.5 + made.mean.numpy()))
    np.testing.assert_allclose(made.log_prob(counts), known, rtol=1e-10)
    np.testing.assert_allclose(made.mean, [0.3, 4, 90])
    np.testing.assert_allclose(made.variance, made.mean + made.mean**2 / 2.5)
    assert made.expand([2, 3]).sample().shape == (2, 3)
    cut = TruncatedCounts(made, lower=1)
    positive = made.log_prob(counts[1:2]) - torch.log1p(-made.log_prob(number(0)).exp())
    torch.testing.assert_close(cut.log_prob(counts[1:2]), positive)


def test_beta_by_its_mean() -> None:
    made = BetaProportion(number(0.1, 0.7), number(20.0))
    known = scipy.stats.beta.logpdf([0.2, 0.6], [2, 14], [18, 6])
    np.testing.assert_allclose(made.log_prob(number(0.2, 0.6)), known, rtol=1e-10)
    assert made.expand([4, 2]).mean.shape == (4, 2)
    assert torch.isfinite(Truncated(made, upper=0.9).log_prob(number(0.2, 0.6))).all()


def test_skew_normal() -> None:
    made = SkewNormal(0.4, 1.7, number(-3.0, 0.0, 8.0))
    at = number(-60.0, 0.1, 2.0)
    known = scipy.stats.skewnorm.logpdf(at, made.skew, 0.4, 1.7)
    np.testing.assert_allclose(made.log_prob(at), known, rtol=1e-9)
    np.testing.assert_allclose(made.mean, scipy.stats.skewnorm.mean(made.skew, 0.4, 1.7))
    torch.manual_seed(1)
    drawn = made.expand([3]).rsample((4000,))
    for column, skew in zip(drawn.T, made.skew, strict=True):
        found = scipy.stats.kstest(column, scipy.stats.skewnorm(skew, 0.4, 1.7).cdf)
        assert found.pvalue > 0.001
