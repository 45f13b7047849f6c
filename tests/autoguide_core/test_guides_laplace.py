"""The Laplace guide's curvature: on all data, beside other parts, and whatever the units."""

from __future__ import annotations

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import autoguide as stock

from autoguide_core import (
    AutoCallable,
    AutoDelta,
    AutoGuideList,
    AutoLaplaceApproximation,
    AutoNormal,
)
from autoguide_core.guides.hessian import covariance_of, hessian_of

SIZE = 40
DATA = torch.linspace(-1.0, 3.0, SIZE) ** 3


def place(guide, *point):
    guide()
    with torch.no_grad():
        guide.loc.copy_(torch.tensor(point))
    return guide


def robust(size=None):
    """Non-conjugate, so that the Hessian differs from one minibatch to the next."""
    mu = pyro.sample("mu", dist.Normal(0.0, 10.0))
    scale = pyro.sample("scale", dist.LogNormal(0.0, 1.0))
    with pyro.plate("data", SIZE, subsample_size=size) as index:
        pyro.sample("y", dist.StudentT(2.0, mu, scale), obs=DATA[index])


def test_the_hessian_is_that_of_all_data_whatever_the_minibatch():
    expected = place(stock.AutoLaplaceApproximation(robust), 0.4, 0.7).laplace_approximation()
    pyro.clear_param_store()
    guide = place(AutoLaplaceApproximation(lambda: robust(8)), 0.4, 0.7)
    for _ in range(2):
        normal = guide.laplace_approximation()
        torch.testing.assert_close(normal.scale, expected.scale, rtol=1e-4, atol=0)
        torch.testing.assert_close(normal.scale_tril, expected.scale_tril, rtol=1e-3, atol=1e-4)
    assert normal.sample_posterior(5)["mu"].shape == (5,)
    normal()
    pyro.clear_param_store()
    wrong = place(stock.AutoLaplaceApproximation(lambda: robust(8)), 0.4, 0.7)
    assert len({wrong.laplace_approximation().scale[0].item() for _ in range(3)}) == 3


def test_indices_that_are_given_stay_and_are_warned_of():
    def given(index):
        mu = pyro.sample("mu", dist.Normal(0.0, 10.0))
        with pyro.plate("data", SIZE, subsample=index):
            pyro.sample("y", dist.Normal(mu, 1.0), obs=DATA[index])

    guide = AutoLaplaceApproximation(given)
    guide(torch.arange(3))
    with pytest.warns(UserWarning, match=r"'data' was given 3 of its 40"):
        guide.laplace_approximation(torch.arange(3))
    normal = guide.laplace_approximation(torch.arange(SIZE))
    assert normal.scale.item() == pytest.approx((SIZE + 0.01) ** -0.5, rel=1e-5)


def grouped(size=None):
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("data", SIZE, subsample_size=size) as index:
        z = pyro.sample("z", dist.Normal(mu, 0.5))
        pyro.sample("y", dist.StudentT(3.0, z, 1.0), obs=DATA[index])


@pytest.mark.parametrize("local", [AutoNormal, AutoDelta])
def test_in_a_list_the_other_parts_stand_at_their_medians(local):
    guide = AutoGuideList(lambda: grouped(8))
    guide.append(AutoLaplaceApproximation(poutine.block(lambda: grouped(8), expose=["mu"])))
    guide.append(local(poutine.block(lambda: grouped(8), expose=["z"])))
    guide()
    normal = guide[0].laplace_approximation()
    assert normal.scale.item() == pytest.approx((1 + SIZE / 0.25) ** -0.5, rel=1e-5)
    assert guide()["z"].shape == (8,)


def test_a_callable_part_without_a_median_is_told():
    def local():
        with pyro.plate("data", SIZE):
            return {"z": pyro.sample("z", dist.Normal(torch.zeros(()), 0.1))}

    guide = AutoGuideList(grouped)
    guide.append(AutoLaplaceApproximation(poutine.block(grouped, expose=["mu"])))
    guide.append(local)
    guide()
    with pytest.raises(ValueError, match=r"'z'.*give its AutoCallable a median"):
        guide[0].laplace_approximation()
    pyro.clear_param_store()
    guide = AutoGuideList(grouped)
    guide.append(AutoLaplaceApproximation(poutine.block(grouped, expose=["mu"])))
    guide.append(AutoCallable(grouped, local, lambda: {"z": DATA}))
    guide()
    assert guide[0].laplace_approximation().scale.item() == pytest.approx(161**-0.5, rel=1e-5)


def mixture():
    mu = pyro.sample("mu", dist.Normal(torch.zeros(2), 3.0).to_event(1))
    with pyro.plate("data", SIZE):
        z = pyro.sample("z", dist.Bernoulli(0.3), infer={"enumerate": "parallel"})
        loc = torch.where(z > 0, mu[..., 1], mu[..., 0])
        pyro.sample("y", dist.Normal(loc, 2.0), obs=DATA)


def test_enumerated_sites_are_summed_out():
    guide = AutoGuideList(mixture)
    guide.append(AutoLaplaceApproximation(poutine.block(mixture, hide=["z"])))
    guide()
    point = torch.tensor([0.5, 12.0])
    with torch.no_grad():
        guide[0].loc.copy_(point)
    normal = guide[0].laplace_approximation()

    def minus_log_joint(mu):
        parts = dist.Normal(mu, 2.0).log_prob(DATA[:, None]) + torch.tensor([0.7, 0.3]).log()
        return -dist.Normal(0.0, 3.0).log_prob(mu).sum() - parts.logsumexp(-1).sum()

    hessian = torch.autograd.functional.hessian(minus_log_joint, point)
    tril = normal.scale[:, None] * normal.scale_tril
    torch.testing.assert_close(tril @ tril.T, hessian.inverse(), rtol=1e-3, atol=1e-5)


def test_a_hidden_site_that_is_drawn_at_random_is_warned_of():
    guide = AutoLaplaceApproximation(poutine.block(mixture, hide=["z"]))
    guide()
    with pytest.warns(UserWarning, match="hidden from the guide.*AutoGuideList"):
        guide.laplace_approximation()


def test_units_do_not_matter_and_a_bad_direction_leaves_the_others_alone():
    def model(bend=0.0):
        fine = pyro.sample("fine", dist.Normal(0.0, 1e-6))
        wide = pyro.sample("wide", dist.Normal(0.0, 1e3))
        x = pyro.sample("x", dist.Normal(0.0, 1.0))
        pyro.factor("bend", bend * x**2 - 0.5 * (1e3 * fine + 1e-6 * wide) ** 2)

    guide = place(AutoLaplaceApproximation(model), 0.0, 0.0, 0.0)
    assert guide.laplace_approximation().scale.tolist() == pytest.approx([1e-6, 1e3, 1.0], rel=1e-3)
    with pytest.warns(UserWarning, match=r"1 of 3 were raised.*'x'"):
        normal = guide.laplace_approximation(5.0)
    assert normal.scale.tolist() == pytest.approx([1e-6, 1e3, 1e3 / 3], rel=1e-3)


def test_float64_and_transformed_supports():
    def model():
        scale = pyro.sample("scale", dist.HalfNormal(torch.tensor(2.0, dtype=torch.float64)))
        p = pyro.sample("p", dist.Dirichlet(torch.ones(3, dtype=torch.float64)))
        pyro.sample("y", dist.Normal(p[..., 0], scale), obs=torch.tensor(0.3, dtype=torch.float64))

    results = []
    for module in (stock.AutoLaplaceApproximation, AutoLaplaceApproximation):
        pyro.clear_param_store()
        guide = module(model)
        guide()
        with torch.no_grad():
            guide.loc.copy_(torch.tensor([-0.5, 0.3, -0.2]))
        normal = guide.laplace_approximation()
        results.append(normal.scale[:, None] * normal.scale_tril)
    assert results[1].dtype == torch.float64
    torch.testing.assert_close(results[1], results[0])


class _Cube(torch.autograd.Function):
    """An operation that cannot be vectorised over a batch of gradients."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        assert math.isfinite(float(grad.sum()))  # .item() is refused under vmap
        return grad * 3 * x**2


@pytest.mark.parametrize("cube", [lambda x: x**3, _Cube.apply])
def test_hessians_in_batches_and_in_rows(cube):
    matrix = torch.randn(70, 70)
    x = torch.randn(70, requires_grad=True)
    hessian = hessian_of(cube(matrix @ x).sum(), x)
    expected = matrix.T @ torch.diag(6 * (matrix @ x.detach())) @ matrix
    torch.testing.assert_close(hessian, expected, rtol=1e-4, atol=1e-2)


def test_a_linear_loss_has_no_curvature_and_a_precision_is_inverted():
    x = torch.ones(3, requires_grad=True)
    assert torch.equal(hessian_of(x.sum(), x), torch.zeros(3, 3))
    assert torch.equal(hessian_of(torch.ones((), requires_grad=True) * 2, x), torch.zeros(3, 3))
    root = torch.randn(5, 5)
    precision = root @ root.T + 0.1 * torch.eye(5)
    tril = covariance_of(precision).tril
    torch.testing.assert_close(tril, tril.tril())
    torch.testing.assert_close(tril @ tril.T @ precision, torch.eye(5), rtol=0, atol=1e-3)
