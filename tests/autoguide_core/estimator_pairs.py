"""Pairs of model and guide for the tests of estimators, and how they are evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyro
import pyro.distributions as dist
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
    AutoNormalMessenger,
)
from autoguide_core.engine.estimators import Estimator, make_estimator
from autoguide_core.engine.structure import inspect, parameters

Model = Callable[[], Any]
Result = tuple[Tensor, ...]
DATA = torch.linspace(-1.0, 2.0, 6, dtype=torch.float64)


def data() -> Tensor:
    return DATA.to(torch.get_default_dtype())


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
    locs = pyro.sample("locs", dist.Normal(torch.zeros(3), 2.0).to_event(1))
    with pyro.plate("data", 6, subsample_size=4) as index:
        k = pyro.sample("k", dist.Categorical(weights), infer={"enumerate": "parallel"})
        pyro.sample("y", dist.Normal(Vindex(locs)[..., k], 1.0), obs=data()[index])


@config_enumerate
def global_switch() -> None:
    """A switch outside of plates, and others inside of a masked one."""
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


def impossible_guide() -> None:
    """Two values of `k` have probability zero; the last of them in the model, too."""
    logits = pyro.param("logits", lambda: torch.tensor([0.3, -0.2]))
    every = torch.cat([logits, torch.full((2,), -torch.inf)])
    pyro.sample("k", dist.Categorical(logits=every), infer={"enumerate": "parallel"})


def impossible() -> None:
    k = pyro.sample("k", dist.Categorical(logits=torch.tensor([0.0, 1.0, 0.5, -torch.inf])))
    pyro.sample("y", dist.Normal(k, 1.0), obs=data()[0])


def partly_drawn_guide() -> None:
    """As above, but `a` is drawn."""
    p = pyro.param("p", lambda: torch.tensor([0.3, 0.6, 0.8]), constraint=constraints.unit_interval)
    a = pyro.sample("a", dist.Bernoulli(p[0]))
    with pyro.plate("data", 6):
        b = pyro.sample("b", dist.Bernoulli(p[1] + 0.1 * a), infer={"enumerate": "parallel"})
        pyro.sample("x", dist.Normal(b, p[2]))


def many_draws_guide() -> None:
    """`mu` is drawn many times, `theta` and `scale` once for each of its draws."""
    loc = pyro.param("loc", lambda: torch.tensor([0.2, -0.4]))
    many = {"enumerate": "parallel", "num_samples": 4}
    mu = pyro.sample("mu", dist.Normal(loc[0], 0.5), infer=many)
    with pyro.plate("groups", 3, dim=-2):
        pyro.sample("theta", dist.Normal(loc[1] * mu, 0.7))
        pyro.sample("scale", dist.LogNormal(loc[0], 0.3))


def dependent_guide() -> None:
    loc = pyro.param("loc", lambda: torch.tensor([0.2, -0.4]))
    mu = pyro.sample("mu", dist.Normal(loc[0], 0.5))
    with pyro.plate("groups", 3, dim=-2):
        pyro.sample("theta", dist.Normal(loc[1] * mu, 0.7))
        pyro.sample("scale", dist.LogNormal(loc[0], 0.3))


def switches() -> None:
    a = pyro.sample("a", dist.Bernoulli(0.4))
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("data", 2):
        b = pyro.sample("b", dist.Bernoulli(0.2 + 0.5 * a))
        pyro.sample("y", dist.Normal(b + mu, 0.5), obs=data()[:2] - 2.0)


class SwitchesGuide:
    """Draws `a` and `b`, which depends on it; with given baseline options."""

    def __init__(self, **infer: Any) -> None:
        self.infer = infer

    def __call__(self) -> None:
        logits = pyro.param("logits", lambda: torch.tensor([-0.3, 0.6, 1.1]))
        a = pyro.sample("a", dist.Bernoulli(logits=logits[0]), infer=dict(self.infer))
        pyro.sample("mu", dist.Normal(logits[1], 0.3))
        with pyro.plate("data", 2):
            pyro.sample("b", dist.Bernoulli(logits=logits[1] + logits[2] * a), infer=self.infer)


@dataclass(frozen=True)
class Case:
    """A pair, and the class of Pyro's that gives its bound."""

    model: Model
    guide: Callable[[Model], Model]
    oracle: Any = Trace_ELBO
    depth: int = 1


def hidden(*names: str) -> Callable[[Model], Model]:
    return lambda model: AutoNormal(poutine.block(model, hide=list(names)))


CASES = {
    "nested": Case(nested, AutoNormal, depth=2),
    "dependent": Case(nested, lambda _: dependent_guide, depth=2),
    "minibatches": Case(minibatches, AutoNormal),
    "messenger": Case(minibatches, AutoNormalMessenger),
    "scaled and masked": Case(scaled_and_masked, AutoNormal),
    "parameter": Case(factor_and_parameter, AutoMultivariateNormal),
    "auxiliary": Case(factor_and_parameter, lambda _: auxiliary_guide),
    "mixture": Case(mixture, hidden("k"), TraceEnum_ELBO),
    "switches": Case(global_switch, hidden("a", "b"), TraceEnum_ELBO),
    "chain": Case(chain, hidden(*(f"state{t}" for t in range(6))), TraceEnum_ELBO),
    "list": Case(discrete_and_continuous, list_guide, TraceEnum_ELBO),
    "both sides": Case(both_sides, lambda _: both_sides_guide, TraceEnum_ELBO),
    "impossible": Case(impossible, lambda _: impossible_guide, TraceEnum_ELBO),
    "partly drawn": Case(both_sides, lambda _: partly_drawn_guide, TraceEnum_ELBO),
    "many draws": Case(nested, lambda _: many_draws_guide, TraceEnum_ELBO, depth=2),
    "closed form": Case(nested, lambda _: dependent_guide, TraceMeanField_ELBO, depth=2),
}


# How they are evaluated ---------------------------------------------------------------------------


def estimator_of(
    model: Model, guide: Model, particles: int = 1, **options: Any
) -> tuple[Estimator, list[str]]:
    structure = inspect(model, guide, (), {})
    return make_estimator(structure, model, guide, (), {}, particles=particles, **options)


def estimated(estimator: Estimator, carry: Mapping[str, Tensor]) -> Result:
    """The bound, the gradients by all parameters, and what is carried on; validation is off."""
    with pyro.validation_enabled(False):
        estimate = estimator(carry)
        gradients = torch.autograd.grad(estimate.surrogate, leaves(), allow_unused=True)
    given = [g for g in gradients if g is not None]
    return (estimate.elbo, *given, *estimate.carry.values())


def leaves() -> list[Tensor]:
    return [p for name, p in parameters().items() if not name.startswith("__baseline")]


def seeded(function: Callable[[], Result], seed: int = 7) -> Result:
    torch.manual_seed(seed)
    return function()


def pyros(oracle: Any, model: Model, guide: Model) -> Result:
    """Pyro's bound and its gradients."""
    for leaf in leaves():
        leaf.grad = None
    with pyro.validation_enabled(False):
        loss = oracle.loss_and_grads(model, guide)
    return (-torch.as_tensor(loss), *(-leaf.grad for leaf in leaves() if leaf.grad is not None))


def assert_close(found: Result, expected: Result, tolerance: float = 1e-9) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance, check_dtype=False)


def assert_traceable(estimator: Estimator) -> None:
    """The graph gives what the eager run does, at other parameters and draws too."""
    carry = estimator.start()
    with pyro.validation_enabled(False):
        graph = make_fx(lambda carry: estimated(estimator, carry))(carry)
    with torch.no_grad():
        for leaf in leaves():
            leaf.add_(0.1 * torch.ones_like(leaf))
    for seed in (1, 2):
        found = seeded(lambda: graph(carry), seed)
        assert_close(found, seeded(lambda: estimated(estimator, carry), seed))
