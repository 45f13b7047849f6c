"""AutoStructured: number for number Pyro's guide of that name, and without its faults."""

from __future__ import annotations

import copy
import io
import itertools
import math
import pickle
import warnings

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, JitTrace_ELBO, Predictive, Trace_ELBO, TraceEnum_ELBO
from pyro.infer import autoguide as stock
from pyro.infer.reparam import StructuredReparam
from pyro.optim import Adam
from pyro.poutine.util import site_is_subsample
from torch.distributions import biject_to

from autoguide_core import AutoGuideList, AutoNormal
from autoguide_core.guides.structured import AutoStructured
from autoguide_core.guides.structured.linear import unscaled


def train(model, guide, steps=3, lr=0.05, elbo=None, **kwargs):
    svi = SVI(model, guide, Adam({"lr": lr}), elbo or Trace_ELBO())
    return [svi.step(**kwargs) for _ in range(steps)]


def perturb():
    """Move all parameters away from their start, the same way for equal stores."""
    generator = torch.Generator().manual_seed(7)
    store = pyro.get_param_store()
    with torch.no_grad():
        for name in sorted(store):
            value = store[name].unconstrained()
            value.add_(0.3 * torch.randn(value.shape, generator=generator))


# --- Parity with stock Pyro ---


def scalars():
    x = pyro.sample("x", dist.Normal(1.0, 2.0))
    scale = pyro.sample("scale", dist.HalfNormal(1.0))
    pyro.sample("free", dist.Uniform(-1.0, 3.0))
    pyro.sample("obs", dist.Normal(x, scale), obs=torch.tensor(0.7))


def events():
    w = pyro.sample("nested.w", dist.Normal(torch.zeros(3), 1.0).to_event(1))
    p = pyro.sample("p", dist.Dirichlet(torch.tensor([1.0, 2.0, 3.0])))
    chol = pyro.sample("chol", dist.LKJCholesky(3, 2.0))
    pyro.sample(
        "obs", dist.Normal(w.sum(-1) + p[..., 0] + chol[..., 2, 0], 1.0), obs=p.new_ones(())
    )


def plates():
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    outer, inner = pyro.plate("outer", 3, dim=-2), pyro.plate("inner", 4, dim=-1)
    with outer:
        a = pyro.sample("a", dist.Normal(mu, 1.0))
        with inner:
            b = pyro.sample("b", dist.LogNormal(a, 0.5))
    with inner:
        c = pyro.sample("c", dist.Beta(2.0, 2.0).expand([2]).to_event(1))
    with outer, inner:
        pyro.sample("obs", dist.Normal(b, 0.1 + c.sum(-1)), obs=torch.ones(3, 4))


def centred_noise():
    scale = pyro.param("noise_scale", torch.full((8,), 0.3))
    return pyro.sample("c_noise", dist.Normal(torch.zeros(8), scale).to_event(1))


def bend(deviation):
    return torch.tanh(deviation + torch.arange(3.0))


# Dependencies across plates, backwards and through callables, and noise of all kinds.
CUSTOM = {
    "conditionals": {"mu": "delta", "a": "mvn", "b": "normal", "c": centred_noise},
    "dependencies": {"mu": {"c": "linear"}, "a": {"mu": bend}, "b": {"c": "linear", "a": "linear"}},
}
KINDS = [{"conditionals": kind, "init_scale": 0.3} for kind in ("mvn", "normal", "delta")]
CASES = [(model, options) for model in (scalars, events, plates) for options in KINDS]
CASES += [(plates, CUSTOM)]


def fitted(family, model, options, elbo):
    """Start, loss, gradients, draws and medians of a guide from one fixed seed."""
    pyro.clear_param_store()
    pyro.set_rng_seed(3)
    guide = family(model, **options)
    guide()
    store = pyro.get_param_store()
    start = {name: store[name].detach().clone() for name in store}
    perturb()
    pyro.set_rng_seed(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        loss = elbo.loss_and_grads(model, guide)
    grads = {name: store[name].unconstrained().grad for name in store}
    grads = {name: grad for name, grad in grads.items() if grad is not None}
    pyro.set_rng_seed(5)
    trace = poutine.trace(guide).get_trace()
    trace.compute_log_prob()
    sites = {name: node for name, node in trace.nodes.items() if node["type"] == "sample"}
    sites = {name: node for name, node in sites.items() if not site_is_subsample(node)}
    return {
        "start": start,
        "loss": torch.tensor(loss),
        "grads": grads,
        "values": {name: node["value"] for name, node in sites.items()},
        "log_prob": {name: node["log_prob"] for name, node in sites.items()},
        "auxiliary": [name for name, node in sites.items() if node["infer"].get("is_auxiliary")],
        "median": guide.median() if options is not CUSTOM else {},
        "dependencies": guide.dependencies,
    }


def assert_same(actual, expected):
    for key in ("auxiliary", "dependencies"):
        assert actual[key] == expected[key]
    for key in ("start", "loss", "grads", "values", "log_prob", "median"):
        if isinstance(expected[key], dict):
            assert list(actual[key]) == list(expected[key])
        torch.testing.assert_close(actual[key], expected[key], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("model", "options"), CASES)
def test_start_density_loss_and_gradients_equal_stock_pyro(model, options):
    expected = fitted(stock.AutoStructured, model, options, Trace_ELBO())
    assert_same(fitted(AutoStructured, model, options, Trace_ELBO()), expected)


@pytest.mark.parametrize(
    "elbo",
    [
        lambda: Trace_ELBO(5, vectorize_particles=True, max_plate_nesting=2),
        lambda: JitTrace_ELBO(ignore_jit_warnings=True),
    ],
)
@pytest.mark.parametrize("options", [{}, CUSTOM])
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_every_elbo_sees_the_same_loss_as_with_stock_pyro(options, elbo):
    expected = fitted(stock.AutoStructured, plates, options, elbo())
    assert_same(fitted(AutoStructured, plates, options, elbo()), expected)


def test_reparameterisation_equals_stock_pyro():
    densities = []
    families = [stock.AutoStructured, AutoStructured]
    for family in families:
        pyro.clear_param_store()
        guide = family(plates, **CUSTOM)
        guide()
        perturb()
        guide()
        pyro.set_rng_seed(3)
        preconditioned = StructuredReparam(guide)
        trace = poutine.trace(preconditioned.reparam(plates)).get_trace()
        auxiliary = {name: trace.nodes[name]["value"] for name in ("a_aux", "b_aux", "c_noise")}
        draws = preconditioned.transform_samples(auxiliary)
        densities.append((trace.log_prob_sum().detach(), {k: v.detach() for k, v in draws.items()}))
        if family is AutoStructured:
            only = preconditioned.transform_samples(auxiliary, save_params=["a"])
            torch.testing.assert_close(only, {"a": draws["a"]})
    torch.testing.assert_close(densities[1], densities[0])
    with pytest.raises(TypeError, match="AutoNormal"):
        StructuredReparam(AutoNormal(plates))


# --- What the family is for ---


def funnel():
    x = pyro.sample("x", dist.Normal(0.0, 1.0))
    y = pyro.sample("y", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    loc = x[..., None] + y
    pyro.sample("obs", dist.Normal(loc, 0.5).to_event(1), obs=torch.tensor([1.0, -0.5]))


def test_it_finds_a_normal_posterior():
    guide = AutoStructured(funnel, conditionals={"x": "normal", "y": "mvn"})
    elbo = Trace_ELBO(16, vectorize_particles=True, max_plate_nesting=0)
    for lr in (0.05, 0.01):
        train(funnel, guide, steps=150, lr=lr, elbo=elbo)
    design = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    covariance = (torch.eye(3) + design.T @ design / 0.25).inverse()
    mean = covariance @ design.T @ torch.tensor([1.0, -0.5]) / 0.25
    quantiles = guide.quantiles([0.5, 0.8413])
    packed = torch.cat([quantiles["x"][:, None], quantiles["y"]], dim=1)
    torch.testing.assert_close(packed[0], mean, rtol=0, atol=0.06)
    torch.testing.assert_close(
        packed[1] - packed[0], covariance.diagonal().sqrt(), rtol=0.1, atol=0
    )
    draws = guide.sample_posterior(20_000)
    packed = torch.cat([draws["x"][:, None], draws["y"]], dim=1)
    torch.testing.assert_close(packed.T.cov(), covariance, rtol=0.15, atol=0.03)


@pytest.mark.parametrize("model", [scalars, events, plates])
@pytest.mark.parametrize("sample_shape", [(), (5,), (2, 3)])
def test_the_chain_can_be_inverted(model, sample_shape):
    options = CUSTOM if model is plates else {}
    guide = AutoStructured(model, **options)
    guide()
    perturb()
    traces = [poutine.trace(guide).get_trace() for _ in range(torch.Size(sample_shape).numel())]

    def stacked(name):
        values = torch.stack([trace.nodes[name]["value"] for trace in traces])
        return values.reshape(sample_shape + values.shape[1:])

    supports = {
        name: node["fn"].support
        for name, node in guide.prototype_trace.nodes.items()
        if node["type"] == "sample"
    }
    unconstrained = {name: biject_to(s).inv(stacked(name)) for name, s in supports.items()}
    expected = {
        name: stacked(f"{name}_aux" if f"{name}_aux" in traces[0].nodes else f"{name}_noise")
        for name in supports
        if guide.conditionals[name] != "delta"
    }
    noises = guide._noises(unconstrained)
    assert noises.keys() == supports.keys()
    actual = {
        name: noises[name]
        if callable(guide.conditionals[name])
        else unscaled(noises[name], *guide._scales(name))
        for name in expected
    }
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=2e-4)


# --- Subsampling ---


def local(index=None):
    mu = pyro.sample("mu", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    data = torch.tensor([-1.0, 0.5, 2.0, 4.0])
    with pyro.plate(
        "rows", 4, subsample=index, subsample_size=None if index is not None else 2
    ) as i:
        u = pyro.sample("u", dist.LogNormal(mu, 1.0).to_event(1))
        pyro.sample("obs", dist.Normal(u.sum(-1), 1.0), obs=data[i])


def elbo_of(guide, auxiliary, index):
    """The ELBO, with the scales of the minibatch, at given noise."""
    trace = poutine.trace(poutine.condition(guide, data=auxiliary)).get_trace(index)
    replayed = poutine.trace(poutine.replay(local, trace=trace)).get_trace(index)
    return replayed.log_prob_sum() - trace.log_prob_sum()


@pytest.mark.parametrize("kind", ["normal", "delta"])
def test_minibatches_estimate_the_elbo_of_all_data(kind):
    options = {"conditionals": {"mu": "mvn", "u": kind}, "dependencies": {"u": {"mu": "linear"}}}
    guide = AutoStructured(local, **options)
    guide(torch.tensor([2, 0]))
    assert guide.locs.u.shape == (8,)
    perturb()
    noise = {"mu_aux": torch.randn(2)}
    noise_u = torch.randn(4, 2)

    def estimate(index):
        is_whole = index.tolist() == [0, 1, 2, 3]
        noise["u_aux"] = noise_u.reshape(-1) if is_whole else noise_u[index]
        return elbo_of(guide, noise if kind == "normal" else {"mu_aux": noise["mu_aux"]}, index)

    expected = estimate(torch.arange(4))
    pairs = [estimate(torch.tensor(pair)) for pair in itertools.combinations(range(4), 2)]
    torch.testing.assert_close(sum(pairs) / 6, expected, rtol=1e-4, atol=1e-3)
    assert max(pairs) - min(pairs) > 0.1
    torch.testing.assert_close(estimate(torch.tensor([3, 1, 0, 2])), expected, rtol=1e-4, atol=1e-3)


def test_minibatches_have_full_size_summaries_and_particles():
    options = {"conditionals": {"mu": "mvn", "u": "normal"}}
    guide = AutoStructured(local, **options)
    elbo = Trace_ELBO(5, vectorize_particles=True, max_plate_nesting=1)
    losses = train(local, guide, elbo=elbo)
    assert torch.tensor(losses).isfinite().all()
    assert guide()["u"].shape == (2, 2)
    assert guide.median()["u"].shape == (4, 2)
    assert guide.quantiles([0.1, 0.5, 0.9])["u"].shape == (3, 4, 2)
    draws = guide.sample_posterior(7)
    assert {k: v.shape for k, v in draws.items()} == {"mu": (7, 2), "u": (7, 4, 2)}


def two_locals():
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("rows", 20, subsample_size=5) as i:
        u = pyro.sample("u", dist.Normal(mu, 1.0))
        v = pyro.sample("v", dist.Normal(u, 1.0))
        pyro.sample("obs", dist.Normal(v, 1.0), obs=torch.arange(20.0)[i])


def test_what_cannot_be_subsampled_is_refused():
    place = r"'u'.*plate 'rows'.*5 of 20.*AutoNormal.*full size"
    with pytest.raises(ValueError, match=place):
        AutoStructured(two_locals)()
    guide = AutoStructured(two_locals, conditionals="normal")
    with pytest.raises(ValueError, match=rf"'v' depend on site {place}") as error:
        guide()
    remedy = str(error.value).split("(dependencies=")[1].split("),")[0]
    assert remedy == "{'u': {'mu': 'linear'}}"
    guide = AutoStructured(two_locals, conditionals="normal", dependencies={"u": {"mu": "linear"}})
    train(two_locals, guide)
    # Found out at the first minibatch too, where the first call saw all rows in order.
    parts = AutoGuideList(local)
    parts.append(AutoStructured(poutine.block(local, expose=["u"])))
    parts.append(AutoNormal(poutine.block(local, expose=["mu"])))
    for whole in (AutoStructured(local), parts):
        pyro.clear_param_store()
        whole(torch.arange(4))
        for index in ([1, 2], [3, 1, 0, 2]):
            with pytest.raises(ValueError, match=r"'u'.*plate 'rows'"):
                whole(torch.tensor(index))


# --- What the user says ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"conditionals": "mvm"}, "conditionals is 'mvm'.*'mvn'"),
        ({"conditionals": {"x": 3}}, r"conditionals\['x'\] is 3"),
        ({"dependencies": "quadratic"}, "dependencies is 'quadratic'.*'linear'"),
        ({"dependencies": {"y": "x"}}, r"dependencies\['y'\] is 'x'"),
        ({"dependencies": {"y": {"x": "cubic"}}}, r"\['y'\]\['x'\] is 'cubic'"),
        ({"dependencies": {"y": {"y": "linear"}}}, "'y' depend on itself.*'mvn'"),
        ({"init_scale": 0}, "init_scale"),
    ],
)
def test_kinds_that_do_not_exist_are_refused_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        AutoStructured(funnel, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"conditionals": {"x": "mvn", "y": "mvn", "xx": "mvn"}}, "'xx'.*Did you mean 'x'"),
        ({"conditionals": {"x": "mvn"}}, "conditionals says nothing of site 'y'"),
        ({"dependencies": {"z": {"x": "linear"}}}, "dependencies names 'z'.*sites are: x, y"),
        ({"dependencies": {"y": {"obs": "linear"}}}, r"dependencies\['y'\] names 'obs'"),
        (
            {"dependencies": {"y": {"x": "linear"}, "x": {"y": "linear"}}},
            "circle: 'x' depends on 'y' depends on 'x'",
        ),
    ],
)
def test_names_that_do_not_fit_the_model_are_refused(options, message):
    guide = AutoStructured(funnel, **options)
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            guide()


def test_a_scalar_from_a_callable_stands_for_all_entries_as_in_stock_pyro():
    def scalar():
        return pyro.param("y_aux", torch.tensor(0.25))

    def model():
        x = pyro.sample("x", dist.Normal(0.0, 1.0))
        pyro.sample("y", dist.Normal(x, torch.ones(2)).to_event(1))

    options = {"conditionals": {"x": "normal", "y": scalar}, "dependencies": {"y": {"x": "linear"}}}
    values = []
    for family in (stock.AutoStructured, AutoStructured):
        pyro.clear_param_store()
        guide = family(model, **options)
        guide()
        pyro.set_rng_seed(1)
        values.append(guide())
        losses = train(model, guide, elbo=Trace_ELBO(num_particles=2, vectorize_particles=True))
        assert all(map(math.isfinite, losses))
    torch.testing.assert_close(values[0], values[1])
    assert values[1]["y"].shape == (2,)


@pytest.mark.parametrize("place", ["conditional", "dependency"])
def test_a_callable_that_returns_a_wrong_size_is_told(place):
    def wrong(*deviation):
        return torch.zeros(1)

    options = {"conditionals": {"x": "normal", "y": wrong}}
    if place == "dependency":
        options = {"dependencies": {"y": {"x": wrong}}}
    with pytest.raises(ValueError, match=rf"{place} of site 'y'.*\(1,\).*2 entries"):
        AutoStructured(funnel, **options)()


def test_enumerated_sites_are_marginalised_as_in_stock_pyro():
    def mixture(data):
        weights = pyro.sample("weights", dist.Dirichlet(torch.ones(2)))
        locs = pyro.sample("locs", dist.Normal(torch.tensor([-1.0, 1.0]), 1.0).to_event(1))
        with pyro.plate("data", len(data)):
            z = pyro.sample("z", dist.Categorical(weights), infer={"enumerate": "parallel"})
            pyro.sample("obs", dist.Normal(locs[z], 1.0), obs=data)

    results = []
    for family in (stock.AutoStructured, AutoStructured):
        pyro.clear_param_store()
        pyro.set_rng_seed(0)
        guide = family(poutine.block(mixture, hide=["z"]))
        losses = train(
            mixture, guide, elbo=TraceEnum_ELBO(max_plate_nesting=1), data=torch.arange(3.0)
        )
        results.append((losses, guide.dependencies))
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-5)
    assert results[1][1] == results[0][1] == {"locs": {"weights": "linear"}}


def test_dependencies_that_cannot_be_found_are_told_and_can_be_given():
    def opaque():
        x = pyro.sample("x", dist.Normal(0.0, 1.0))
        y = pyro.sample("y", dist.Normal(torch.tensor(x.tolist()), 1.0))
        if type(x) is not torch.Tensor:
            raise TypeError("only plain tensors here")
        pyro.sample("obs", dist.Normal(y, 1.0), obs=torch.tensor(1.0))

    with pytest.raises(ValueError, match=r"only plain tensors.*dependencies=\{"):
        AutoStructured(opaque)()
    train(opaque, AutoStructured(opaque, dependencies={}))


def test_one_conditional_for_all_goes_with_named_dependencies():
    guide = AutoStructured(funnel, conditionals="normal", dependencies={"y": {"x": "linear"}})
    guide()
    assert guide.conditionals == {"x": "normal", "y": "normal"}
    assert guide.deps.y.x.weight.shape == (2, 1)


def test_a_part_of_a_list_sees_the_dependencies_through_hidden_observations():
    guide = AutoGuideList(plates)
    guide.append(AutoStructured(poutine.block(plates, expose=["mu", "b", "c"])))
    guide.append(AutoNormal(poutine.block(plates, expose=["a"])))
    train(plates, guide)
    # b depends on mu through the other part's a, and on c through the observations.
    assert guide[0].dependencies == {"b": {"mu": "linear"}, "c": {"b": "linear"}}
    assert guide.quantiles([0.5])["b"].shape == (1, 3, 4)
    assert guide.sample_posterior(4)["c"].shape == (4, 4, 2)


# --- Saving ---


class Twice(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2, 1))

    def forward(self, deviation):
        return deviation @ self.weight.T


@pytest.mark.parametrize("options", [{}, {"dependencies": {"y": {"x": Twice()}}}])
def test_saving_and_copying_leave_the_live_guide_working(options):
    guide = AutoStructured(funnel, **options)
    train(funnel, guide)
    buffer = io.BytesIO()
    torch.save(guide, buffer)
    pickle.dumps(guide)
    twin = copy.deepcopy(guide)
    median = {k: v.clone() for k, v in twin.median().items()}
    train(funnel, guide, lr=1.0)
    torch.testing.assert_close(twin.median(), median, rtol=0, atol=0.02)
    assert (guide.median()["y"] - median["y"]).abs().max() > 0.1
    buffer.seek(0)
    pyro.clear_param_store()
    loaded = torch.load(buffer, weights_only=False)
    torch.testing.assert_close(loaded.median(), median, rtol=0, atol=0.02)
    train(funnel, loaded)
    assert loaded.sample_posterior(3)["y"].shape == (3, 2)


# --- Summaries ---


def assorted():
    x = pyro.sample("x", dist.Normal(0.0, 1.0))
    pyro.sample(
        "low",
        dist.TransformedDistribution(
            dist.LogNormal(x, 1.0), dist.transforms.AffineTransform(3.0, -1.0)
        ),
    )
    pyro.sample("top", dist.Normal(x, 1.0))
    pyro.sample("p", dist.Dirichlet(torch.tensor([3.0, 1.0, 1.0])))


def square(deviation):
    return 4 * deviation**2


@pytest.mark.parametrize("dependency", ["linear", square])
def test_summaries_are_those_of_the_draws(dependency):
    dependencies = {"low": {"x": dependency}, "p": {"x": bend_two, "low": "linear"}}
    dependencies["top"] = {"x": "linear", "low": "linear"}  # which x reaches in two ways
    guide = AutoStructured(assorted, dependencies=dependencies, init_scale=0.5)
    guide()
    perturb()
    with torch.no_grad():
        guide.deps.top.x.weight.fill_(-1.0)
        guide.deps.top.low.weight.fill_(1.0)
        if dependency == "linear":
            guide.deps.low.x.weight.fill_(1.0)
    levels = [0.9, 0.05, 0.5]
    quantiles, draws = guide.quantiles(levels), guide.sample_posterior(20_000)
    for name, values in quantiles.items():
        empirical = torch.quantile(draws[name], torch.tensor(levels), dim=0)
        torch.testing.assert_close(values, empirical, rtol=0.1, atol=0.05)
    for name in ("x", "low", "top"):
        torch.testing.assert_close(guide.median()[name], quantiles[name][2], rtol=0.05, atol=0.02)
    assert guide.median()["p"].sum().item() == pytest.approx(1.0)


def bend_two(deviation):
    return torch.tanh(deviation + torch.arange(2.0))


def test_summaries_may_be_asked_for_before_the_first_call():
    assert AutoStructured(funnel).median()["y"].shape == (2,)
    assert AutoStructured(funnel).quantiles(iter([0.5]))["y"].shape == (1, 2)
    draws = AutoStructured(funnel, conditionals="delta").sample_posterior(4)
    assert draws["y"].shape == (4, 2)


def test_predictive_draws_in_turn_and_in_parallel():
    guide = AutoStructured(plates, **CUSTOM)
    for parallel in (False, True):
        draws = Predictive(plates, guide=guide, num_samples=5, parallel=parallel)()
        assert draws["b"].shape == (5, 3, 4)
        assert draws["c"].reshape(5, 4, 2).std(0).min() > 0


# --- Masks, supports, dtypes, names ---


@pytest.mark.parametrize("kind", ["normal", "mvn"])
def test_masked_entries_settle_at_a_standard_normal(kind):
    keep = torch.tensor([True, False])

    def masked():
        with pyro.plate("rows", 2), poutine.mask(mask=keep):
            pyro.sample("z", dist.LogNormal(1.0, 0.5))
        pyro.sample("v", dist.LogNormal(torch.ones(2), 0.5).mask(keep).to_event(1))

    guide = AutoStructured(masked, conditionals=kind, init_scale=0.5)
    elbo = Trace_ELBO(8, vectorize_particles=True, max_plate_nesting=1)
    losses = train(masked, guide, steps=200, elbo=elbo)
    assert abs(sum(losses[-50:]) / 50) < 0.2  # all terms fit, so that the bound is tight
    draws = guide.sample_posterior(2_000)
    for values in (draws["z"].log(), draws["v"].log()):
        expected = torch.tensor([1.0, 0.0]), torch.tensor([0.5, 1.0])
        torch.testing.assert_close(values.mean(0), expected[0], rtol=0, atol=0.25)
        torch.testing.assert_close(values.std(0), expected[1], rtol=0.3, atol=0)


@pytest.mark.parametrize("dependencies", ["linear", {"a": {"b": "linear"}}])
def test_a_support_that_depends_on_another_site_moves_with_it(dependencies):
    def moving():
        a = pyro.sample("a", dist.Uniform(0.0, 1.0))
        b = pyro.sample("b", dist.Uniform(torch.zeros(()), 1 - a))
        pyro.sample("obs", dist.Normal(a + b, 0.3), obs=torch.tensor(0.9))

    guide = AutoStructured(moving, dependencies=dependencies, init_scale=1.0)
    elbo = Trace_ELBO(20, vectorize_particles=True, max_plate_nesting=0)
    assert torch.tensor(train(moving, guide, steps=30, elbo=elbo)).isfinite().all()
    draws = guide.sample_posterior(500)
    assert (draws["a"] + draws["b"] <= 1 + 1e-6).all()
    assert guide.median()["a"] + guide.median()["b"] <= 1
    with pytest.raises(NotImplementedError, match="'b'"):
        guide.get_deltas()


def test_float64_models_have_float64_guides():
    def model():
        x = pyro.sample("x", dist.Normal(torch.zeros(2).double(), 1.0).to_event(1))
        y = pyro.sample("y", dist.Normal(x.sum(-1), 1.0))
        pyro.sample("obs", dist.Normal(y, 1.0), obs=torch.tensor(0.2).double())

    guide = AutoStructured(model)
    train(model, guide)
    assert guide.deps.y.x.weight.dtype == torch.float64
    for values in (guide(), guide.median(), guide.quantiles([0.5]), guide.sample_posterior(3)):
        assert {value.dtype for value in values.values()} == {torch.float64}


def test_site_names_may_be_names_of_the_guide():
    names = ["model", "forward", "deps", "locs", "call", "median", "x", "x.y", "x.call", "x_site"]

    def oddly_named():
        total = sum(pyro.sample(name, dist.Normal(float(i), 1.0)) for i, name in enumerate(names))
        pyro.sample("obs", dist.Normal(total, 1.0), obs=torch.tensor(1.0))

    guide = AutoStructured(oddly_named)
    train(oddly_named, guide)
    assert sum(map(len, guide.dependencies.values())) == 45
    assert guide.median().keys() == set(names)
    copy.deepcopy(guide).median()


def test_sites_that_are_not_continuous_get_advice():
    with pytest.raises(ValueError, match=r"discrete sample site 'z'.*enumerat"):
        AutoStructured(lambda: pyro.sample("z", dist.Bernoulli(0.5)))()
    with pytest.raises(ValueError, match="ProjectedNormal"):
        AutoStructured(lambda: pyro.sample("d", dist.ProjectedNormal(torch.ones(3))))()
