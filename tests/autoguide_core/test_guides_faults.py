"""The faults of stock automatic guides that ours must not have, one test each."""

from __future__ import annotations

import copy
import io
import pickle

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Predictive, Trace_ELBO, TraceEnum_ELBO
from pyro.nn import PyroParam
from pyro.optim import Adam
from torch.distributions import constraints
from torch.fx.experimental.proxy_tensor import make_fx

from autoguide_core import (
    AutoCallable,
    AutoDelta,
    AutoDiagonalNormal,
    AutoDiscreteParallel,
    AutoGuide,
    AutoGuideList,
    AutoIAFNormal,
    AutoLaplaceApproximation,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    AutoNormal,
    AutoNormalizingFlow,
    init_to_feasible,
    init_to_mean,
    init_to_value,
)
from autoguide_core.guides.noise import NoiseScoredMultivariateNormal

JOINT = [
    AutoDiagonalNormal,
    AutoMultivariateNormal,
    AutoLowRankMultivariateNormal,
    AutoLaplaceApproximation,
    AutoIAFNormal,
]
CONTINUOUS = [AutoNormal, AutoDelta, *JOINT]


def pair(y=0.5):
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b", dist.LogNormal(torch.zeros(3), 1.0).to_event(1))
    pyro.sample("obs", dist.Normal(a + b.sum(-1), 1.0), obs=torch.as_tensor(y))


def subsampled(data=None):
    data = torch.arange(20.0) if data is None else data
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("data", 20, subsample_size=5) as index:
        u = pyro.sample("u", dist.Uniform(0.0, 2.0))
        pyro.sample("obs", dist.Normal(mu + u, 1.0), obs=data[index])


def train(model, guide, steps=3, lr=0.05, elbo=None, **kwargs):
    svi = SVI(model, guide, Adam({"lr": lr}), elbo or Trace_ELBO())
    return [svi.step(**kwargs) for _ in range(steps)]


# --- Subsampling ---


@pytest.mark.parametrize("family", JOINT)
def test_joint_families_refuse_a_latent_in_a_subsampled_plate(family):
    with pytest.raises(ValueError, match=r"'u'.*plate 'data'.*5 of 20.*AutoNormal"):
        family(subsampled)()


@pytest.mark.parametrize("family", [AutoNormal, AutoDelta])
def test_summaries_have_full_size_under_subsampling(family):
    guide = family(subsampled)
    train(subsampled, guide)
    assert guide()["u"].shape == (5,)
    assert guide.median()["u"].shape == (20,)
    assert guide.quantiles([0.1, 0.9])["u"].shape == (2, 20)
    draws = guide.sample_posterior(7)
    assert {k: v.shape for k, v in draws.items()} == {"mu": (7,), "u": (7, 20)}


def discrete():
    data = torch.arange(8.0)
    with pyro.plate("data", 8, subsample_size=4) as index:
        z = pyro.sample("z", dist.Categorical(torch.tensor([0.2, 0.3, 0.5])))
        b = pyro.sample("b", dist.Bernoulli(0.3))
        h = pyro.sample("h", dist.OneHotCategorical(torch.tensor([0.1, 0.9])))
        loc = torch.tensor([-1.0, 0.0, 1.0])[z] + b + h[..., 0]
        pyro.sample("obs", dist.Normal(loc, 1.0), obs=data[index])


def test_discrete_parallel_has_full_size_parameters_and_summaries():
    guide = AutoDiscreteParallel(discrete)
    losses = train(discrete, guide, elbo=TraceEnum_ELBO(max_plate_nesting=1))
    assert all(map(torch.isfinite, map(torch.tensor, losses)))
    assert guide.z_probs.shape == (8, 3)
    assert guide.probabilities()["b"].shape == (8,)
    assert {k: v.shape for k, v in guide.median().items()} == {"z": (8,), "b": (8,), "h": (8, 2)}
    assert guide.quantiles([0.1, 0.9])["h"].shape == (2, 8, 2)
    draws = guide.sample_posterior(5)
    assert {k: v.shape for k, v in draws.items()} == {"z": (5, 8), "b": (5, 8), "h": (5, 8, 2)}


def test_discrete_quantiles_are_those_of_the_draws():
    guide = AutoDiscreteParallel(lambda: pyro.sample("z", dist.Categorical(torch.ones(4) / 4)))
    guide()
    assert guide.quantiles([0.1, 0.3, 0.6, 1.0])["z"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("in_list", [False, True])
def test_indices_that_the_model_gives_are_those_of_the_guide(in_list):
    def given(index):
        with pyro.plate("data", 10, subsample=index):
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
            pyro.sample("obs", dist.Normal(z, 1.0), obs=index.float())

    guide = AutoNormal(given)
    if in_list:
        guide = AutoGuideList(given)
        guide.append(AutoNormal(given))
    for index in (torch.tensor([1, 2, 3]), torch.tensor([7, 4]), torch.tensor([0])):
        train(given, guide, index=index)
        trace = poutine.trace(guide).get_trace(index)
        assert trace.nodes["data"]["value"].tolist() == index.tolist()
        assert trace.nodes["z"]["value"].shape == index.shape
    assert guide.median(index)["z"].shape == (10,)


# --- Initial values ---


@pytest.mark.parametrize("value", [torch.zeros(1, 3), torch.ones(1), torch.ones(4), "x"])
def test_an_initial_value_of_the_wrong_shape_or_type_is_told(value):
    guide = AutoNormal(pair, init_loc_fn=init_to_value(values={"b": value}))
    with pytest.raises(ValueError, match="site 'b'"):
        guide()


def test_initial_values_are_checked_for_support_and_scalars_are_expanded():
    with pytest.raises(ValueError, match="site 'b' is not in the site's support"):
        AutoNormal(pair, init_loc_fn=init_to_value(values={"b": -1.0}))()
    guide = AutoNormal(pair, init_loc_fn=init_to_value(values={"b": 2}))
    assert guide.median()["b"].tolist() == pytest.approx([2.0] * 3)


def test_an_initial_value_for_an_unknown_site_is_told():
    typo = init_to_value(values={"aa": 1.0}, fallback=init_to_feasible)
    with pytest.raises(ValueError, match=r"'aa'.*Did you mean 'a'"):
        AutoNormal(pair, init_loc_fn=typo)()
    part = AutoNormal(poutine.block(pair, expose=["b"]), init_loc_fn=init_to_value(values={"a": 0}))
    with pytest.raises(ValueError, match="'a'"):
        part()


def test_whole_numbers_serve_as_scales_and_widths():
    for family in (AutoNormal, AutoDiagonalNormal, AutoMultivariateNormal):
        family(pair, init_scale=1)
    for bad in (0, -1.0, float("nan"), "1", True):
        with pytest.raises(ValueError, match="init_scale"):
            AutoNormal(pair, init_scale=bad)
    AutoIAFNormal(pair, hidden_dim=5)()


# --- Lists ---


def test_overlapping_parts_are_told():
    guide = AutoGuideList(pair)
    guide.append(AutoNormal(poutine.block(pair, expose=["a"])))
    guide.append(AutoDiagonalNormal(pair))
    with pytest.raises(ValueError, match=r"'a': AutoGuideList.0 and AutoGuideList.1"):
        train(pair, guide)


def test_uncovered_sites_and_empty_parts_are_told_once():
    guide = AutoGuideList(pair)
    guide.append(AutoNormal(poutine.block(pair, expose=["a"])))
    guide.append(AutoDelta(poutine.block(pair, expose=["typo"])))
    with pytest.warns(UserWarning, match="cover") as record:
        guide()
    messages = [str(w.message) for w in record]
    assert any("covers latent site 'b'" in m for m in messages)
    assert any("covers no site" in m for m in messages)
    guide()


def test_a_part_over_a_site_that_the_list_does_not_have_is_told():
    guide = AutoGuideList(poutine.block(pair, hide=["b"]))
    guide.append(AutoNormal(pair))
    with pytest.raises(ValueError, match="'b'"):
        guide()


def test_lists_nest_name_and_refuse_as_documented():
    guide, inner = AutoGuideList(pair), AutoGuideList(pair)
    a = AutoNormal(poutine.block(pair, expose=["a"]))
    inner.append(a)
    guide.append(inner)
    guide.rest = AutoDiagonalNormal(poutine.block(pair, expose=["b"]))
    assert a.master() is guide
    assert inner.master() is guide
    with pytest.raises(RuntimeError, match="already"):
        guide.append(a)
    with pytest.warns(DeprecationWarning, match="append"):
        AutoGuideList(pair).add(lambda: None)
    trace = poutine.trace(guide).get_trace(y=0.1)
    assert "_AutoGuideList.rest_latent" in trace.nodes
    assert "AutoGuideList.0.0.locs.a" in trace.nodes
    assert guide[0:1] == [inner]
    assert guide.median().keys() == {"a", "b"}
    assert guide.sample_posterior(4)["b"].shape == (4, 3)


def test_create_plates_belongs_to_the_list_and_sets_the_subsample():
    index = torch.tensor([1, 3, 5, 7, 9])

    def create_plates(data):
        return pyro.plate("data", 20, subsample=index)

    data = torch.arange(20.0)
    guide = AutoGuideList(subsampled, create_plates=create_plates)
    guide.append(AutoNormal(subsampled))
    trace = poutine.trace(guide).get_trace(data)
    assert trace.nodes["data"]["value"].tolist() == index.tolist()
    bad = AutoNormal(subsampled, create_plates=lambda data: "data")
    with pytest.raises(ValueError, match="not a pyro"):
        bad(data)


def test_a_bare_callable_is_a_part():
    def local(y=0.5):
        loc = pyro.param("loc", torch.tensor(0.3))
        pyro.sample("a", dist.Normal(loc, 1.0))

    def local_median(y=0.5):
        return {"a": pyro.param("loc").detach()}

    guide = AutoGuideList(pair)
    guide.append(AutoNormal(poutine.block(pair, expose=["b"])))
    guide.append(AutoCallable(pair, local, local_median))
    train(pair, guide, y=1.0)
    assert guide.median()["a"].shape == ()


# --- Names ---

NAMES = [
    "model",
    "plates",
    "median",
    "forward",
    "master",
    "call",
    "quantiles",
    "x",
    "x.y",
    "x.call",
]
NAMES += ["training", "prototype_trace", "sample_posterior", "_sites"]


def oddly_named():
    total = sum(pyro.sample(name, dist.Normal(float(i), 1.0)) for i, name in enumerate(NAMES))
    pyro.sample("obs", dist.Normal(total, 1.0), obs=torch.tensor(1.0))


@pytest.mark.parametrize("family", [AutoNormal, AutoDelta, AutoDiagonalNormal])
def test_site_names_may_be_names_of_the_guide(family):
    guide = family(oddly_named, init_loc_fn=init_to_value(values=dict.fromkeys(NAMES, 0.0)))
    train(oddly_named, guide)
    assert list(guide.median()) == NAMES
    copy.deepcopy(guide).median()


def test_ordinary_names_keep_the_paths_of_stock_pyro():
    AutoNormal(pair)()
    AutoDelta(pair)()
    expected = {"AutoDelta.a", "AutoDelta.b"}
    expected |= {f"AutoNormal.{kind}.{name}" for kind in ("locs", "scales") for name in "ab"}
    assert set(pyro.get_param_store()) == expected


# --- Saving and copying ---


def a_list():
    guide = AutoGuideList(pair)
    guide.append(AutoMultivariateNormal(poutine.block(pair, expose=["a"])))
    guide.append(AutoNormal(poutine.block(pair, expose=["b"])))
    return guide


MAKERS = [lambda f=f: f(pair) for f in CONTINUOUS] + [a_list]


@pytest.mark.parametrize("make", MAKERS)
def test_saving_and_copying_leave_the_live_guide_working(make):
    guide = make()
    train(pair, guide)
    buffer = io.BytesIO()
    torch.save(guide, buffer)
    pickle.dumps(guide)
    twin = copy.deepcopy(guide)
    train(pair, guide)
    median = {k: v.clone() for k, v in twin.median().items()}
    train(pair, guide, lr=1.0)
    torch.testing.assert_close(twin.median(), median, rtol=0.3, atol=0.3)  # flows use draws
    buffer.seek(0)
    pyro.clear_param_store()
    loaded = torch.load(buffer, weights_only=False)
    assert loaded.median().keys() == {"a", "b"}
    assert loaded()["b"].shape == (3,)
    train(pair, loaded)
    if isinstance(guide, AutoGuideList):
        assert all(part.master() is loaded for part in loaded)
        assert all(part.master() is guide for part in guide)
    if isinstance(twin, AutoLaplaceApproximation):
        twin.laplace_approximation()


def test_a_loaded_guide_says_that_it_has_no_model():
    guide = pickle.loads(pickle.dumps(AutoNormal(pair)))
    with pytest.raises(RuntimeError, match="not saved"):
        guide()


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("family", CONTINUOUS)
def test_call_can_be_traced(family):
    guide = family(pair)
    guide()
    traced = torch.jit.trace_module(guide, {"call": ()}, check_trace=False)
    a, b = traced.call()
    assert (a.shape, b.shape) == ((), (3,))


# --- Masks ---


def masked(keep):
    with pyro.plate("data", 4):
        with poutine.mask(mask=keep):
            pyro.sample("z", dist.Normal(0.0, 1.0))
        pyro.sample("w", dist.LogNormal(0.0, 1.0).mask(~keep))
    pyro.sample("v", dist.HalfNormal(torch.ones(4)).mask(keep).to_event(1))


def test_masked_entries_take_no_part():
    keep = torch.tensor([True, False, True, False])
    guide = AutoNormal(masked)
    losses = train(masked, guide, steps=200, lr=0.1, keep=keep)
    for name, used in {"z": keep, "w": ~keep, "v": keep}.items():
        scale = getattr(guide.scales, name)
        assert scale[~used].tolist() == pytest.approx([0.1, 0.1])
        assert (scale[used] > 0.5).all()
    assert -0.3 < sum(losses[-50:]) / 50 < 1.5  # it would fall without bound
    # The mask is that of the call, not of the prototype.
    trace = poutine.trace(guide).get_trace(keep=~keep)
    trace.compute_log_prob()
    log_prob = trace.nodes["z_unconstrained"]["log_prob"]
    assert (log_prob != 0).tolist() == (~keep).tolist()


def test_missing_observations_leave_no_trace_on_the_observed_cells():
    data = torch.tensor([1.0, 0.0, 2.0, 0.0, 3.0, 0.0])
    seen = torch.tensor([True, False, True, False, True, False])

    def missing():
        mu = pyro.sample("mu", dist.Normal(0.0, 3.0))
        with pyro.plate("data", 6, subsample_size=4) as index:
            pyro.sample("y", dist.Normal(mu, 1.0), obs=data[index], obs_mask=seen[index])

    guide = AutoNormal(missing)
    train(missing, guide, steps=100)
    scale = guide.scales.y_unobserved
    assert scale[seen].tolist() == pytest.approx([0.1] * 3)
    assert (scale[~seen] > 0.2).all()


@pytest.mark.parametrize("family", [AutoDiagonalNormal, AutoMultivariateNormal])
def test_masked_entries_of_a_joint_draw_settle_at_a_standard_normal(family):
    keep = torch.tensor([True, False, True, False])
    guide = family(masked, init_scale=0.5)
    elbo = Trace_ELBO(8, vectorize_particles=True, max_plate_nesting=1)
    train(masked, guide, steps=250, lr=0.05, elbo=elbo, keep=keep)
    loc, scale = guide._loc_scale()
    entries = torch.cat([~keep, keep, ~keep])  # of z, w and v
    torch.testing.assert_close(loc[entries], torch.zeros(6), rtol=0, atol=0.4)
    torch.testing.assert_close(scale[entries], torch.ones(6), rtol=0, atol=0.4)


@pytest.mark.parametrize("family", CONTINUOUS)
def test_a_site_that_is_masked_as_a_whole_is_harmless(family):
    def model():
        pyro.sample("x", dist.Normal(0.0, 1.0))
        pyro.sample("p", dist.Dirichlet(torch.ones(3)).mask(False))

    guide = family(model)
    losses = train(model, guide, steps=5)
    assert all(map(torch.isfinite, map(torch.tensor, losses)))


# --- Supports that move ---


def moving():
    a = pyro.sample("a", dist.Uniform(0.0, 1.0))
    b = pyro.sample("b", dist.Uniform(torch.zeros(()), 1 - a))
    pyro.sample("obs", dist.Normal(a + b, 0.3), obs=torch.tensor(0.9))


def moving_parts():
    guide = AutoGuideList(moving)
    guide.append(AutoDiagonalNormal(poutine.block(moving, expose=["a"])))
    guide.append(AutoNormal(poutine.block(moving, expose=["b"])))
    return guide


@pytest.mark.parametrize(
    "make",
    [
        lambda: AutoNormal(moving, init_scale=1.0),
        lambda: AutoMultivariateNormal(moving, init_scale=1.0),
        moving_parts,
    ],
)
def test_a_support_that_depends_on_another_site_moves_with_it(make):
    guide = make()
    elbo = Trace_ELBO(20, vectorize_particles=True, max_plate_nesting=0)
    losses = train(moving, guide, steps=30, elbo=elbo)
    assert all(map(torch.isfinite, map(torch.tensor, losses)))
    draws = guide.sample_posterior(500)
    assert draws["b"].shape == (500,)
    assert (draws["a"] + draws["b"] <= 1 + 1e-6).all()
    median, quantiles = guide.median(), guide.quantiles([0.05, 0.95])
    assert median["a"] + median["b"] <= 1
    assert (quantiles["b"][0] < quantiles["b"][1]).all()


def test_supports_that_cannot_be_followed_are_told():
    with pytest.raises(ValueError, match=r"'b'.*depends on a"):
        AutoDelta(moving)()
    guide = AutoGuideList(moving)
    guide.append(AutoNormal(poutine.block(moving, expose=["b"])))
    guide.append(AutoNormal(poutine.block(moving, expose=["a"])))
    with pytest.raises(ValueError, match=r"'b' depends on site 'a'"):
        guide()


def test_moving_supports_work_beside_plates_float64_and_discrete_sites():
    half = torch.tensor(0.5).double()

    def model(top):
        a = pyro.sample("a", dist.Uniform(0.0, top))
        with pyro.plate("rows", 2, dim=-1):
            b = pyro.sample("b", dist.Uniform(a, top))
            z = pyro.sample("z", dist.Bernoulli(half), infer={"enumerate": "parallel"})
            with pyro.plate("deep", 3, dim=-2):
                pyro.sample("obs", dist.Normal(b + z, 1.0), obs=torch.ones(3, 2).double())

    guide = AutoGuideList(model)
    guide.append(AutoNormal(poutine.block(model, hide=["z"])))
    elbo = TraceEnum_ELBO(max_plate_nesting=2, num_particles=3, vectorize_particles=True)
    for size in (1.0, 5.0, 100.0):
        top = torch.tensor(size).double()
        train(model, guide, elbo=elbo, top=top)
        draws = guide.sample_posterior(50, top)
        assert draws["b"].shape == (50, 2)
        assert (draws["b"] >= draws["a"][:, None]).all()
        assert (draws["b"] <= top).all()


def test_a_model_that_cannot_be_traced_still_has_its_supports_followed():
    def model(top):
        pyro.sample("a", dist.Uniform(0.0, torch.from_numpy(top.numpy()) + 0.0))

    guide = AutoNormal(model, init_scale=5.0)
    for size in (1.0, 100.0):
        top = torch.full((4,), size)
        assert guide(top)["a"].max() <= size
    assert (guide.median(torch.full((4,), 8.0))["a"] <= 8).all()


def capped(caps):
    with pyro.plate("data", len(caps), subsample_size=2) as index:
        pyro.sample("u", dist.Uniform(0.0, caps[index]))


def test_a_support_that_depends_on_the_minibatch_moves_with_it():
    caps = torch.tensor([1.0, 10.0, 100.0, 1000.0])
    guide = AutoNormal(capped, init_scale=5.0)
    for _ in range(20):
        trace = poutine.trace(guide).get_trace(caps)
        index, u = trace.nodes["data"]["value"], trace.nodes["u"]["value"]
        assert (u <= caps[index]).all()
        poutine.trace(poutine.replay(capped, trace=trace)).get_trace(caps).compute_log_prob()
    with pytest.raises(NotImplementedError, match="'u'"):
        guide.median(caps)


# --- Summaries ---


def assorted():
    pyro.sample(
        "low",
        dist.TransformedDistribution(
            dist.LogNormal(0.0, 1.0), dist.transforms.AffineTransform(3.0, -1.0)
        ),
    )
    pyro.sample("p", dist.Dirichlet(torch.tensor([3.0, 1.0, 1.0])))


@pytest.mark.parametrize("family", CONTINUOUS)
def test_quantiles_are_those_of_the_draws(family):
    guide = family(assorted)
    guide()
    levels = [0.9, 0.05, 0.5]
    quantiles, draws = guide.quantiles(levels), guide.sample_posterior(20_000)
    for name, values in quantiles.items():
        empirical = torch.quantile(draws[name], torch.tensor(levels), dim=0)
        torch.testing.assert_close(values, empirical, rtol=0.1, atol=0.05)
    assert guide.median()["p"].sum().item() == pytest.approx(1.0)


@pytest.mark.parametrize("family", CONTINUOUS)
def test_summaries_may_be_asked_for_before_the_first_call(family):
    for guide in (family(pair), family(pair)):
        assert guide.median(y=0.1)["b"].shape == (3,)
    assert family(pair).quantiles([0.5], y=0.1)["b"].shape == (1, 3)
    assert family(pair).sample_posterior(2, y=0.1)["b"].shape == (2, 3)


def test_the_base_class_has_no_median_and_draws_by_its_forward():
    class Mine(AutoGuide):
        def forward(self):
            self._ensure_prototype()
            self._create_plates()
            with self._site_plates(self.prototype_trace.nodes["x"]):
                return {"x": pyro.sample("x", dist.Normal(5.0, 0.1))}

    def model():
        with pyro.plate("rows", 2, dim=-2), pyro.plate("data", 8, subsample_size=3):
            pyro.sample("x", dist.Normal(0.0, 1.0))

    guide = Mine(model)
    assert guide()["x"].shape == (2, 3)
    draws = guide.sample_posterior(6)["x"]
    assert draws.shape == (6, 2, 8)
    assert draws.std() > 0.05
    with pytest.raises(NotImplementedError):
        guide.median()
    assert guide.quantiles([0.5])["x"].shape == (1, 2, 8)


# --- Numbers ---


@pytest.mark.parametrize("family", CONTINUOUS)
def test_float64_models_have_float64_guides(family):
    def model():
        x = pyro.sample("x", dist.Normal(torch.zeros(2, dtype=torch.float64), 1.0).to_event(1))
        pyro.sample("obs", dist.Normal(x.sum(-1), 1.0), obs=torch.tensor(0.2).double())

    guide = family(model)
    train(model, guide)
    assert guide()["x"].dtype == torch.float64
    assert guide.median()["x"].dtype == torch.float64
    assert guide.sample_posterior(3)["x"].dtype == torch.float64


@pytest.mark.parametrize("batch", [(), (4,), (4, 1)])
def test_a_draw_scores_from_its_noise_as_any_other_value(batch):
    tril = torch.eye(3).expand(*batch, 3, 3) * 0.5 + torch.rand(3, 3).tril(-1)
    loc = torch.randn(3).requires_grad_()
    tril = tril.clone().requires_grad_()
    posterior = NoiseScoredMultivariateNormal(loc, scale_tril=tril)
    reference = dist.MultivariateNormal(loc, scale_tril=tril)
    draw = posterior.expand((2, *posterior.batch_shape)).rsample()
    draw = posterior.rsample((5,))
    torch.testing.assert_close(posterior.log_prob(draw), reference.log_prob(draw))
    torch.testing.assert_close(posterior.log_prob(draw + 1), reference.log_prob(draw + 1))
    fast = torch.autograd.grad(
        posterior.log_prob(draw).sum(), [loc, tril], retain_graph=True, allow_unused=True
    )
    slow = torch.autograd.grad(reference.log_prob(draw).sum(), [loc, tril])
    assert fast[0] is None
    torch.testing.assert_close(slow[0], torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(fast[1].tril(), slow[1].tril(), atol=1e-4, rtol=1e-4)


def test_the_elbo_of_a_joint_normal_holds_no_triangular_solve():
    guide = AutoMultivariateNormal(pair)
    guide()

    with pyro.validation_enabled(False):
        graph = make_fx(lambda x: poutine.trace(guide).get_trace().log_prob_sum() + x)(
            torch.ones(())
        )
    operations = {str(node.target) for node in graph.graph.nodes}
    assert not any("solve" in operation for operation in operations)


def test_laplace_floors_a_hessian_that_is_not_positive_definite():
    def saddle():
        x = pyro.sample("x", dist.Normal(0.0, 1.0))
        pyro.sample("flat", dist.Normal(0.0, 1e20))
        pyro.factor("bend", 5 * x**2)

    guide = AutoLaplaceApproximation(saddle)
    guide()
    with pytest.warns(UserWarning, match=r"not positive definite.*'x'"):
        normal = guide.laplace_approximation()
    assert torch.isfinite(normal.scale_tril).all()
    assert normal.sample_posterior(3)["x"].shape == (3,)


def test_unsupported_sites_get_advice():
    with pytest.raises(ValueError, match=r"discrete sample site 'z'.*enumerat"):
        AutoNormal(lambda: pyro.sample("z", dist.Bernoulli(0.5)))()
    with pytest.raises(ValueError, match="ProjectedNormal"):
        AutoDiagonalNormal(lambda: pyro.sample("d", dist.ProjectedNormal(torch.ones(3))))()
    with pytest.raises(RuntimeError, match="no latent"):
        AutoDiagonalNormal(lambda: None)()

    def sequential():
        for i in pyro.plate("steps", 2):
            pyro.sample(f"x{i}", dist.Normal(0.0, 1.0))

    with pytest.raises(NotImplementedError, match="sequential"):
        AutoNormal(sequential)()


def test_a_failed_set_up_does_not_leave_a_half_made_guide():
    guide = AutoNormal(lambda: pyro.sample("z", dist.Bernoulli(0.5)))
    for _ in range(2):
        with pytest.raises(ValueError, match="discrete"):
            guide()


def test_predictive_works_with_every_family_and_with_parts():
    for guide in [*(f(pair) for f in CONTINUOUS), a_list()]:
        pyro.clear_param_store()
        draws = Predictive(pair, guide=guide, num_samples=3)()
        assert draws["b"].reshape(3, -1).shape == (3, 3)
        parallel = Predictive(pair, guide=guide, num_samples=3, parallel=True)()
        assert parallel["b"].reshape(3, -1).shape == (3, 3)


def test_flows_without_parameters_and_joint_posteriors_are_usable_by_hand():
    shift = dist.transforms.AffineTransform(1.0, 2.0)
    guide = AutoNormalizingFlow(pair, lambda dim: shift)
    guide()
    assert guide.get_transform() is shift
    assert guide.median()["a"].item() == pytest.approx(1.0, abs=0.1)
    normal = AutoMultivariateNormal(pair, init_scale=0.5)
    normal()
    by_parts = dist.TransformedDistribution(normal.get_base_dist(), normal.get_transform())
    x = torch.randn(4)
    torch.testing.assert_close(by_parts.log_prob(x), normal.get_posterior().log_prob(x))


# --- Sites treated together ---


@pytest.mark.parametrize("family", [AutoNormal, AutoDelta])
def test_a_plate_may_take_minibatches_after_a_first_call_at_full_size(family):
    def of_size(size):
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        with pyro.plate("data", 20, subsample_size=size) as index:
            z = pyro.sample("z", dist.Normal(mu, 1.0))
            pyro.sample("obs", dist.Normal(z, 1.0), obs=index.float())

    def plates(size):
        return pyro.plate("data", 20, subsample_size=size, dim=-1)

    guide = family(of_size, create_plates=plates)
    for size in (20, 5, 20, 3):
        train(of_size, guide, steps=1, size=size)
        assert guide(size)["z"].shape == (size,)
    assert guide.median(20)["z"].shape == (20,)


@pytest.mark.parametrize("family", CONTINUOUS[:4])
def test_sites_of_many_kinds_and_sizes_stand_together(family):
    def many():
        pyro.sample("empty", dist.Normal(torch.zeros(0), 1.0).to_event(1))
        pyro.sample("vector", dist.LogNormal(torch.zeros(2), 1.0).to_event(1))
        pyro.sample("low", dist.Uniform(-3.0, torch.tensor([-1.0, 0.0])).to_event(1))
        pyro.sample("simplex", dist.Dirichlet(torch.ones(3)))
        pyro.sample("x", dist.Normal(0.0, 1.0))
        pyro.sample("high", dist.Uniform(5.0, 6.0))
        pyro.sample("scale", dist.HalfNormal(1.0))
        with pyro.plate("p", 4):
            pyro.sample("gamma", dist.Gamma(2.0, 1.0))

    guide = family(many)
    losses = train(many, guide, steps=5)
    assert all(map(torch.isfinite, map(torch.tensor, losses)))
    trace = poutine.trace(guide).get_trace()
    for name in ("vector", "low", "simplex", "high", "scale", "gamma"):
        site = guide.prototype_trace.nodes[name]
        assert site["fn"].support.check(trace.nodes[name]["value"]).all(), name
        assert trace.nodes[name]["value"].shape == site["value"].shape
    draws = guide.sample_posterior(6)
    assert draws["gamma"].shape == (6, 4)
    assert ((draws["high"] > 5) & (draws["high"] < 6)).all()


def test_a_point_estimate_is_never_the_parameter_itself():
    values = AutoDelta(pair)()
    assert not any(isinstance(value, torch.nn.Parameter) for value in values.values())


def test_a_user_may_set_and_replace_parameters():
    guide = AutoNormal(pair)
    guide()
    guide.locs.a = torch.tensor(3.0)
    guide.scales.a = PyroParam(torch.tensor(1e-4), constraints.positive)
    assert abs(guide()["a"] - 3.0) < 1e-2
    assert guide.sample_posterior(5)["a"].std() < 1e-2
    train(pair, guide)
    del guide.scales.b
    guide.scales.b = torch.full((3,), 1e-4)
    assert (guide()["b"] - guide.median()["b"]).abs().max() < 1e-2


@pytest.mark.parametrize("family", [AutoNormal, AutoDelta, AutoMultivariateNormal])
def test_training_leaves_the_tensors_of_the_user_and_of_the_prior_alone(family):
    start, loc = torch.ones(3), torch.zeros(3)

    def model():
        x = pyro.sample("x", dist.Normal(torch.zeros(3), 1.0).to_event(1))
        y = pyro.sample("y", dist.Normal(loc, 1.0).to_event(1))
        pyro.sample("obs", dist.Normal(x.sum(-1) + y.sum(-1), 1.0), obs=torch.tensor(9.0))

    strategy = init_to_value(values={"x": start}, fallback=init_to_mean)
    train(model, family(model, init_loc_fn=strategy))
    assert (start == 1).all()
    assert (loc == 0).all()
