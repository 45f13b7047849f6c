"""Estimators: the bound and its gradient are those of Pyro, and can be traced to a graph."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import (
    Trace_ELBO,
    TraceEnum_ELBO,
    TraceGraph_ELBO,
    TraceMeanField_ELBO,
    config_enumerate,
)
from pyro.ops.indexing import Vindex
from pyro.poutine.messenger import Messenger
from torch import Tensor
from torch.distributions import constraints, kl_divergence
from torch.fx.experimental.proxy_tensor import make_fx

from autoguide_core import (
    AutoDelta,
    AutoDiscreteParallel,
    AutoGuideList,
    AutoMultivariateNormal,
    AutoNormal,
    AutoNormalMessenger,
    FitError,
    init_to_value,
)
from autoguide_core.engine.estimators import Estimator, Untraceable, make_estimator
from autoguide_core.engine.joint import joint_trace
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
    "partly drawn": Case(both_sides, lambda _: partly_drawn_guide, TraceEnum_ELBO),
    "many draws": Case(nested, lambda _: many_draws_guide, TraceEnum_ELBO, depth=2),
    "closed form": Case(nested, lambda _: dependent_guide, TraceMeanField_ELBO, depth=2),
}


# What every estimator keeps -----------------------------------------------------------------------

Result = tuple[Tensor, ...]


@pytest.fixture
def _float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


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


@pytest.mark.usefixtures("_float64")
@pytest.mark.parametrize("particles", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_bounds_and_gradients_are_those_of_pyro(name: str, particles: int) -> None:
    case, together = CASES[name], particles > 1
    guide = case.guide(case.model)
    closed = case.oracle is TraceMeanField_ELBO
    estimator, notes = estimator_of(case.model, guide, particles, analytic_kl=closed)
    oracle = case.oracle(
        num_particles=particles,
        vectorize_particles=together,
        max_plate_nesting=case.depth + together,
    )
    assert not notes
    expected = seeded(lambda: pyros(oracle, case.model, guide))
    assert_close(seeded(lambda: estimated(estimator, estimator.start())), expected)
    if not together:
        assert_traceable(estimator)


@pytest.mark.parametrize("name", ["minibatches", "chain", "both sides", "closed form"])
def test_single_precision_stays(name: str) -> None:
    case = CASES[name]
    estimator, _ = estimator_of(case.model, case.guide(case.model))
    single = seeded(lambda: estimated(estimator, {}))
    assert {tensor.dtype for tensor in single} == {torch.float32}


@pytest.mark.usefixtures("_float64")
def test_particles_are_drawn_one_by_one_where_the_model_does_not_broadcast() -> None:
    def model() -> None:
        loc = pyro.sample("loc", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        pyro.sample("y", dist.Normal(loc[0] * loc[1], 1.0), obs=data()[0])

    guide = AutoNormal(model)
    estimator, notes = estimator_of(model, guide, 3)
    oracle = Trace_ELBO(num_particles=3, max_plate_nesting=0)
    assert "one by one" in notes[0]
    expected = seeded(lambda: pyros(oracle, model, guide))
    assert_close(seeded(lambda: estimated(estimator, {})), expected)


def test_sums_that_share_nothing_may_have_scales_of_their_own() -> None:
    def model(names: str = "ab") -> None:
        for name, scale in (("a", 2.0), ("b", 3.0)):
            if name in names:
                with poutine.scale(scale=scale), pyro.plate(f"{name}_data", 6):
                    k = pyro.sample(name, dist.Bernoulli(0.3), infer={"enumerate": "parallel"})
                    pyro.sample(f"{name}_y", dist.Normal(k, 1.0), obs=data())

    expected = sum(-TraceEnum_ELBO(max_plate_nesting=1).loss(model, no_latents, n) for n in "ab")
    estimator, _ = estimator_of(model, lambda: None)
    assert float(estimator({}).elbo) == pytest.approx(expected)


def no_latents(names: str) -> None:
    """A guide of no latents."""


@pytest.mark.usefixtures("_float64")
def test_scales_stand_outside_of_sums_in_the_joint_density_too() -> None:
    def model() -> None:
        with poutine.scale(scale=2.0), pyro.plate("data", 6), poutine.mask(mask=data() > 0):
            k = pyro.sample("k", dist.Bernoulli(0.3), infer={"enumerate": "parallel"})
            pyro.sample("y", dist.Normal(k, 1.0), obs=data())

    expected = -TraceEnum_ELBO(max_plate_nesting=1).loss(model, lambda: None)
    with pyro.validation_enabled(False):
        assert float(joint_trace(model, (), {}, 1)[1]) == pytest.approx(expected)


# Divergences in closed form -----------------------------------------------------------------------


def test_a_closed_form_takes_the_noise_out_of_the_divergence() -> None:
    """With no data, the bound is minus the divergence from the prior at every draw."""

    def model() -> None:
        pyro.sample("scale", dist.LogNormal(0.0, 2.0))
        with pyro.plate("data", 3), poutine.mask(mask=torch.tensor([True, True, False])):
            pyro.sample("z", dist.Normal(1.0, 2.0))

    guide = AutoNormal(model, init_loc_fn=init_to_value(values={"scale": 1.0, "z": 0.0}))
    estimator, _ = estimator_of(model, guide, analytic_kl=True)
    narrow, at_zero = dist.Normal(0.0, 0.1), dist.Normal(0.0, 2.0)
    exact = kl_divergence(narrow, at_zero) + 2 * kl_divergence(narrow, dist.Normal(1.0, 2.0))
    for seed in (1, 2):
        assert_close(seeded(lambda: estimated(estimator, {}), seed)[:1], (-exact,), 1e-5)


@pytest.mark.usefixtures("_float64")
def test_a_closed_form_is_not_used_where_the_guide_draws_parents_after_their_children() -> None:
    """Pyro's bound is half a nat off here: the prior of `b` depends on what `b` gives `a`."""

    def model() -> None:
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.sample("b", dist.Normal(a, 1.0))

    def guide() -> None:
        loc = pyro.param("loc", lambda: torch.tensor(0.3))
        b = pyro.sample("b", dist.Normal(loc, 1.0))
        pyro.sample("a", dist.Normal(0.5 * b, 1.0))

    estimator, _ = estimator_of(model, guide, 20_000, analytic_kl=True)
    prior = dist.MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, 1.0], [1.0, 2.0]]))
    posterior = dist.MultivariateNormal(
        torch.tensor([0.15, 0.3]), torch.tensor([[1.25, 0.5], [0.5, 1.0]])
    )
    exact = -kl_divergence(posterior, prior)
    assert_close((seeded(lambda: estimated(estimator, {}))[0],), (exact,), 0.03)


# Score functions ----------------------------------------------------------------------------------


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


class Given(Messenger):
    """Puts given values in the place of draws, which stay latent."""

    def __init__(self, **values: Tensor) -> None:
        super().__init__()
        self.values = values

    def _pyro_sample(self, msg: Any) -> None:
        if msg["name"] in self.values and not msg["done"]:
            msg["value"], msg["done"] = self.values[msg["name"]], True


def seeded_start(estimator: Estimator) -> dict[str, Tensor]:
    torch.manual_seed(7)
    return estimator.start()


def moments(estimator: Estimator, particles: int) -> tuple[Result, float]:
    """Mean bound and gradient, and the gradient's variance: exact, by a sum over all draws."""
    logits = pyro.param("logits").detach()
    carry = seeded_start(estimator)
    mean, square = [torch.zeros(()), torch.zeros(3)], 0.0
    for bits in itertools.product([0.0, 1.0], repeat=3 * particles):
        a, b = torch.tensor(bits).reshape(particles, 3).split([1, 2], dim=-1)
        log_a = dist.Bernoulli(logits=logits[0]).log_prob(a).sum()
        log_b = dist.Bernoulli(logits=logits[1] + logits[2] * a).log_prob(b).sum()
        probability = (log_a + log_b).exp()
        values = {"a": a, "b": b} if particles > 1 else {"a": a[0, 0], "b": b[0]}
        with Given(**values):
            found = seeded(lambda: estimated(estimator, carry))
        mean = [m + probability * part for m, part in zip(mean, found, strict=False)]
        square += float(probability * (found[1] ** 2).sum())
    return tuple(mean), square - float((mean[1] ** 2).sum())


OPTIONS: dict[str, dict[str, Any]] = {
    "own": {},
    "none": {"baseline": {"baseline_value": torch.tensor(0.0)}},
    "decaying": {"baseline": {"use_decaying_avg_baseline": True, "baseline_beta": 0.8}},
}


@pytest.mark.usefixtures("_float64")
@pytest.mark.parametrize("particles", [1, 2])
def test_score_functions_are_unbiased_and_baselines_take_variance_away(particles: int) -> None:
    variances = {}
    summed, _ = estimator_of(switches, SwitchesGuide(enumerate="parallel"), particles)
    exact = seeded(lambda: estimated(summed, {}))
    for name in ("own", "none", "decaying"):
        estimator, notes = estimator_of(switches, SwitchesGuide(**OPTIONS[name]), particles)
        mean, variances[name] = moments(estimator, particles)
        assert not notes
        assert_close(mean, exact)
    assert variances["own"] < 0.5 * variances["none"]
    assert variances["decaying"] < 0.5 * variances["none"]


class Network(torch.nn.Module):
    """A baseline with parameters of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = torch.nn.Parameter(torch.tensor(0.7, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.slope * x


def networked_guide(network: Network) -> Model:
    def guide() -> None:
        logits = pyro.param("logits", lambda: torch.tensor([-0.3, 0.6, 1.1]))
        learned = {"nn_baseline": pyro.module("net", network), "nn_baseline_input": logits[0]}
        a = pyro.sample("a", dist.Bernoulli(logits=logits[0]), infer={"baseline": learned})
        pyro.sample("mu", dist.Normal(logits[1], 0.3))
        constant = {"baseline_value": torch.tensor([-3.0, -4.0])}
        with pyro.plate("data", 2):
            b = dist.Bernoulli(logits=logits[1] + logits[2] * a)
            pyro.sample("b", b, infer={"baseline": constant})

    return guide


@pytest.mark.usefixtures("_float64")
@pytest.mark.parametrize("kind", ["decaying", "networked"])
def test_options_of_baselines_are_those_of_pyro(kind: str) -> None:
    guide = networked_guide(Network()) if kind == "networked" else SwitchesGuide(**OPTIONS[kind])
    estimator, _ = estimator_of(switches, guide)
    carry = {name: torch.zeros_like(value) for name, value in estimator.start().items()}
    assert list(carry) == ([] if kind == "networked" else ["a", "b"])
    expected = seeded(lambda: pyros(TraceGraph_ELBO(max_plate_nesting=1), switches, guide))
    store = pyro.get_param_store()
    averages = [store[f"__baseline_avg_downstream_cost_{name}"].detach() for name in carry]
    assert_close(seeded(lambda: estimated(estimator, carry)), (*expected, *averages))


@pytest.mark.usefixtures("_float64")
@pytest.mark.parametrize("particles", [1, 3])
def test_score_functions_can_be_traced(particles: int) -> None:
    assert_traceable(estimator_of(switches, SwitchesGuide(), particles)[0])


# What is refused ----------------------------------------------------------------------------------


def test_what_is_left_to_pyro_is_told() -> None:
    sequential = SwitchesGuide(enumerate="sequential")
    with pytest.raises(Untraceable, match="'a' is enumerated one value after the other"):
        estimator_of(switches, sequential)
    messenger = AutoNormalMessenger(poutine.block(mixture, hide=["k"]))
    with pytest.raises(Untraceable, match="messenger"):
        estimator_of(mixture, messenger)


def test_sums_that_cannot_be_done_are_told_with_their_site() -> None:
    @config_enumerate
    def scales() -> None:
        a = pyro.sample("a", dist.Bernoulli(0.4))
        with pyro.plate("data", 6, subsample_size=2) as index:
            pyro.sample("y", dist.Normal(a, 1.0), obs=data()[index])

    with pytest.raises(FitError, match=r"'a' and 'y'.* scales 1 and 3") as caught:
        estimator_of(scales, lambda: None)
    assert caught.value.site == "y"

    def local() -> None:
        a = pyro.sample("a", dist.Bernoulli(0.4), infer={"enumerate": "parallel"})
        with pyro.plate("data", 2):
            b = pyro.sample("b", dist.Bernoulli(0.2 + 0.5 * a))
            pyro.sample("y", dist.Normal(b, 1.0), obs=data()[:2])

    def local_guide() -> None:
        with pyro.plate("data", 2):
            pyro.sample("b", dist.Bernoulli(0.3), infer={"enumerate": "parallel"})

    with pytest.raises(FitError, match="'b' is enumerated in the guide, inside of a plate"):
        estimator_of(local, local_guide)


def test_an_unknown_baseline_option_is_told() -> None:
    guide = SwitchesGuide(baseline={"decay": 0.9})
    with pytest.raises(FitError, match="'a' has the baseline option 'decay'"):
        estimator_of(switches, guide)
