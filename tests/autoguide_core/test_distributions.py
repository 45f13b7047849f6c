"""The truncated, ordered and flat distributions, against quadrature, scipy and Pyro's guides."""

from __future__ import annotations

import doctest
import itertools
import math
from collections.abc import Iterator

import pyro
import pyro.distributions as dist
import pytest
import scipy.integrate
import scipy.stats
import torch
from pyro.infer import SVI, Trace_ELBO
from pyro.infer.autoguide import (
    AutoNormal,
    init_to_feasible,
    init_to_mean,
    init_to_median,
    init_to_sample,
    init_to_uniform,
)
from torch.distributions import biject_to

import autoguide_core.distributions
from autoguide_core.distributions import Flat, Ordered, PositiveOrdered, Truncated
from autoguide_core.distributions.tails import tails

INITS = [init_to_feasible, init_to_mean, init_to_median, init_to_sample, init_to_uniform]


@pytest.fixture(autouse=True)
def _float64_and_seed() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    pyro.set_rng_seed(0)
    pyro.clear_param_store()
    yield
    torch.set_default_dtype(before)


def number(value: float) -> torch.Tensor:
    return torch.tensor(value)


BASES = {
    "Normal": lambda: dist.Normal(0.3, 1.1),
    "Cauchy": lambda: dist.Cauchy(0.3, 1.1),
    "Laplace": lambda: dist.Laplace(0.3, 1.1),
    "Logistic": lambda: dist.Logistic(number(0.3), number(1.1)),
    "SoftLaplace": lambda: dist.SoftLaplace(number(0.3), number(1.1)),
    "SkewLogistic": lambda: dist.SkewLogistic(number(0.3), number(1.1), number(2.0)),
    "Gumbel": lambda: dist.Gumbel(0.3, 1.1),
    "HalfNormal": lambda: dist.HalfNormal(1.1),
    "HalfCauchy": lambda: dist.HalfCauchy(1.1),
    "LogNormal": lambda: dist.LogNormal(0.1, 0.7),
    "Exponential": lambda: dist.Exponential(0.8),
    "Weibull": lambda: dist.Weibull(1.2, 1.7),
    "Pareto": lambda: dist.Pareto(0.2, 2.0),
    "Uniform": lambda: dist.Uniform(-0.5, 1.9),
    "Kumaraswamy": lambda: dist.Kumaraswamy(number(2.0), number(3.0)),
    "Gamma": lambda: dist.Gamma(number(2.3), number(1.7)),
    "InverseGamma": lambda: dist.InverseGamma(number(3.0), number(2.0)),
    "Beta": lambda: dist.Beta(number(2.0), number(3.5)),
    "StudentT": lambda: dist.StudentT(number(4.0), number(0.3), number(1.2)),
    "AsymmetricLaplace": lambda: dist.AsymmetricLaplace(number(0.2), number(1.3), number(1.7)),
    "ContinuousBernoulli": lambda: dist.ContinuousBernoulli(0.3),
}
BOUNDS = [(0.4, None), (None, 0.8), (0.4, 0.8), (-1.0, 0.7)]

SCIPY = {
    "Normal": scipy.stats.norm(0.3, 1.1),
    "Cauchy": scipy.stats.cauchy(0.3, 1.1),
    "Laplace": scipy.stats.laplace(0.3, 1.1),
    "Logistic": scipy.stats.logistic(0.3, 1.1),
    "Gumbel": scipy.stats.gumbel_r(0.3, 1.1),
    "HalfNormal": scipy.stats.halfnorm(scale=1.1),
    "HalfCauchy": scipy.stats.halfcauchy(scale=1.1),
    "LogNormal": scipy.stats.lognorm(0.7, scale=math.exp(0.1)),
    "Exponential": scipy.stats.expon(scale=1 / 0.8),
    "Weibull": scipy.stats.weibull_min(1.7, scale=1.2),
    "Pareto": scipy.stats.pareto(2.0, scale=0.2),
    "Uniform": scipy.stats.uniform(-0.5, 2.4),
    "Gamma": scipy.stats.gamma(2.3, scale=1 / 1.7),
    "InverseGamma": scipy.stats.invgamma(3, scale=2),
    "Beta": scipy.stats.beta(2, 3.5),
    "StudentT": scipy.stats.t(4, 0.3, 1.2),
    "AsymmetricLaplace": scipy.stats.laplace_asymmetric(1.7, 0.2, 1.3),
}


@pytest.mark.parametrize(("lower", "upper"), BOUNDS)
@pytest.mark.parametrize("name", BASES)
def test_truncated_density_integrates_to_one(
    name: str, lower: float | None, upper: float | None
) -> None:
    cut = Truncated(BASES[name](), lower, upper)
    start, end = (getattr(cut.support, f"{side}_bound", None) for side in ("lower", "upper"))
    total, _ = scipy.integrate.quad(
        lambda x: math.exp(cut.log_prob(number(x))),
        -math.inf if start is None else float(start),
        math.inf if end is None else float(end),
    )
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("lower", "upper"), BOUNDS)
@pytest.mark.parametrize("name", BASES)
def test_truncated_draws_follow_the_cut_distribution(
    name: str, lower: float | None, upper: float | None
) -> None:
    base = BASES[name]()
    cut = Truncated(base, lower, upper)
    draws = cut.sample((2000,))
    assert cut.support.check(draws).all()
    reference = SCIPY.get(name)

    def cdf(x: torch.Tensor) -> torch.Tensor:
        if reference is not None:
            return torch.as_tensor(reference.cdf(x.numpy()))
        return base.cdf(x)

    least = 0.0 if lower is None or not base.support.check(number(lower)) else cdf(number(lower))
    most = 1.0 if upper is None else cdf(number(upper))
    uniform = (cdf(draws) - least) / (most - least)
    assert scipy.stats.kstest(uniform.numpy(), "uniform").pvalue > 1e-3
    probabilities = torch.tensor([1e-6, 0.2, 0.5, 0.9])
    torch.testing.assert_close(cut.cdf(cut.icdf(probabilities)), probabilities)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("lower", "upper"), [(8.0, None), (30.0, 31.0), (-60.0, -50.0)])
def test_truncated_normal_is_accurate_far_out(
    lower: float, upper: float | None, dtype: torch.dtype
) -> None:
    cut = Truncated(dist.Normal(torch.zeros((), dtype=dtype), 1.0), lower, upper)
    reference = scipy.stats.truncnorm(lower, math.inf if upper is None else upper)
    draws = cut.sample((500,))
    assert draws.dtype == dtype
    assert torch.isfinite(cut.log_prob(draws)).all()
    assert scipy.stats.kstest(draws.double().numpy(), reference.cdf).pvalue > 1e-3
    value = draws.double()
    torch.testing.assert_close(
        cut.log_prob(draws).double(),
        torch.as_tensor(reference.logpdf(value.numpy())),
        rtol=1e-3 if dtype == torch.float32 else 1e-9,
        atol=1e-3 if dtype == torch.float32 else 1e-9,
    )


@pytest.mark.parametrize("name", ["Normal", "Cauchy", "Laplace", "Logistic", "SoftLaplace"])
def test_symmetric_bases_are_alike_in_both_tails(name: str) -> None:
    base = getattr(dist, name)(number(0.0), number(1.0))
    x = torch.tensor([20.0, 21.5])
    right = Truncated(base, lower=20.0, upper=25.0)
    left = Truncated(base, lower=-25.0, upper=-20.0)
    torch.testing.assert_close(right.log_prob(x), left.log_prob(-x), rtol=1e-12, atol=0)
    p = torch.tensor([0.1, 0.7])
    torch.testing.assert_close(right.icdf(p), -left.icdf(1 - p), rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", ["Normal", "Gumbel", "LogNormal", "Weibull", "HalfNormal"])
def test_truncated_gradients(name: str) -> None:
    family = type(BASES[name]())
    single = name == "HalfNormal"

    def density(first: torch.Tensor, second: torch.Tensor, *bounds: torch.Tensor) -> torch.Tensor:
        base = family(second) if single else family(first, second)
        return Truncated(base, *bounds).log_prob(torch.tensor([0.5, 0.9]))

    def quantile(first: torch.Tensor, second: torch.Tensor, *bounds: torch.Tensor) -> torch.Tensor:
        base = family(second) if single else family(first, second)
        return Truncated(base, *bounds).icdf(torch.tensor([0.2, 0.9]))

    inputs = tuple(torch.tensor(v, requires_grad=True) for v in (0.7, 1.3, 0.2, 1.4))
    assert torch.autograd.gradcheck(density, inputs)
    assert torch.autograd.gradcheck(quantile, inputs)


@pytest.mark.parametrize("name", BASES)
def test_truncated_curvature_can_be_batched(name: str) -> None:
    """Second derivatives under `vmap`: what a Laplace approximation of many draws asks for."""
    base = BASES[name]()
    known = tails(base)
    low, high = known.from_log_cdf(number(math.log(0.3))), known.from_log_sf(number(math.log(0.2)))
    reached = low.item(), high.item()

    def density(x: torch.Tensor) -> torch.Tensor:
        cut = Truncated(base, reached[0], upper=reached[0] + x, validate_args=False)
        return cut.log_prob(reached[0] + 0.5 * x)

    widths = (reached[1] - reached[0]) * torch.tensor([1.0, 0.5])
    curvature = torch.func.vmap(torch.func.grad(torch.func.grad(density)))(widths)
    assert torch.isfinite(curvature).all()


def test_gradient_where_a_bound_does_not_cut() -> None:
    scale = torch.tensor(1.3, requires_grad=True)
    cut = Truncated(dist.HalfNormal(scale), lower=torch.tensor([-1.0, 0.0, 0.5]))
    cut.log_prob(torch.tensor([0.6, 0.6, 0.6])).sum().backward()
    assert torch.isfinite(scale.grad)
    torch.testing.assert_close(
        cut.log_prob(number(0.6))[:2], dist.HalfNormal(scale).log_prob(number(0.6)).expand(2)
    )


def test_truncated_shapes() -> None:
    cut = Truncated(dist.Normal(torch.zeros(4, 1), 1.0), lower=torch.zeros(3))
    assert cut.batch_shape == (4, 3)
    wide = cut.expand([2, 4, 3]).to_event(1)
    assert (wide.batch_shape, wide.event_shape) == ((2, 4), (3,))
    draws = wide.rsample((5,))
    assert draws.shape == (5, 2, 4, 3)
    assert wide.log_prob(draws).shape == (5, 2, 4)
    assert wide.support.check(draws).all()


def test_truncated_outside_is_impossible() -> None:
    cut = Truncated(dist.Normal(0.0, 1.0), -1.0, 1.0, validate_args=False)
    assert cut.log_prob(number(1.5)) == -math.inf


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (dist.Poisson(3.0), "Poisson cannot be truncated: it is not a continuous"),
        (dist.Normal(torch.zeros(2), 1.0).to_event(1), "Independent cannot be truncated"),
        (dist.VonMises(0.0, 1.0), "VonMises cannot be truncated: it has no distribution function"),
    ],
)
def test_what_cannot_be_truncated(base: dist.TorchDistribution, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Truncated(base, lower=0.0)


def test_bounds_that_leave_nothing() -> None:
    with pytest.raises(ValueError, match="leave nothing"):
        Truncated(dist.Normal(0.0, 1.0), 1.0, 0.0, validate_args=True)
    with pytest.raises(ValueError, match="leave nothing"):
        Truncated(dist.HalfNormal(1.0), upper=-1.0, validate_args=True)
    with pytest.raises(ValueError, match="not finite"):
        Truncated(dist.Normal(0.0, 1.0), lower=-math.inf, validate_args=True)


def test_ordered_density_is_that_of_order_statistics() -> None:
    ordered = Ordered(dist.Normal(0.0, 1.0).expand([2]).to_event(1))
    total, _ = scipy.integrate.dblquad(
        lambda second, first: math.exp(ordered.log_prob(torch.tensor([first, second]))),
        -7,
        7,
        lambda first: first + 1e-12,
        lambda first: 8,
        epsabs=1e-5,
    )
    assert total == pytest.approx(1, abs=1e-4)


def test_ordered_draws() -> None:
    ordered = Ordered(dist.Exponential(1.0).expand([5, 3]).to_event(1))
    draws = ordered.sample((400,))
    assert draws.shape == (400, 5, 3)
    assert ordered.log_prob(draws).shape == (400, 5)
    assert ordered.support.check(draws).all()
    assert ordered.support is dist.constraints.positive_ordered_vector
    # the least of three exponential variables of rate 1 is one of rate 3
    least = draws[..., 0].flatten().numpy()
    assert scipy.stats.kstest(least, scipy.stats.expon(scale=1 / 3).cdf).pvalue > 1e-3


def test_ordered_takes_the_last_batch_dim() -> None:
    ordered = Ordered(dist.Normal(torch.zeros(4, 1), 1.0).expand([4, 3]))
    assert (ordered.batch_shape, ordered.event_shape) == ((4,), (3,))
    wide = ordered.expand([2, 4])
    assert (wide.batch_shape, wide.event_shape) == ((2, 4), (3,))


def test_positive_ordered() -> None:
    ordered = PositiveOrdered(dist.Normal(0.0, 1.0).expand([2]))
    assert ordered.support is dist.constraints.positive_ordered_vector
    half = Ordered(dist.HalfNormal(1.0).expand([2]))
    draws = ordered.expand([50]).sample()
    assert ordered.support.check(draws).all()
    torch.testing.assert_close(ordered.log_prob(draws), half.log_prob(draws))
    assert type(ordered.expand([4])) is PositiveOrdered


def test_ordered_out_of_order_is_impossible() -> None:
    ordered = Ordered(dist.Normal(0.0, 1.0).expand([2]).to_event(1), validate_args=False)
    assert ordered.log_prob(torch.tensor([1.0, 0.0])) == -math.inf


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (dist.Normal(0.0, 1.0), "vectors"),
        (dist.Beta(1.0, 1.0).expand([3]).to_event(1), "on the reals or the positive numbers"),
    ],
)
def test_what_cannot_be_ordered(base: dist.TorchDistribution, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Ordered(base)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (dist.VonMises(0.0, 1.0).expand([2]), "VonMises cannot be truncated"),
        (dist.Normal(0.0, 1.0).expand([2]).to_event(1), "vectors that are positive"),
    ],
)
def test_what_cannot_be_positive_ordered(base: dist.TorchDistribution, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PositiveOrdered(base)


@pytest.mark.parametrize(
    ("bounds", "support"),
    [
        ({}, dist.constraints.real),
        ({"lower": 2.0}, dist.constraints.greater_than_eq(2.0)),
        ({"upper": 2.0}, dist.constraints.less_than(2.0)),
        ({"lower": -1, "upper": 2}, dist.constraints.interval(-1.0, 2.0)),
    ],
)
def test_flat(bounds: dict[str, float], support: dist.constraints.Constraint) -> None:
    flat = Flat(**bounds)
    assert str(flat.support) == str(support)
    wide = flat.expand([4, 3]).to_event(1)
    draws = wide.sample((100,))
    assert draws.shape == (100, 4, 3)
    assert draws.dtype == torch.float64
    assert wide.support.check(draws).all()
    assert (wide.log_prob(draws) == torch.zeros(100, 4)).all()
    assert torch.isfinite(biject_to(flat.support).inv(draws)).all()


def test_flat_outside_and_out_of_order() -> None:
    assert Flat(lower=0.0, validate_args=False).log_prob(number(-1.0)) == -math.inf
    with pytest.raises(ValueError, match="below"):
        Flat(1.0, 0.0, validate_args=True)


def model(y: torch.Tensor) -> None:
    """Draw sites of each class, in a plate and out of it."""
    mu = pyro.sample("mu", Flat())
    low = pyro.sample("low", Flat(lower=0.5))
    pyro.sample("high", Flat(upper=-0.5).expand([2]).to_event(1))
    pyro.sample("between", Flat(0.0, 2.0))
    cut = pyro.sample("cut", Truncated(dist.Normal(mu, low), lower=-0.5, upper=1.5))
    with pyro.plate("group", 3, dim=-1):
        cuts = pyro.sample("cuts", Truncated(dist.Normal(0.0, 1.0), upper=0.5))
        order = pyro.sample("order", Ordered(dist.Normal(0.0, 1.0).expand([2]).to_event(1)))
    rates = pyro.sample("rates", PositiveOrdered(dist.Normal(1.0, 1.0).expand([2])))
    with pyro.plate("obs", len(y), dim=-1):
        loc = mu + cut + cuts.sum(-1, keepdim=True) + order.sum((-2, -1)).unsqueeze(-1)
        pyro.sample("y", dist.Normal(loc, rates[..., 1:] + low.unsqueeze(-1)), obs=y)


def model_vectorized(y: torch.Tensor) -> None:
    """Draw sites of each class whose parameters are latents, with particles on the left."""
    mu = pyro.sample("mu", Flat())
    scale = pyro.sample("scale", Flat(lower=0.0))
    cut = pyro.sample("cut", Truncated(dist.Normal(mu, scale), upper=1.5))
    with pyro.plate("obs", len(y), dim=-1):
        local = pyro.sample("local", Truncated(dist.Normal(cut, 1.0), lower=-3.0))
        order = pyro.sample("order", Ordered(dist.Normal(0.0, 1.0).expand([2]).to_event(1)))
        pyro.sample("y", dist.Normal(local + order[..., 0], scale + 0.1), obs=y)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("init", INITS)
def test_fit_with_each_init(init: object, dtype: torch.dtype) -> None:
    torch.set_default_dtype(dtype)
    y = torch.randn(5)
    fit(model, y, init, Trace_ELBO())


@pytest.mark.parametrize("init", INITS)
def test_fit_with_vectorized_particles(init: object) -> None:
    y = torch.randn(5)
    elbo = Trace_ELBO(num_particles=4, vectorize_particles=True, max_plate_nesting=1)
    fit(model_vectorized, y, init, elbo)


def fit(model: object, y: torch.Tensor, init: object, elbo: Trace_ELBO) -> None:
    guide = AutoNormal(model, init_loc_fn=init)
    svi = SVI(model, guide, pyro.optim.Adam({"lr": 0.01}), elbo)
    losses = [svi.step(y) for _ in itertools.repeat(None, 5)]
    assert all(map(math.isfinite, losses))
    assert all(torch.isfinite(p).all() for p in guide.parameters())


def test_documented_examples() -> None:
    assert doctest.testmod(autoguide_core.distributions).failed == 0
