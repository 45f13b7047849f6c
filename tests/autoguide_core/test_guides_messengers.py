"""Messenger guides: against stock Pyro's number for number, and without its faults."""

from __future__ import annotations

import copy
import io
import math
import pickle

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import (
    SVI,
    JitTrace_ELBO,
    Predictive,
    Trace_ELBO,
    TraceEnum_ELBO,
    TraceMeanField_ELBO,
)
from pyro.infer import autoguide as stock
from pyro.nn import PyroModule
from pyro.optim import Adam
from torch import nn

from autoguide_core import AutoGuideList, AutoNormal, init_to_value
from autoguide_core.guides import messengers as ours

FAMILIES = ["AutoNormalMessenger", "AutoHierarchicalNormalMessenger", "AutoRegressiveMessenger"]
Normal = ours.AutoNormalMessenger
Hierarchical = ours.AutoHierarchicalNormalMessenger
Regressive = ours.AutoRegressiveMessenger


def scalars():
    x = pyro.sample("x", dist.Normal(1.0, 2.0))
    scale = pyro.sample("nested.scale", dist.HalfNormal(1.0))
    pyro.sample("obs", dist.Normal(x, scale), obs=torch.tensor(0.7))


def events():
    w = pyro.sample("w", dist.Normal(torch.zeros(3), 1.0).to_event(1))
    p = pyro.sample("p", dist.Dirichlet(torch.tensor([1.0, 2.0, 3.0])))
    chol = pyro.sample("chol", dist.LKJCholesky(3, 2.0))
    pyro.sample(
        "obs", dist.Normal(w.sum(-1) + p[..., 0] + chol[..., 2, 0], 1.0), obs=torch.ones(())
    )


def nested_plates():
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("outer", 3, dim=-2):
        a = pyro.sample("a", dist.Normal(mu, 1.0))
        with pyro.plate("inner", 4, dim=-1):
            b = pyro.sample("b", dist.LogNormal(a, 0.5).mask(torch.tensor(True)))
            pyro.sample("obs", dist.Normal(b, 1.0), obs=torch.ones(3, 4))


def subsampled(data=None):
    data = torch.arange(6.0) if data is None else data
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("data", 6, subsample_size=3, dim=-1) as index:
        z = pyro.sample("z", dist.Gamma(2.0 + mu.exp(), 2.0))
        v = pyro.sample("v", dist.Normal(mu.unsqueeze(-1), torch.ones(2)).to_event(1))
        pyro.sample("obs", dist.Normal(z + v.sum(-1), 1.0), obs=data[index])


def moving():
    top = pyro.sample("top", dist.LogNormal(0.0, 1.0))
    with pyro.plate("p", 3):
        u = pyro.sample("u", dist.Uniform(0.0, top))
        pyro.sample("obs", dist.Normal(u, 0.1), obs=torch.tensor([0.2, 0.6, 1.3]))


MODELS = [scalars, events, nested_plates, subsampled, moving]


def make(module, family, model, **options):
    if model is events and "Hierarchical" in family:
        options["hierarchical_sites"] = ["w", "p"]
    return getattr(module, family)(model, **options)


def perturb():
    generator = torch.Generator().manual_seed(7)
    store = pyro.get_param_store()
    with torch.no_grad():
        for name in sorted(store):
            value = store[name].unconstrained()
            value.add_(0.3 * torch.randn(value.shape, generator=generator))


def parameters():
    return {name: value.detach().clone() for name, value in pyro.get_param_store().items()}


def assert_same(actual, expected, **tolerance):
    assert list(actual) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, **tolerance)


def fitted(module, family, model, elbo, **options):
    pyro.clear_param_store()
    pyro.set_rng_seed(3)
    guide = make(module, family, model, **options)
    guide()
    result = {"start": parameters()}
    perturb()
    pyro.set_rng_seed(4)
    result["loss"] = elbo.loss_and_grads(model, guide)
    store = pyro.get_param_store()
    result["grads"] = {name: store[name].unconstrained().grad for name in store}
    pyro.set_rng_seed(5)
    trace = poutine.trace(guide).get_trace()
    trace.compute_log_prob()
    result["nodes"] = list(trace.nodes)
    result["sites"] = {
        name: node["log_prob"] for name, node in trace.nodes.items() if node["type"] == "sample"
    }
    result["values"] = {name: trace.nodes[name]["value"] for name in result["sites"]}
    result["call"] = [value.shape for value in guide.call()]
    return result


def assert_equal_fits(actual, expected):
    assert actual["nodes"] == expected["nodes"]
    assert actual["call"] == expected["call"]
    assert actual["loss"] == pytest.approx(expected["loss"], rel=1e-4)
    assert_same(actual["start"], expected["start"])
    assert_same(actual["values"], expected["values"], rtol=1e-4, atol=1e-5)
    assert_same(actual["sites"], expected["sites"], rtol=1e-3, atol=1e-4)
    assert_same(actual["grads"], expected["grads"], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("model", MODELS)
def test_start_trace_loss_and_gradients_equal_stock_pyro(family, model):
    options = {"init_scale": 0.3}
    expected = fitted(stock, family, model, Trace_ELBO(), **options)
    assert_equal_fits(fitted(ours, family, model, Trace_ELBO(), **options), expected)


ELBOS = {
    "vectorised": lambda: Trace_ELBO(5, vectorize_particles=True, max_plate_nesting=2),
    "mean field": TraceMeanField_ELBO,
    "traced by torch.jit": lambda: JitTrace_ELBO(ignore_jit_warnings=True),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("elbo", ELBOS)
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_every_elbo_sees_the_same_loss_as_with_stock_pyro(family, elbo):
    expected = fitted(stock, family, nested_plates, ELBOS[elbo]())
    assert_equal_fits(fitted(ours, family, nested_plates, ELBOS[elbo]()), expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_amortized_plates_share_parameters_as_in_stock_pyro(family):
    options = {"amortized_plates": ("data",)}
    expected = fitted(stock, family, subsampled, Trace_ELBO(), **options)
    actual = fitted(ours, family, subsampled, Trace_ELBO(), **options)
    assert actual["start"]["locs.v"].shape == (2,)
    assert_equal_fits(actual, expected)
    pyro.clear_param_store()
    draws = getattr(ours, family)(subsampled, **options).sample_posterior(5)
    assert draws["v"].shape == (5, 6, 2)


@pytest.mark.parametrize("weight_type", ["scalar", "element-wise"])
def test_hierarchical_options_equal_stock_pyro(weight_type, monkeypatch):
    results = []
    for module in (stock, ours):
        family = module.AutoHierarchicalNormalMessenger
        monkeypatch.setattr(family, "weight_type", weight_type)
        options = {"init_weight": 0.5, "hierarchical_sites": ["v"]}
        results.append(fitted(module, family.__name__, subsampled, Trace_ELBO(), **options))
    assert_equal_fits(results[1], results[0])


@pytest.mark.parametrize("family", FAMILIES[:2])
@pytest.mark.parametrize("model", [nested_plates, moving])
def test_medians_equal_stock_pyro(family, model):
    medians = []
    for module in (stock, ours):
        pyro.clear_param_store()
        pyro.set_rng_seed(3)
        guide = make(module, family, model)
        guide()
        perturb()
        medians.append(guide.median())
    medians[0].pop("obs")
    assert_same(medians[1], medians[0])


# --- Calls ---


@pytest.mark.parametrize("family", FAMILIES)
def test_a_first_call_inside_particles_makes_parameters_of_the_right_shape(family):
    elbo = Trace_ELBO(4, vectorize_particles=True, max_plate_nesting=1)
    elbo.loss_and_grads(subsampled, getattr(ours, family)(subsampled))
    store = pyro.get_param_store()
    assert {store[f"{group}.z"].shape for group in ("locs", "scales")} == {(6,)}
    assert store["locs.v"].shape == (6, 2)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("how", ["handler", "batch", "elements", "entries of an event"])
def test_masked_entries_do_not_count(family, how):
    keep = torch.tensor([True, False])

    def model():
        with pyro.plate("p", 2) if how in ("handler", "batch") else poutine.scale(scale=1.0):
            if how == "handler":
                with poutine.mask(mask=keep):
                    pyro.sample("z", dist.Normal(torch.ones(2), 1.0))
            elif how == "batch":
                pyro.sample("z", dist.LogNormal(torch.zeros(2), 1.0).mask(keep))
            elif how == "elements":
                pyro.sample("z", dist.LogNormal(torch.zeros(2), 1.0).mask(keep).to_event(1))
            else:
                simplex = dist.Dirichlet(torch.tensor([[1.0, 2.0, 3.0]] * 2))
                pyro.sample("z", simplex.mask(keep).to_event(1))

    guide = make(ours, family, model, init_scale=0.5)
    Trace_ELBO().loss_and_grads(model, guide)
    for name, param in guide.named_parameters():
        grad = param.grad
        assert (grad[0] != 0).all(), name
        assert (grad[1] == 0).all(), name


@pytest.mark.parametrize("family", FAMILIES)
def test_supports_move_with_the_guide_s_own_draws(family):
    guide = make(ours, family, moving, init_scale=1.0)
    draws = guide.sample_posterior(200)
    assert ((draws["u"] > 0) & (draws["u"] < draws["top"][:, None])).all()
    losses = [SVI(moving, guide, Adam({"lr": 0.05}), Trace_ELBO()).step() for _ in range(50)]
    assert all(map(math.isfinite, losses))


@pytest.mark.parametrize("family", FAMILIES)
def test_double_precision_stays(family):
    def model():
        x = pyro.sample("x", dist.Normal(torch.tensor(1.0, dtype=torch.float64), 2.0))
        pyro.sample("y", dist.LogNormal(x, torch.tensor(1.0, dtype=torch.float64)))

    guide = make(ours, family, model)
    assert {value.dtype for value in guide().values()} == {torch.float64}
    assert {param.dtype for param in guide.parameters()} == {torch.float64}
    assert {value.dtype for value in guide.median().values()} == {torch.float64}
    assert {value.dtype for value in guide.quantiles([0.5]).values()} == {torch.float64}


def test_sites_may_come_and_go():
    def model(steps):
        x = torch.zeros(())
        for step in range(steps):
            x = pyro.sample(f"x_{step}", dist.Normal(x, 1.0))

    guide = Hierarchical(model)
    svi = SVI(model, guide, Adam({"lr": 0.01}), Trace_ELBO())
    for steps in (1, 3, 2):
        svi.step(steps)
        names = [f"x_{step}" for step in range(steps)]
        assert list(guide(steps)) == list(guide.median(steps)) == names
        assert list(guide.sample_posterior(4, steps)) == names
    assert set(pyro.get_param_store()) >= {"locs.x_2", "weights.x_2"}


@pytest.mark.parametrize("family", FAMILIES)
def test_plates_may_be_loops(family):
    def model():
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        for i in pyro.plate("p", 3):
            pyro.sample(f"x_{i}", dist.Normal(mu, 1.0))

    guide = make(ours, family, model)
    assert math.isfinite(Trace_ELBO().loss_and_grads(model, guide))
    draws = guide.sample_posterior(5)
    assert draws["x_2"].shape == guide._score(draws).shape == (5,)


def test_sites_in_some_draws_only_are_told():
    def model():
        if pyro.sample("x", dist.Normal(0.0, 1.0)) > 0:
            pyro.sample("y", dist.Normal(0.0, 1.0))

    with pytest.raises(ValueError, match="'y' appears in some draws only"):
        Regressive(model, init_scale=1.0).sample_posterior(30)


@pytest.mark.parametrize("name", ["training", "forward", "a", "median"])
def test_site_names_do_not_clash_with_attributes(name):
    def model():
        for site in (name, name + ".b", "c." + name, "c"):
            pyro.sample(site, dist.Normal(0.0, 1.0))

    guide = Normal(model)
    assert list(guide()) == [name, name + ".b", "c." + name, "c"]
    assert len(pyro.get_param_store()) == 8


def test_discrete_and_spherical_sites_get_advice():
    for prior, advice in (
        (dist.Bernoulli(0.3), "enumerating"),
        (dist.VonMises3D(torch.tensor([1.0, 0.0, 0.0])), "ProjectedNormal"),
    ):
        for family in (Normal, Hierarchical, Regressive):
            with pytest.raises(ValueError, match=f"'z'.*{advice}"):
                family(lambda prior=prior: pyro.sample("z", prior))()


def test_unknown_names_and_bad_options_are_told():
    with pytest.raises(ValueError, match=r"amortized_plates.*'dta'.*Did you mean 'data'"):
        Normal(subsampled, amortized_plates="dta")()
    pyro.clear_param_store()
    with pytest.raises(ValueError, match=r"hierarchical_sites.*'mux'.*Did you mean 'mu'"):
        Hierarchical(subsampled, hierarchical_sites=["mux"])()
    pyro.clear_param_store()
    with pytest.warns(UserWarning, match=r"'later'.*right only if a later call has it"):
        Hierarchical(subsampled, hierarchical_sites=["later"])()
    pyro.clear_param_store()
    with pytest.warns(UserWarning, match="'muu'"):
        Normal(subsampled, init_loc_fn=init_to_value(values={"muu": 1.0}))()
    pyro.clear_param_store()
    with pytest.raises(ValueError, match="'mu' has the wrong shape"):
        Normal(subsampled, init_loc_fn=init_to_value(values={"mu": torch.zeros(2)}))()
    with pytest.raises(ValueError, match="init_scale"):
        Normal(subsampled, init_scale=0.0)
    with pytest.raises(ValueError, match="init_weight"):
        Hierarchical(subsampled, init_weight=0.0)
    for prior in (dist.Cauchy(0.0, 1.0), dist.LKJCholesky(2), dist.HalfCauchy(1.0)):
        with pytest.raises(ValueError, match=r"'x'.*no finite mean.*hierarchical_sites"):
            Hierarchical(lambda prior=prior: pyro.sample("x", prior))()


# --- Posteriors of one's own ---


def test_an_auxiliary_site_is_of_the_guide_only():
    class Guide(ours.AutoMessenger):
        def get_posterior(self, name, prior):
            loc = pyro.param("loc", torch.tensor(0.3))
            normal = dist.Normal(loc, 0.5)
            noise = pyro.sample(name + "_noise", normal, infer={"is_auxiliary": True})
            return dist.Delta(noise.exp(), log_density=-noise)

    def model():
        x = pyro.sample("x", dist.LogNormal(0.0, 1.0))
        pyro.sample("obs", dist.Normal(x, 1.0), obs=torch.tensor(2.0))

    guide = Guide(model)
    loss = Trace_ELBO().loss(model, guide)
    value = guide.trace.nodes["x"]["value"]
    log_p = dist.LogNormal(0.0, 1.0).log_prob(value) + dist.Normal(value, 1.0).log_prob(
        torch.tensor(2.0)
    )
    assert loss == pytest.approx(
        (dist.LogNormal(0.3, 0.5).log_prob(value) - log_p).item(), abs=1e-5
    )
    model_trace, guide_trace = guide.get_traces()
    assert list(model_trace.nodes) == ["loc", "x", "obs"]
    assert list(guide_trace.nodes) == ["x_noise", "x"]
    with pytest.raises(NotImplementedError, match="auxiliary"):
        guide._score({"x": torch.ones(3)})
    assert guide.sample_posterior(6)["x"].shape == (6,)


def encoded(data):
    with pyro.plate("data", 8, subsample_size=4) as index:
        z = pyro.sample("z", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        pyro.sample("obs", dist.Normal(z.sum(-1), 0.5), obs=data[index])


class Encoder(Normal):
    def __init__(self, model):
        super().__init__(model)
        self.network = PyroModule[nn.Linear](1, 2)

    def get_posterior(self, name, prior):
        (data,), _ = self.args_kwargs
        index = self.trace.nodes["data"]["value"]
        return dist.Normal(self.network(data[index][:, None]), 0.1).to_event(1)


def test_an_encoder_serves_as_an_amortised_guide():
    data = torch.linspace(-2.0, 2.0, 8)
    guide = Encoder(encoded)
    svi = SVI(encoded, guide, Adam({"lr": 0.05}), Trace_ELBO())
    for _ in range(150):
        svi.step(data)
    # The posterior mean of the sum of z is y * 2 / (2 + 0.25).
    median = guide.median(data)["z"]
    assert median.shape == (8, 2)
    torch.testing.assert_close(median.sum(-1), data * 2 / 2.25, atol=0.15, rtol=0.0)
    exact = guide.quantiles([0.8], data)["z"][0]
    torch.testing.assert_close(exact, median + 0.1 * torch.special.ndtri(torch.tensor(0.8)))
    assert guide._score({"z": median.expand(3, 8, 2)}, data).tolist() == pytest.approx(
        [-16 * math.log(0.1 * math.sqrt(2 * math.pi))] * 3, abs=1e-3
    )


# --- Summaries ---


@pytest.mark.parametrize("family", FAMILIES)
def test_summaries_have_full_size_and_leave_no_trace(family):
    guide = make(ours, family, subsampled)
    shapes = {"mu": (), "z": (6,), "v": (6, 2)}
    with poutine.trace() as outer:
        assert {k: v.shape for k, v in guide.median().items()} == shapes
        draws = guide.sample_posterior(7)
        quantiles = guide.quantiles([0.1, 0.5, 0.9])
    assert not [node for node in outer.trace.nodes.values() if node["type"] == "sample"]
    assert {k: v.shape for k, v in draws.items()} == {k: (7, *v) for k, v in shapes.items()}
    assert {k: v.shape for k, v in quantiles.items()} == {k: (3, *v) for k, v in shapes.items()}
    summaries = [*draws.values(), *guide.median().values(), *quantiles.values()]
    assert not any(value.requires_grad for value in summaries)
    assert guide()["z"].shape == (3,)


def test_normal_quantiles_are_exact():
    guide = Normal(nested_plates)
    guide()
    perturb()
    q = torch.tensor([0.9, 0.2])
    quantiles = guide.quantiles(q)
    loc, scale = guide.locs.b.detach(), guide.scales.b.detach()
    exact = (loc + scale * torch.special.ndtri(q).reshape(2, 1, 1)).exp()
    torch.testing.assert_close(quantiles["b"], exact)
    torch.testing.assert_close(guide.quantiles([0.5])["a"][0], guide.median()["a"])


def chain():
    mu = pyro.sample("mu", dist.Normal(1.0, 2.0))
    with pyro.plate("p", 2):
        pyro.sample("z", dist.Normal(mu, 1.0))


@pytest.mark.parametrize(
    ("family", "slope", "sd"), [(Hierarchical, 0.5, 0.3), (Regressive, 0.3, 0.3)]
)
def test_quantiles_of_dependent_sites_are_those_of_the_marginal(family, slope, sd):
    guide = family(chain)
    guide()
    guide.scales.mu, guide.scales.z = torch.tensor(0.4), torch.tensor([0.3, 0.3])
    if family is Hierarchical:
        guide.weights.z = torch.tensor([0.5, 0.5])
    median, quantiles = guide.median(), guide.quantiles([0.5, 0.9])
    mu_sd = 0.4 * (2.0 if family is Regressive else 1.0)
    total = math.sqrt((slope * mu_sd) ** 2 + sd**2)
    torch.testing.assert_close(quantiles["mu"][0], median["mu"])
    spread = quantiles["z"][1] - quantiles["z"][0]
    torch.testing.assert_close(spread, torch.full((2,), 1.2816 * total), atol=0.03, rtol=0.0)


def test_indices_that_the_model_gives_are_told():
    def given(index):
        with pyro.plate("data", 10, subsample=index):
            pyro.sample("z", dist.Normal(0.0, 1.0))

    guide = Normal(given)
    with pytest.raises(ValueError, match=r"'z'.*'data'.*2 of 10.*pass all indices"):
        guide.median(torch.tensor([3, 7]))
    assert guide.sample_posterior(2, torch.arange(10))["z"].shape == (2, 10)


def test_draws_of_many_observations_are_taken_in_turns(monkeypatch):
    from autoguide_core.guides.messengers import runs

    monkeypatch.setattr(runs, "_LARGEST_TENSOR", 50)
    guide = Hierarchical(nested_plates, init_scale=0.3)
    draws = guide.sample_posterior(9)
    assert draws["b"].shape == (9, 3, 4)
    assert len(draws["b"][:, 0, 0].unique()) == 9
    parts = [guide._score({k: v[i : i + 1] for k, v in draws.items()}) for i in range(9)]
    torch.testing.assert_close(guide._score(draws), torch.cat(parts))


# --- Scores ---


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("model", MODELS)
def test_a_score_is_the_density_of_the_guide_s_trace(family, model):
    guide = make(ours, family, model, init_scale=0.3)
    guide()
    perturb()
    draws = guide.sample_posterior(4)
    scores = guide._score(draws)
    assert scores.shape == (4,)
    assert not scores.requires_grad
    for row in range(4):
        values = {name: value[row] for name, value in draws.items()}
        expected = 0.0
        if model is subsampled:  # all of its elements, in two halves
            for half in (torch.arange(3), torch.arange(3, 6)):
                part = {k: v if k == "mu" else v[half] for k, v in values.items()}
                trace = replayed(guide, {**part, "data": half})
                mu = trace.nodes["mu"]["log_prob_sum"]
                expected += (trace.nodes["z"]["log_prob"] + 0.0).sum() / 2
                expected += trace.nodes["v"]["log_prob"].sum() / 2
            expected += mu
        else:
            trace = replayed(guide, values)
            expected = sum(trace.nodes[name]["log_prob_sum"] for name in values)
        assert scores[row].item() == pytest.approx(expected.item(), rel=1e-3, abs=1e-3)


def replayed(guide, values):
    """The guide's trace with values in place, by way of conditioning its model's sites."""
    given = poutine.Trace()
    for name, value in values.items():
        given.add_node(name, name=name, type="sample", value=value, is_observed=False, infer={})

    class Place(poutine.messenger.Messenger):
        def _pyro_sample(self, msg):
            if msg["name"] in values and not msg["is_observed"]:
                msg["value"] = values[msg["name"]]

    with Place():
        guide()
    trace = guide.get_traces()[1]
    trace.compute_log_prob()
    return trace


def test_a_model_that_cannot_be_run_at_once_is_run_draw_by_draw():
    def leftmost():
        w = pyro.sample("w", dist.Normal(torch.zeros(4), 1.0).to_event(1))
        # Under a plate of draws, w[0] would be the first draw.
        pyro.sample("z", dist.Normal(w[0].sum(), 1.0))

    guide = Hierarchical(leftmost, init_scale=0.5)
    draws = guide.sample_posterior(4)
    loc = guide.locs.z + draws["w"][:, 0] * guide.weights.z
    expected = dist.Normal(loc, guide.scales.z).log_prob(draws["z"])
    expected += dist.Normal(guide.locs.w, guide.scales.w).log_prob(draws["w"]).sum(-1)
    torch.testing.assert_close(guide._score(draws), expected.detach().double(), check_dtype=False)


def test_draws_that_cannot_be_scored_are_told():
    guide = Normal(moving)
    with pytest.raises(ValueError, match="no draws of the latent site 'u'"):
        guide._score({"top": torch.ones(2)})
    with pytest.raises(ValueError, match="common number of rows"):
        guide._score({"top": torch.ones(2), "u": torch.ones(3, 3)})
    with pytest.raises(ValueError, match="support"):
        guide._score({"top": torch.ones(2), "u": torch.full((2, 3), 1.5)})


# --- Lists ---


def in_list(part, model=subsampled, **options):
    guide = AutoGuideList(model)
    guide.append(AutoNormal(poutine.block(model, expose=["mu"]), init_scale=0.3))
    guide.append(part(poutine.block(model, hide=["mu"]), **options))
    return guide


def test_a_part_of_a_list_follows_the_draws_of_earlier_parts():
    guide = in_list(Hierarchical, hierarchical_sites=["v"])
    elbo = Trace_ELBO(3, vectorize_particles=True, max_plate_nesting=1)
    assert math.isfinite(elbo.loss_and_grads(subsampled, guide))
    perturb()
    trace = poutine.trace(guide).get_trace()
    assert not trace.observation_nodes
    index, mu = trace.nodes["data"]["value"], trace.nodes["mu"]["value"]
    normal = trace.nodes["v"]["fn"].base_dist.base_dist
    part = guide[1]
    loc = (part.locs.v + mu * part.weights.v)[index]
    torch.testing.assert_close(normal.loc, loc)
    assert set(pyro.get_param_store()) == {
        *(f"AutoGuideList.0.{group}.mu" for group in ("locs", "scales")),
        *(f"AutoGuideList.1.{group}.{site}" for group in ("locs", "scales") for site in "zv"),
        "AutoGuideList.1.weights.v",
    }


def test_summaries_of_a_list_are_joint():
    guide = in_list(Hierarchical, model=chain)
    guide()
    guide[0].scales.mu, guide[1].scales.z = torch.tensor(2.0), torch.full((2,), 0.01)
    draws = guide.sample_posterior(50)
    torch.testing.assert_close(draws["z"][:, 0], draws["mu"], atol=0.1, rtol=0.0)
    torch.testing.assert_close(guide.median()["z"], guide.median()["mu"].expand(2))
    assert guide.quantiles([0.1, 0.9])["z"].shape == (2, 2)
    assert guide[1].sample_posterior(3)["z"].shape == (3, 2)
    score = guide[1]._score(draws)
    expected = dist.Normal(draws["mu"][:, None], 0.01).log_prob(draws["z"]).sum(-1)
    torch.testing.assert_close(score, expected, check_dtype=False, rtol=1e-3, atol=1e-3)
    pyro.clear_param_store()
    full = in_list(Hierarchical).sample_posterior(4)
    assert full["v"].shape == (4, 6, 2)


def test_a_part_before_the_sites_that_it_follows_is_told():
    for family, follows in ((Hierarchical, True), (Normal, False)):
        pyro.clear_param_store()
        guide = AutoGuideList(chain)
        guide.append(family(poutine.block(chain, hide=["mu"])))
        guide.append(AutoNormal(poutine.block(chain, expose=["mu"])))
        if follows:
            with pytest.raises(ValueError, match=r"'z' given site 'mu'.*put the part that covers"):
                guide()
        else:
            assert guide().keys() == {"z", "mu"}


def test_a_list_makes_room_for_enumerated_sites():
    def mixture():
        weights = pyro.sample("weights", dist.Dirichlet(torch.ones(2)))
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        locs = pyro.sample("locs", dist.Normal(mu.unsqueeze(-1), 1.0).expand([2]).to_event(1))
        with pyro.plate("data", 3):
            z = pyro.sample("z", dist.Categorical(weights), infer={"enumerate": "parallel"})
            loc = locs[..., 0] + (locs[..., 1] - locs[..., 0]) * z
            pyro.sample("obs", dist.Normal(loc, 1.0), obs=torch.tensor([-1.0, 0.5, 2.0]))

    guide = AutoGuideList(mixture)
    guide.append(Hierarchical(poutine.block(mixture, hide=["z"]), hierarchical_sites=["locs"]))
    svi = SVI(mixture, guide, Adam({"lr": 0.01}), TraceEnum_ELBO(max_plate_nesting=1))
    assert all(math.isfinite(svi.step()) for _ in range(3))
    assert guide.median().keys() == {"weights", "mu", "locs"}


# --- Copies and files ---


@pytest.mark.parametrize("family", FAMILIES)
def test_copies_and_files_keep_the_guide_and_leave_the_original_alone(family):
    guide = make(ours, family, nested_plates)
    svi = SVI(nested_plates, guide, Adam({"lr": 0.1}), Trace_ELBO())
    svi.step()
    medians = guide.median()
    buffer = io.BytesIO()
    torch.save(guide, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    for twin in (copy.deepcopy(guide), loaded, pickle.loads(pickle.dumps(loaded))):
        pyro.clear_param_store()
        assert_same(twin.median(), medians)
        SVI(nested_plates, twin, Adam({"lr": 0.1}), Trace_ELBO()).step()
        assert not torch.equal(twin.median()["mu"], medians["mu"])
    pyro.clear_param_store()  # a guide takes what the store has under its names
    assert_same(guide.median(), medians)


def test_a_model_that_cannot_be_saved_can_be_given_back():
    model = lambda: nested_plates()  # noqa: E731
    guide = Normal(model)
    guide()
    loaded = pickle.loads(pickle.dumps(guide))
    with pytest.raises(RuntimeError, match="attach_model"):
        loaded()
    loaded.attach_model(model)
    assert_same(loaded.median(), guide.median())


def test_a_state_dict_can_be_loaded_before_the_first_call():
    guide = Hierarchical(subsampled)
    guide()
    perturb()
    state, medians = guide.state_dict(), guide.median()
    pyro.clear_param_store()
    twin = Hierarchical(subsampled)
    twin.load_state_dict(state)
    assert_same(twin.median(), medians)
    state["locs.z_unconstrained"] = torch.zeros(5)
    other = Hierarchical(subsampled)
    other.load_state_dict(state)
    with pytest.raises(ValueError, match=r"\(5,\).*'locs.z_unconstrained'.*'z' needs \(6,\)"):
        other.median()


def test_values_of_another_guide_are_told_and_kept():
    Normal(chain, init_loc_fn=init_to_value(values={"mu": 7.0, "z": 7.0}))()
    guide = Normal(chain)
    with pytest.warns(UserWarning, match="'locs.mu' was in Pyro's parameter store") as record:
        guide()
    assert len(record) == 1
    assert guide.median()["mu"] == 7.0


def test_parameters_are_there_before_the_first_call_where_no_data_are_needed():
    assert len(list(Hierarchical(chain).parameters())) == 6


def test_predictive_draws_the_sites_of_the_guide():
    guide = Hierarchical(chain)
    for parallel in (False, True):
        draws = Predictive(chain, guide=guide, num_samples=6, parallel=parallel)()
        assert draws["z"].shape == (6, 2)
        assert draws["mu"].unique().numel() == 6
