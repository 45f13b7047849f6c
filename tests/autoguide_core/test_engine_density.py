"""The unconstrained density and its traced derivatives, against independent arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable

import pyro
import pyro.distributions as dist
import pytest
import torch
from torch.distributions import biject_to, constraints

from autoguide_core.engine.curvature.density import LogDensity
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.curvature.mode import find_modes
from autoguide_core.engine.curvature.whitening import by_curvature

Y = torch.tensor([0.3, -1.2, 2.0])


def scaled() -> None:
    scale = pyro.sample("scale", dist.Gamma(2.0, 3.0))
    weights = pyro.sample("weights", dist.Dirichlet(torch.tensor([1.0, 2.0, 3.0])))
    with pyro.plate("data", 3):
        pyro.sample("y", dist.Normal(weights, scale), obs=Y)


def moving_support() -> None:
    top = pyro.sample("top", dist.LogNormal(0.0, 1.0))
    pyro.sample("x", dist.Uniform(0.0, top))


def enumerated() -> None:
    p = pyro.sample("p", dist.Beta(2.0, 2.0))
    with pyro.plate("data", 3):
        k = pyro.sample("k", dist.Bernoulli(p), infer={"enumerate": "parallel"})
        pyro.sample("y", dist.Normal(3.0 * k, 1.0), obs=Y)


def test_density_is_joint_plus_log_jacobian() -> None:
    density = LogDensity(scaled)
    assert {n: tuple(s) for n, s in density.layout.items()} == {"scale": (), "weights": (2,)}
    point = torch.tensor([0.4, -0.3, 0.8], dtype=torch.float64)
    simplex = biject_to(constraints.simplex)
    weights, scale = simplex(point[1:]), point[0].exp()
    expected = (
        dist.Gamma(2.0, 3.0).log_prob(scale)
        + dist.Dirichlet(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)).log_prob(weights)
        + dist.Normal(weights, scale).log_prob(Y.double()).sum()
        + point[0]
        + simplex.log_abs_det_jacobian(point[1:], weights)
    )
    value = density(point)
    assert value.dtype == torch.float64
    assert float(value) == pytest.approx(float(expected), abs=1e-6)


def test_support_that_depends_on_another_site() -> None:
    point = torch.tensor([1.1, 0.2], dtype=torch.float64)
    top = point[0].exp()
    x = top * point[1].sigmoid()
    expected = (
        dist.LogNormal(0.0, 1.0).log_prob(top) - top.log() + point[0] + (x * (1.0 - x / top)).log()
    )
    assert float(LogDensity(moving_support)(point)) == pytest.approx(float(expected), abs=1e-9)


def test_enumerated_sites_are_summed_out() -> None:
    p = torch.tensor(0.3, dtype=torch.float64)
    ones, zeros = dist.Normal(3.0, 1.0).log_prob(Y), dist.Normal(0.0, 1.0).log_prob(Y)
    likelihood = torch.logaddexp(ones + p.log(), zeros + (1.0 - p).log()).sum()
    expected = dist.Beta(2.0, 2.0).log_prob(p) + likelihood + (p * (1.0 - p)).log()
    density = LogDensity(enumerated)
    assert list(density.layout) == ["p"]
    value = density(torch.logit(p)[None])
    assert float(value) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("model", [scaled, moving_support, enumerated])
def test_traced_derivatives_are_those_of_the_model(model: Callable[[], None]) -> None:
    density = LogDensity(model)
    start = torch.zeros(density.dim, dtype=torch.float64)
    gradients = Gradients(density, start)
    assert gradients.note is None
    points = torch.linspace(-0.5, 0.7, 4, dtype=torch.float64)[:, None] + start
    values, slopes = gradients.value_and_grad(points)
    for point, value, slope in zip(points, values, slopes, strict=True):
        leaf = point.clone().requires_grad_()
        expected = density(leaf)
        assert value.item() == pytest.approx(expected.item(), abs=1e-9)
        assert torch.allclose(slope, torch.autograd.grad(expected, leaf)[0], atol=1e-8)
    steps = 1e-5 * torch.eye(density.dim, dtype=torch.float64)
    _, ahead = gradients.value_and_grad(points[1] + steps)
    _, behind = gradients.value_and_grad(points[1] - steps)
    assert torch.allclose(gradients.hessian(points[1]), (ahead - behind) / 2e-5, atol=1e-5)


def test_model_that_branches_on_values_is_not_traced() -> None:
    def branching() -> None:
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        slope = 1.0 if float(a.detach()) > 0.05 else 3.0
        pyro.factor("f", slope * a)

    gradients = Gradients(LogDensity(branching), torch.zeros(1, dtype=torch.float64))
    assert gradients.note is not None
    points = torch.tensor([[-0.5], [0.5]], dtype=torch.float64)
    _, slopes = gradients.value_and_grad(points)
    assert torch.allclose(slopes, torch.tensor([[3.5], [0.5]], dtype=torch.float64))
    hessian = gradients.hessian(points[1])
    assert float(hessian) == pytest.approx(-1.0, abs=1e-6)


def test_double_precision_reaches_data_the_model_has_closed_over() -> None:
    design = torch.tensor([[1.0, 1.0], [1.0, 1.0001]])

    def model() -> None:
        beta = pyro.sample("beta", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        pyro.factor("f", (design @ beta).sum())

    point = torch.tensor([1.0, 1e-9], dtype=torch.float64)
    zero = torch.tensor([1.0, 0.0], dtype=torch.float64)
    density = LogDensity(model)
    assert float(density(point) - density(zero)) == pytest.approx(2.0001e-9, rel=1e-3)


def test_mode_and_whitening_of_an_ill_scaled_normal() -> None:
    scale = torch.tensor([1e4, 1e-3], dtype=torch.float64)
    correlation = torch.tensor([[1.0, -0.998], [-0.998, 1.0]], dtype=torch.float64)
    covariance = torch.outer(scale, scale) * correlation
    mean = torch.tensor([-6e4, 0.02], dtype=torch.float64)
    normal = dist.MultivariateNormal(mean, covariance)
    start = torch.zeros(2, dtype=torch.float64)
    gradients = Gradients(normal.log_prob, start)
    mode = find_modes(gradients, [start], lambda *_: None)[0]
    assert mode is not None
    assert mode.fault is None
    assert torch.allclose((mode.point - mean) / scale, start, atol=1e-4)
    whitening = by_curvature(mode.point, mode.hessian)
    found = whitening.matrix @ whitening.matrix.T
    assert torch.allclose(found / covariance, torch.ones_like(found), rtol=1e-4)
    assert whitening.log_det == pytest.approx(0.5 * math.log(float(torch.det(covariance))))


def test_density_without_a_mode_is_recognised() -> None:
    gradients = Gradients(lambda z: z.sum(), torch.zeros(2, dtype=torch.float64))
    mode = find_modes(gradients, [torch.zeros(2, dtype=torch.float64)], lambda *_: None)[0]
    assert mode is not None
    assert mode.fault is not None


def test_ordered_outcomes_are_vectorised() -> None:
    def ordinal() -> None:
        cuts = pyro.sample("cuts", dist.LogNormal(0.0, 1.0).expand([2]).to_event(1)).cumsum(-1)
        with pyro.plate("data", 3):
            pyro.sample("y", dist.OrderedLogistic(Y, cuts), obs=torch.tensor([0, 1, 2]))

    gradients = Gradients(LogDensity(ordinal), torch.zeros(2, dtype=torch.float64))
    gradients.value_and_grad(torch.zeros(4, 2, dtype=torch.float64))
    assert gradients.note is None
