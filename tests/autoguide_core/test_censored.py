"""Censored values and cut counts against scipy, and tails by integration against scipy's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import scipy.stats
import torch

from autoguide_core.distributions import Bounded, Censored, Truncated, TruncatedCounts
from autoguide_core.distributions.tails import tails


@pytest.fixture(autouse=True)
def _float64_and_seed() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    pyro.set_rng_seed(0)
    yield
    torch.set_default_dtype(before)


def n(*values: float) -> torch.Tensor:
    return torch.tensor(values[0] if len(values) == 1 else list(values))


def like(found: torch.Tensor, expected: Any) -> None:
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-7)


REALS = {
    "Gamma": (lambda: dist.Gamma(n(2.3), n(0.7)), scipy.stats.gamma(2.3, scale=1 / 0.7)),
    "Beta": (lambda: dist.Beta(n(2.0), n(3.5)), scipy.stats.beta(2, 3.5)),
    "StudentT": (lambda: dist.StudentT(n(4.0), n(0.3), n(1.2)), scipy.stats.t(4, 0.3, 1.2)),
    "F": (lambda: dist.FisherSnedecor(n(4.0), n(6.0)), scipy.stats.f(4, 6)),
    "InverseGamma": (lambda: dist.InverseGamma(n(3.0), n(2.0)), scipy.stats.invgamma(3, scale=2)),
    "Chi2": (lambda: dist.Chi2(n(3.0)), scipy.stats.chi2(3)),
    "Weibull": (
        lambda: dist.Weibull(n(1.2), n(1.7)),
        scipy.stats.weibull_min(1.7, scale=1.2),
    ),
    "LogNormal": (
        lambda: dist.LogNormal(n(0.2), n(0.7)),
        scipy.stats.lognorm(0.7, scale=math.exp(0.2)),
    ),
}

COUNTS = {
    "Poisson": (lambda: dist.Poisson(n(2.3)), scipy.stats.poisson(2.3)),
    "NegativeBinomial": (
        lambda: dist.NegativeBinomial(n(2.3), logits=n(0.4)),
        scipy.stats.nbinom(2.3, 1 / (1 + math.exp(0.4))),
    ),
    "GammaPoisson": (lambda: dist.GammaPoisson(n(2.0), n(0.5)), scipy.stats.nbinom(2, 1 / 3)),
    "Geometric": (lambda: dist.Geometric(n(0.3)), scipy.stats.geom(0.3, loc=-1)),
    "Binomial": (lambda: dist.Binomial(7, n(0.3)), scipy.stats.binom(7, 0.3)),
}


@pytest.mark.parametrize("name", REALS)
def test_what_a_censored_value_counts(name: str) -> None:
    make, known = REALS[name]
    x = n(0.2, 0.5, 0.8, 0.3)
    flag = n(1, 0, 0, 1)
    density = known.logpdf(x)
    survival = np.where(flag == 1, known.logsf(x), density)
    like(Censored(make(), right=flag).log_prob(x), survival)
    below = np.where(flag == 1, known.logcdf(x), density)
    like(Censored(make(), left=flag).log_prob(x), below)
    limited = [known.logcdf(0.25), density[1], known.logsf(0.7), density[3]]
    like(Censored(make(), lower=0.25, upper=0.7).log_prob(x), limited)
    between = [math.log(known.cdf(b) - known.cdf(a)) for a, b in ((0.2, 0.3), (0.8, 0.9))]
    found = Censored(make(), until=n(0.3, 0.5, 0.9, 0.3)).log_prob(x)
    like(found, [between[0], density[1], between[1], density[3]])


@pytest.mark.parametrize("name", COUNTS)
def test_counts_at_limits(name: str) -> None:
    make, known = COUNTS[name]
    k = n(0.0, 1.0, 4.0, 7.0)
    mass = known.logpmf(k)
    ceiling = np.log(known.sf(3))
    like(Censored(make(), upper=4).log_prob(k), [mass[0], mass[1], ceiling, ceiling])
    floor = known.logcdf(1)
    like(Censored(make(), lower=1).log_prob(k), [floor, floor, mass[2], mass[3]])
    some = math.log(known.cdf(3) - known.cdf(1))
    found = Censored(make(), until=n(0.0, 3.0, 4.0, 7.0)).log_prob(k)
    like(found, [mass[0], some, mass[2], mass[3]])


@pytest.mark.parametrize("name", COUNTS)
def test_cut_counts(name: str) -> None:
    make, known = COUNTS[name]
    k = n(1.0, 3.0, 5.0)
    positive = TruncatedCounts(make(), 1)
    like(positive.log_prob(k), known.logpmf(k) - math.log(1 - known.cdf(0)))
    cut = TruncatedCounts(make(), 1, 5)
    like(cut.log_prob(k), known.logpmf(k) - math.log(known.cdf(5) - known.cdf(0)))
    assert cut.log_prob(n(6.0)) == -math.inf
    like(cut.log_prob(cut.enumerate_support()).exp().sum(), 1.0)
    draws = TruncatedCounts(make(), 3).sample((4000,))
    assert draws.min() == 3
    mean = known.expect(lambda x: x * (x >= 3)) / (1 - known.cdf(2))
    assert draws.mean().item() == pytest.approx(mean, abs=5 * draws.std().item() / 4000**0.5)


def test_draws_where_almost_nothing_is_left() -> None:
    draws = TruncatedCounts(dist.Poisson(n(1.0)), 12, 14).sample((200,))
    assert draws.min() == 12
    assert draws.max() <= 14
    assert Truncated(dist.Gamma(n(1.0), n(1.0)), 40.0).sample((5,)).min() > 40


def test_gradients_with_respect_to_the_shape() -> None:
    shape = n(2.3).requires_grad_()
    found = Censored(dist.Gamma(shape, n(1.0)), right=n(1.0)).log_prob(n(5.0))
    (slope,) = torch.autograd.grad(found, shape)
    step = 1e-6
    beside = [scipy.stats.gamma.logsf(5, 2.3 + side * step) for side in (1, -1)]
    assert slope.item() == pytest.approx((beside[0] - beside[1]) / (2 * step), rel=1e-6)


def test_gradients_at_the_edge_of_the_support_are_finite() -> None:
    scale = n(1.2).requires_grad_()
    made = Censored(dist.Weibull(scale, n(1.7)), until=n(0.5, 0.8), right=n(0.0, 1.0))
    (slope,) = torch.autograd.grad(made.log_prob(n(0.0, 0.3)).sum(), scale)
    assert torch.isfinite(slope)


@pytest.mark.parametrize("shape", [0.05, 1.0, 40.0, 3000.0])
def test_tails_far_out(shape: float) -> None:
    known = scipy.stats.gamma(shape)
    for p in (1e-100, 1e-9, 0.1, 0.5):
        low, high = known.ppf(p), known.isf(p)
        found = tails(dist.Gamma(n(shape), n(1.0)))
        if low > 1e-200:
            assert found.log_cdf(n(low)).item() == pytest.approx(math.log(p), rel=1e-6)
            assert found.from_log_cdf(n(math.log(p))).item() == pytest.approx(low, rel=1e-6)
        assert found.log_sf(n(high)).item() == pytest.approx(math.log(p), rel=1e-6)


def test_bounded_counts_keep_their_probabilities() -> None:
    bounded = Bounded(dist.Poisson(n(2.0)).expand([3]), upper=9)
    values = bounded.enumerate_support()
    assert values.shape == (10, 3)
    like(bounded.log_prob(values[:, 0:1]), scipy.stats.poisson(2).logpmf(values))
