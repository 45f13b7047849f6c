"""Estimators: the bound and its gradient are those of Pyro, and can be traced to a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceEnum_ELBO, TraceMeanField_ELBO, config_enumerate
from pyro.ops.indexing import Vindex
from torch import Tensor
from torch.distributions import constraints
from torch.fx.experimental.proxy_tensor import make_fx

from autoguide_core import (
    AutoDelta,
    AutoDiscreteParallel,
    AutoGuideList,
    AutoMultivariateNormal,
    AutoNormal,
)
from autoguide_core.engine.estimators import Estimator, make_estimator
from autoguide_core.engine.structure import inspect, parameters

Model = Callable[[], Any]
DATA = torch.linspace(-1.0, 2.0, 6, dtype=torch.float64)


def data() -> Tensor:
    return DATA.to(torch.get_default_dtype())


# Models and guides -------------------------------------------------------------------------------


def nested() -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("groups", 3, dim=-2):
        theta = pyro.sample("theta", dist.Normal(mu, 1.0))
        scale = pyro.sample("scale", dist.HalfCauchy(1.0))
        with pyro.plate("units", 2, dim=-1):
            pyro.sample("y", dist.Normal(theta, scale), obs=data().reshape(3, 2))


def minibatches() -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("data", 6, subsample_size=2) as index:
        z = pyro.sample("z", dist.LogNormal(mu, 1.0))
        pyro.sample("y", dist.Normal(z, 1.0), obs=data()[index])


def scaled_and_masked() -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with poutine.scale(scale=2.5), pyro.plate("data", 6), poutine.mask(mask=data() > 0):
        z = pyro.sample("z", dist.Normal(mu, 1.0))
        pyro.sample("y", dist.StudentT(3.0, z, 1.0), obs=data())


def factor_and_parameter() -> None:
    shift = pyro.param("shift", lambda: torch.tensor(0.3))
    spread = pyro.param("spread", lambda: torch.tensor(0.8), constraint=constraints.positive)
    mu = pyro.sample("mu", dist.Normal(shift, 1.0))
    pyro.factor("pull", -0.5 * (mu - 1.0) ** 2)
    with pyro.plate("data", 6):
        pyro.sample("y", dist.Normal(mu, spread), obs=data())


def auxiliary_guide() -> None:
    loc = pyro.param("loc", lambda: torch.tensor(0.1))
    u = pyro.sample("u", dist.Normal(loc, 0.5), infer={"is_auxiliary": True})
    pyro.sample("mu", dist.Delta(u.exp(), log_density=-u))
    pyro.factor("tilt", 0.2 * u * u, has_rsample=True)


def mixture() -> None:
    weights = pyro.sample("weights", dist.Dirichlet(torch.ones(3)))
    with pyro.plate("components", 3):
        locs = pyro.sample("locs", dist.Normal(0.0, 2.0))
    with pyro.plate("data", 6, subsample_size=4) as index:
        k = pyro.sample("k", dist.Categorical(weights), infer={"enumerate": "parallel"})
        pyro.sample("y", dist.Normal(Vindex(locs)[..., k], 1.0), obs=data()[index])


@config_enumerate
def global_switch() -> None:
    """A switch outside of plates, one inside of a masked one, and one in a plate of another scale.
    """
    p = pyro.sample("p", dist.Beta(2.0, 2.0))
    a = pyro.sample("a", dist.Bernoulli(p))
    with pyro.plate("data", 6), poutine.mask(mask=data() > -0.5):
        b = pyro.sample("b", dist.Bernoulli(0.3 + 0.4 * a))
        pyro.sample("y", dist.Normal(b - a, 1.0), obs=data())


@config_enumerate
def chain() -> None:
    stay = pyro.sample("stay", dist.Beta(torch.ones(2), 2.0).to_event(1))
    loc = pyro.sample("loc", dist.Normal(0.0, 1.0))
    state: Any = 0
    for t in pyro.markov(range(6)):
        p = stay[..., 0] if t == 0 else torch.where(state == 1, stay[..., 0], stay[..., 1])
        state = pyro.sample(f"state{t}", dist.Bernoulli(p))
        pyro.sample(f"y{t}", dist.Normal(loc + state, 1.0), obs=data()[t])


def discrete_and_continuous() -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    tau = pyro.sample("tau", dist.Gamma(2.0, 2.0))
    a = pyro.sample("a", dist.Bernoulli(0.4))
    with pyro.plate("data", 6):
        k = pyro.sample("k", dist.Categorical(torch.tensor([0.2, 0.3, 0.5])))
        pyro.sample("y", dist.Normal(mu + k + a, tau), obs=data())


def list_guide(model: Model) -> AutoGuideList:
    guide = AutoGuideList(model)
    guide.append(AutoDelta(poutine.block(model, expose=["tau"])))
    guide.append(AutoMultivariateNormal(poutine.block(model, expose=["mu"])))
    guide.append(AutoDiscreteParallel(poutine.block(model, expose=["a", "k"])))
    return guide


def both_sides() -> None:
    """`a` and `b` are the guide's, `c` is the model's own."""
    a = pyro.sample("a", dist.Bernoulli(0.4))
    with pyro.plate("data", 6):
        b = pyro.sample("b", dist.Bernoulli(0.2 + 0.5 * a))
        x = pyro.sample("x", dist.Normal(b, 1.0))
        c = pyro.sample("c", dist.Bernoulli(0.3 + 0.4 * b), infer={"enumerate": "parallel"})
        pyro.sample("y", dist.Normal(x + 2.0 * c, 1.0), obs=data())


def both_sides_guide() -> None:
    p = pyro.param("p", lambda: torch.tensor([0.3, 0.6, 0.8]), constraint=constraints.unit_interval)
    loc = pyro.param("loc", lambda: torch.tensor([-0.2, 0.4]))
    a = pyro.sample("a", dist.Bernoulli(p[0]), infer={"enumerate": "parallel"})
    with pyro.plate("data", 6):
        b = pyro.sample("b", dist.Bernoulli(p[1] + 0.1 * a), infer={"enumerate": "parallel"})
        pyro.sample("x", dist.Normal(loc[0] + loc[1] * b, p[2]))


def partly_drawn_guide() -> None:
    """As above, but `a` is drawn."""
    p = pyro.param("p", lambda: torch.tensor([0.3, 0.6, 0.8]), constraint=constraints.unit_interval)
    a = pyro.sample("a", dist.Bernoulli(p[0]))
    with pyro.plate("data", 6):
        b = pyro.sample("b", dist.Bernoulli(p[1] + 0.1 * a), infer={"enumerate": "parallel"})
        pyro.sample("x", dist.Normal(b, p[2]))


def dependent_guide() -> None:
    loc = pyro.param("loc", lambda: torch.tensor([0.2, -0.4]))
    mu = pyro.sample("mu", dist.Normal(loc[0], 0.5))
    with pyro.plate("groups", 3, dim=-2):
        pyro.sample("theta", dist.Normal(loc[1] * mu, 0.7))
        pyro.sample("scale", dist.LogNormal(loc[0], 0.3))


@dataclass(frozen=True)
class Case:
    """A pair, and the class of Pyro's that gives its bound."""

    model: Model
    guide: Callable[[Model], Model]
    oracle: Any = Trace_ELBO
    depth: int = 1
    options: Mapping[str, Any] | None = None


def hidden(*names: str) -> Callable[[Model], Model]:
    return lambda model: AutoNormal(poutine.block(model, hide=list(names)))


CASES = {
    "nested": Case(nested, AutoNormal, depth=2),
    "dependent": Case(nested, lambda _: dependent_guide, depth=2),
    "minibatches": Case(minibatches, AutoNormal),
    "scaled and masked": Case(scaled_and_masked, AutoNormal),
    "parameter": Case(factor_and_parameter, AutoMultivariateNormal),
    "auxiliary": Case(factor_and_parameter, lambda _: auxiliary_guide),
    "mixture": Case(mixture, hidden("k"), TraceEnum_ELBO),
    "switches": Case(global_switch, hidden("a", "b"), TraceEnum_ELBO),
    "chain": Case(chain, hidden(*(f"state{t}" for t in range(6))), TraceEnum_ELBO),
    "list": Case(discrete_and_continuous, list_guide, TraceEnum_ELBO),
    "both sides": Case(both_sides, lambda _: both_sides_guide, TraceEnum_ELBO),
    "partly drawn": Case(both_sides, lambda _: partly_drawn_guide, TraceEnum_ELBO),
    "closed form": Case(nested, lambda _: dependent_guide, TraceMeanField_ELBO, depth=2),
}


# What every estimator keeps -----------------------------------------------------------------------


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> Iterator[torch.dtype]:
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(torch.float32)


def estimator_of(
    model: Model, guide: Model, particles: int, **options: Any
) -> tuple[Estimator, list[str]]:
    structure = inspect(model, guide, (), {})
    return make_estimator(structure, model, guide, (), {}, particles=particles, **options)


def evaluate(function: Callable[[], Any], seed: int = 7) -> tuple[Tensor, ...]:
    """A bound and the gradients of the surrogate by all parameters, with validation off."""
    torch.manual_seed(seed)
    with pyro.validation_enabled(False):
        elbo, surrogate = function()
        return (elbo, *torch.autograd.grad(surrogate, list(parameters().values())))


def graph_of(estimator: Estimator) -> Callable[[], tuple[Tensor, ...]]:
    carry = estimator.start()
    leaves = list(parameters().values())

    def function(carry: dict[str, Tensor]) -> tuple[Tensor, ...]:
        estimate = estimator(carry)
        gradients = torch.autograd.grad(estimate.surrogate, leaves)
        return (estimate.elbo, *gradients, *estimate.carry.values())

    with pyro.validation_enabled(False):
        graph = make_fx(function)(carry)

    def run() -> tuple[Tensor, ...]:
        torch.manual_seed(7)
        result: tuple[Tensor, ...] = graph(carry)
        return result

    return run


def assert_close(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    tight = expected[0].dtype == torch.float64
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(
            one, other, rtol=1e-9 if tight else 2e-4, atol=1e-9 if tight else 2e-4
        )


@pytest.mark.parametrize("particles", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_bounds_and_gradients_are_those_of_pyro(
    name: str, particles: int, dtype: torch.dtype
) -> None:
    case = CASES[name]
    guide = case.guide(case.model)
    closed = case.oracle is TraceMeanField_ELBO
    estimator, notes = estimator_of(case.model, guide, particles, analytic_kl=closed)
    assert not notes
    together = particles > 1
    oracle = case.oracle(
        num_particles=particles, vectorize_particles=together, max_plate_nesting=case.depth + together
    )

    def ours() -> tuple[Tensor, Tensor]:
        estimate = estimator(estimator.start())
        return estimate.elbo, estimate.surrogate

    def pyros() -> tuple[Tensor, Tensor]:
        loss = oracle.differentiable_loss(case.model, guide)
        return -loss.detach(), -loss

    found = evaluate(ours)
    assert_close(found, evaluate(pyros))
    assert_close(graph_of(estimator)()[: len(found)], found)
