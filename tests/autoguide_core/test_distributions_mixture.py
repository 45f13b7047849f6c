"""Mixtures against sums of scipy's densities."""

from __future__ import annotations

import math

import numpy as np
import pyro.distributions as dist
import pytest
import scipy.stats as st
import torch

from autoguide_core.distributions import Mixture, Point

WEIGHTS = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)


def number(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_components_of_different_kinds_and_supports() -> None:
    made = Mixture(
        WEIGHTS,
        [
            dist.Normal(number(0.0), 1.0),
            dist.StudentT(3.0, 1.0, 2.0),
            dist.Exponential(number(0.7)),
        ],
    )
    at = np.array([-2.0, 0.5, 40.0])
    known = 0.2 * st.norm.pdf(at) + 0.3 * st.t.pdf(at, 3, 1, 2) + 0.5 * st.expon.pdf(at, 0, 1 / 0.7)
    np.testing.assert_allclose(made.log_prob(torch.as_tensor(at)), np.log(known), rtol=1e-7)
    assert made.support is dist.constraints.real
    assert made.expand([2, 4]).sample((5,)).shape == (5, 2, 4)


def test_components_along_a_dim_with_particles() -> None:
    mu = torch.randn(4, 1, 3, dtype=torch.float64)  # particles, plate, components
    weights = torch.softmax(torch.randn(4, 1, 3, dtype=torch.float64), -1)
    made = Mixture(weights, dist.Normal(mu, 0.5)).expand([4, 6])
    y = torch.randn(6, dtype=torch.float64)
    known = (weights * dist.Normal(mu, 0.5).log_prob(y[:, None]).exp()).sum(-1).log()
    torch.testing.assert_close(made.log_prob(y), known)
    assert made.sample().shape == (4, 6)


def test_excess_zeros_add_up_and_a_hurdle_does_not() -> None:
    p, rate = number(0.3).requires_grad_(), number(2.0).requires_grad_()
    weights = torch.stack([p, 1 - p], -1)
    counts = Mixture(weights, [Point(0.0), dist.Poisson(rate)])
    known = np.log([0.3 + 0.7 * math.exp(-2), 0.7 * st.poisson.pmf(3, 2)])
    found = counts.log_prob(number(0, 3))
    np.testing.assert_allclose(found.detach(), known, rtol=1e-10)
    amounts = Mixture(weights, [Point(0.0), dist.LogNormal(rate, 1.0)])
    known = [math.log(0.3), math.log(0.7) + st.lognorm.logpdf(1.5, 1, scale=math.exp(2))]
    at = amounts.log_prob(number(0, 1.5))
    np.testing.assert_allclose(at.detach(), known, rtol=1e-10)
    slopes = torch.autograd.grad(at.sum() + found.sum(), (p, rate))
    assert all(torch.isfinite(slope).all() for slope in slopes)
    assert amounts.support.check(number(0.0)).all()


def test_bounded_components_and_draws() -> None:
    torch.manual_seed(1)
    made = Mixture(WEIGHTS, dist.Uniform(number(0, 1, 5), number(1, 3, 6)))
    np.testing.assert_allclose(made.log_prob(number(0.5, 2, 5.5)).exp(), [0.2, 0.15, 0.5])
    assert made.support.lower_bound == 0
    assert made.support.upper_bound == 6
    drawn = made.sample((4000,))
    shares = [((drawn > low) & (drawn < high)).double().mean() for low, high in ((0, 1), (5, 6))]
    np.testing.assert_allclose(shares, [0.2, 0.5], atol=0.03)


def test_as_many_weights_as_components() -> None:
    with pytest.raises(ValueError, match="a weight for each component"):
        Mixture(WEIGHTS, [dist.Normal(0.0, 1.0), dist.Normal(1.0, 1.0)])
