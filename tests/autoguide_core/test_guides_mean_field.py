"""Analytic divergences: what `TraceMeanField_ELBO` sees of our guides."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from pyro.infer import autoguide as stock

from autoguide_core import AutoMultivariateNormal, AutoNormal


def priors_only():
    """Every divergence in it has a closed form."""
    pyro.sample("a", dist.Normal(1.0, 2.0))
    pyro.sample("b", dist.LogNormal(torch.zeros(3), 0.5).to_event(1))
    with pyro.plate("p", 4, dim=-1):
        pyro.sample("c", dist.Normal(0.0, 1.0))


def with_other_supports():
    """Some divergences have no closed form, and Jacobians matter."""
    p = pyro.sample("p", dist.Dirichlet(torch.ones(3)))
    u = pyro.sample("u", dist.Uniform(0.0, 5.0))
    g = pyro.sample("g", dist.Gamma(2.0, 1.0))
    x = pyro.sample("x", dist.Normal(0.0, 1.0))
    pyro.sample("y", dist.Normal(p[..., 0] + u + g + x, 1.0), obs=torch.tensor(2.0))


def test_divergences_with_a_closed_form_have_no_noise():
    guide = AutoNormal(priors_only, init_scale=0.3)
    guide()
    elbo = TraceMeanField_ELBO()
    losses = {round(elbo.loss(priors_only, guide), 4) for _ in range(5)}
    assert len(losses) == 1
    sampled = Trace_ELBO(num_particles=4_000, vectorize_particles=True, max_plate_nesting=1)
    assert losses.pop() == pytest.approx(sampled.loss(priors_only, guide), rel=0.02)


def test_their_gradients_are_those_of_the_exact_divergence():
    guide = AutoNormal(priors_only, init_scale=0.3)
    guide()
    TraceMeanField_ELBO().loss_and_grads(priors_only, guide)
    loc, scale = torch.tensor(0.0), torch.tensor(0.3)
    exact = (loc - 1.0) / 4, scale / 4 - 1 / scale
    assert guide.locs.a_unconstrained.grad == pytest.approx(float(exact[0]), rel=1e-4)
    slope = torch.sigmoid(guide.scales.a_unconstrained.detach())
    assert guide.scales.a_unconstrained.grad == pytest.approx(float(exact[1] * slope), rel=1e-4)


@pytest.mark.parametrize("family", [AutoNormal, AutoMultivariateNormal])
def test_jacobians_count(family):
    guide = family(with_other_supports, init_scale=0.3)
    guide()
    options = {"num_particles": 4_000, "vectorize_particles": True, "max_plate_nesting": 0}
    expected = Trace_ELBO(**options).loss(with_other_supports, guide)
    mean_field = TraceMeanField_ELBO(**options)
    assert mean_field.loss(with_other_supports, guide) == pytest.approx(expected, abs=0.1)
    pyro.clear_param_store()
    theirs = getattr(stock, family.__name__)(with_other_supports, init_scale=0.3)
    theirs()
    assert abs(mean_field.loss(with_other_supports, theirs) - expected) > 0.2
