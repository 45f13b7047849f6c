"""What the page of differences says of Pyro: each fault is seen in stock Pyro, run here.

A failure here means that Pyro has changed, and that a row of `docs/differences-from-pyro.md` is out
of date; nothing in this project is wrong then.
"""

from __future__ import annotations

import copy
import io
import pickle
import warnings

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import (
    SVI,
    JitTrace_ELBO,
    Trace_ELBO,
    TraceEnum_ELBO,
    TraceGraph_ELBO,
    TraceMeanField_ELBO,
)
from pyro.infer.autoguide import (
    AutoDelta,
    AutoDiagonalNormal,
    AutoDiscreteParallel,
    AutoGaussian,
    AutoGuideList,
    AutoHierarchicalNormalMessenger,
    AutoIAFNormal,
    AutoLaplaceApproximation,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    AutoNormal,
    AutoNormalizingFlow,
    AutoNormalMessenger,
    AutoRegressiveMessenger,
    AutoStructured,
    init_to_mean,
    init_to_median,
    init_to_value,
)
from pyro.optim import Adam
from torch.distributions import constraints

import autoguide_core as ours

pytestmark = [
    pytest.mark.skipif(pyro.__version__ != "1.9.2", reason="the page is about Pyro 1.9.2"),
    pytest.mark.filterwarnings("ignore"),
]

JOINT = [
    AutoDiagonalNormal,
    AutoMultivariateNormal,
    AutoLowRankMultivariateNormal,
    AutoLaplaceApproximation,
    AutoIAFNormal,
]
KEEP = torch.tensor([True, False])


@pytest.fixture(autouse=True)
def _fresh_store():
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    yield
    pyro.clear_param_store()


def pair():
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b", dist.LogNormal(torch.zeros(3), 1.0).to_event(1))
    pyro.sample("obs", dist.Normal(a + b.sum(-1), 1.0), obs=torch.tensor(0.5))


def subsampled():
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("data", 20, subsample_size=5) as index:
        u = pyro.sample("u", dist.Uniform(0.0, 2.0))
        pyro.sample("obs", dist.Normal(mu + u, 1.0), obs=torch.arange(20.0)[index])


def one(name="x"):
    return pyro.sample(name, dist.Normal(0.0, 1.0))


def double():
    x = pyro.sample("x", dist.Normal(torch.zeros(2, dtype=torch.float64), 1.0).to_event(1))
    pyro.sample("obs", dist.Normal(x.sum(-1), 1.0), obs=torch.tensor(0.2).double())


def train(model, guide, *args, steps=3, lr=0.05, elbo=None):
    svi = SVI(model, guide, Adam({"lr": lr}), elbo or Trace_ELBO())
    return [svi.step(*args) for _ in range(steps)]


def parts_of(model, *parts):
    guide = AutoGuideList(model)
    for part in parts:
        guide.append(part)
    return guide


# --- Minibatches ---


@pytest.mark.parametrize("family", JOINT)
def test_pyro_takes_a_minibatch_for_the_plate_in_joint_families(family):
    guide = family(subsampled)
    train(subsampled, guide)
    assert guide.latent_dim == 6  # 1 + 20 latents


def test_pyro_takes_a_minibatch_for_the_plate_in_structured_families():
    for family, shape in [(AutoStructured, (5,)), (AutoGaussian, (5,))]:
        guide = family(subsampled)
        train(subsampled, guide)
        assert guide.locs.u.shape == shape


def test_pyro_sizes_discrete_guides_and_map_medians_by_the_minibatch():
    def model():
        with pyro.plate("data", 8, subsample_size=4):
            pyro.sample("z", dist.Categorical(torch.ones(3)))

    discrete = AutoDiscreteParallel(model)
    train(model, discrete, elbo=TraceEnum_ELBO(max_plate_nesting=1))
    assert discrete.z_probs.shape == (4, 3)
    guide = AutoDelta(subsampled)
    train(subsampled, guide)
    assert guide.median()["u"].shape == (5,)


def test_pyro_replaces_the_indices_that_a_model_gives():
    def model(index):
        with pyro.plate("data", 10, subsample=index):
            pyro.sample("z", dist.Normal(0.0, 1.0))

    index = torch.tensor([1, 2, 3])
    guide = AutoNormal(model)
    seen = [poutine.trace(guide).get_trace(index).nodes["data"]["value"] for _ in range(3)]
    assert any(used.tolist() != [1, 2, 3] for used in seen)


def test_pyro_takes_the_curvature_of_a_minibatch():
    x = torch.randn(100)

    def model():
        w = pyro.sample("w", dist.Normal(0.0, 1.0))
        with pyro.plate("data", 100, subsample_size=10) as index:
            pyro.sample("y", dist.Normal(w * x[index], 1.0), obs=x[index])

    guide = AutoLaplaceApproximation(model)
    train(model, guide)
    assert len({round(float(guide.laplace_approximation().scale), 3) for _ in range(6)}) > 3


# --- Masks ---


@pytest.mark.parametrize("family", [AutoNormal, AutoNormalMessenger, AutoDiagonalNormal])
def test_pyro_lets_masked_entries_diverge(family):
    def model():
        with pyro.plate("p", 2):
            pyro.sample("z", dist.Normal(0.0, 1.0).mask(KEEP))

    guide = family(model)
    train(model, guide, steps=300, lr=0.1)
    scale = guide.scale if family is AutoDiagonalNormal else guide.scales.z
    assert scale[1] > 10


def test_pyro_trains_masked_discrete_entries():
    def model():
        with pyro.plate("p", 2), poutine.mask(mask=KEEP):
            pyro.sample("z", dist.Bernoulli(torch.tensor(0.3)))

    guide = AutoDiscreteParallel(model)
    train(model, guide, steps=100, lr=0.1, elbo=TraceEnum_ELBO(max_plate_nesting=1))
    assert abs(guide.z_probs[1] - 0.3) > 0.1


# --- Supports that move ---


def test_pyro_keeps_the_support_of_the_first_run():
    def model(top):
        pyro.sample("a", dist.Uniform(0.0, top))

    guide = AutoNormal(model, init_scale=5.0)
    guide(torch.tensor(1.0))
    assert max(guide(torch.tensor(100.0))["a"] for _ in range(50)) <= 1


@pytest.mark.parametrize("family", [AutoNormal, AutoMultivariateNormal])
def test_pyro_leaves_a_support_that_depends_on_a_draw(family):
    def model():
        a = pyro.sample("a", dist.Uniform(0.0, 1.0))
        pyro.sample("b", dist.Uniform(torch.zeros(()), 1 - a))

    guide = family(model, init_scale=1.0)
    elbo = Trace_ELBO(num_particles=50)
    with pytest.raises(ValueError, match="within the support"):
        elbo.loss(model, guide)


# --- Summaries ---


@pytest.mark.parametrize("family", [AutoNormal, AutoDiagonalNormal])
def test_pyro_tells_quantiles_of_a_simplex_that_its_draws_do_not_have(family):
    guide = family(lambda: pyro.sample("p", dist.Dirichlet(torch.ones(3))), init_scale=1.0)
    guide()
    draws = torch.stack([guide()["p"] for _ in range(2000)]).detach()
    told = guide.quantiles([0.95])["p"][0]
    assert (told - torch.quantile(draws, 0.95, dim=0)).abs().max() > 0.3


@pytest.mark.parametrize("family", [AutoNormal, AutoDiagonalNormal])
def test_pyro_reverses_quantiles_of_decreasing_maps(family):
    class Below(dist.Normal):
        support = constraints.less_than(3.0)

    guide = family(lambda: pyro.sample("x", Below(0.0, 1.0)))
    guide()
    low, high = guide.quantiles([0.1, 0.9])["x"]
    assert low > high


def test_pyro_has_no_quantiles_or_medians_of_many_families():
    without = [AutoDelta, AutoStructured, AutoGaussian, AutoNormalMessenger]
    for family in [*without, AutoRegressiveMessenger]:
        assert not hasattr(family(pair), "quantiles")
    assert not hasattr(AutoRegressiveMessenger(pair), "median")
    for family in [AutoIAFNormal, AutoLaplaceApproximation]:
        pyro.clear_param_store()
        guide = family(pair)
        guide()
        with pytest.raises(NotImplementedError):
            guide.median()
    with pytest.raises(AttributeError):
        parts_of(pair, AutoDelta(pair)).quantiles([0.5])


@pytest.mark.parametrize("family", [AutoNormal, AutoDiagonalNormal, AutoStructured, AutoGaussian])
def test_pyro_has_no_median_before_the_first_call(family):
    with pytest.raises(AttributeError):
        family(pair).median()


def test_pyro_s_messengers_count_observations_among_their_medians():
    median = AutoNormalMessenger(pair).median()
    assert median["obs"] == 0.5
    assert median["a"].requires_grad


# --- Names ---


@pytest.mark.parametrize("name", ["model", "plates", "median", "forward", "master", "call"])
def test_pyro_cannot_estimate_sites_with_names_of_the_guide(name):
    with pytest.raises((AttributeError, TypeError)):
        AutoDelta(lambda: one(name))()


def test_pyro_cannot_hold_a_site_and_one_below_it():
    def model():
        one("a")
        one("a.b")

    for family in (AutoNormal, AutoDelta):
        with pytest.raises(AttributeError):
            family(model)()
    with pytest.raises(ValueError, match="must all be instances"):
        AutoNormal(lambda: one("forward"))()


# --- Saving and copying ---


def in_plate():
    with pyro.plate("d", 4):
        one("z")
        one("w")


@pytest.mark.parametrize("save", [lambda guide: torch.save(guide, io.BytesIO()), copy.deepcopy])
def test_pyro_breaks_a_list_by_saving_or_copying_it(save):
    names = [AutoNormal(poutine.block(in_plate, expose=[name])) for name in "zw"]
    guide = parts_of(in_plate, *names)
    train(in_plate, guide)
    save(guide)
    with pytest.raises(RuntimeError, match="Multiple sample sites named 'd'"):
        train(in_plate, guide)


def test_pyro_takes_the_model_from_a_copied_guide():
    guide = AutoLaplaceApproximation(pair)
    train(pair, guide)
    for broken in (copy.deepcopy(guide), guide):
        with pytest.raises(TypeError):
            broken.laplace_approximation()


def test_pyro_cannot_pickle_local_functions():
    def by_hand():
        one("a")

    flow = AutoNormalizingFlow(pair, lambda dim: dist.transforms.affine_autoregressive(dim))
    called = parts_of(pair, by_hand, AutoNormal(poutine.block(pair, expose=["b"])))
    for guide in (flow, called, AutoNormalMessenger(lambda: one())):
        guide()
        with pytest.raises((AttributeError, pickle.PicklingError)):
            pickle.dumps(guide)


def test_pyro_has_no_parameters_before_the_first_call():
    guide = AutoNormal(one)
    assert list(guide.parameters()) == []
    guide()
    saved = guide.state_dict()
    with pytest.raises(RuntimeError, match="Unexpected key"):
        AutoNormal(one).load_state_dict(saved)


def test_pyro_keeps_the_first_weight_of_a_flow_twice():
    guide = AutoIAFNormal(pair)
    guide()
    assert "_prototype_tensor" in guide.state_dict()


def test_pyro_inherits_values_through_the_store_without_a_word():
    first, second = AutoNormal(one), AutoNormal(one)
    train(one, first, lr=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second()
    assert second.locs.x == first.locs.x != 0

    other = AutoNormal(lambda: pyro.sample("x", dist.Normal(torch.zeros(2), 1.0).to_event(1)))
    with pytest.raises(ValueError, match="reinterpreted_batch_ndims"):
        other()


# --- Lists ---


def test_pyro_sees_an_overlap_only_in_training():
    guide = parts_of(pair, AutoNormal(poutine.block(pair, expose=["a"])), AutoDiagonalNormal(pair))
    guide()
    with pytest.raises(RuntimeError, match="Multiple sample sites named 'a'"):
        train(pair, guide)


def test_pyro_says_nothing_of_gaps_at_the_call_and_nothing_of_empty_parts():
    names = [AutoNormal(poutine.block(pair, expose=[name])) for name in ("a", "typo")]
    guide = parts_of(pair, *names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        guide()
    with pytest.warns(UserWarning, match="model but not guide") as record:
        train(pair, guide)
    assert not any("typo" in str(warning.message) for warning in record)


def test_pyro_has_bare_errors_for_parts_that_do_not_fit():
    for model, error in [
        (poutine.block(pair, hide=["b"]), KeyError),
        (lambda: pyro.sample("a", dist.Normal(torch.zeros(2), 1.0).to_event(1)), AssertionError),
    ]:
        with pytest.raises(error):
            parts_of(model, AutoNormal(pair))()


def test_pyro_slices_a_list_into_a_broken_one():
    guide = parts_of(pair, AutoNormal(pair))
    guide()
    with pytest.raises(ValueError, match="not callable"):
        guide[0:1]()


def test_pyro_cannot_have_a_plate_in_a_function_that_is_a_part():
    def by_hand():
        with pyro.plate("d", 4):
            pyro.sample("w", dist.Normal(torch.zeros(4), 1.0))

    guide = parts_of(in_plate, AutoNormal(poutine.block(in_plate, expose=["z"])), by_hand)
    with pytest.raises(RuntimeError, match="Multiple sample sites named 'd'"):
        train(in_plate, guide)


@pytest.mark.parametrize("family", [AutoStructured, AutoGaussian])
def test_pyro_misses_dependences_through_observations_hidden_by_a_block(family):
    part = family(poutine.block(pair, expose=["a", "b"]))
    parts_of(pair, part)()
    dependences = {
        (site, upstream)
        for site, found in part.dependencies.items()
        for upstream in found
        if site != upstream
    }
    assert dependences == set()


def test_pyro_approximates_a_part_at_prior_draws_of_the_others():
    def model():
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        b = pyro.sample("b", dist.Normal(0.0, 1.0))
        pyro.factor("f", -0.5 * (b * a.exp()) ** 2)

    part = AutoLaplaceApproximation(poutine.block(model, expose=["b", "f"]))
    guide = parts_of(model, AutoNormal(poutine.block(model, expose=["a"])), part)
    train(model, guide)
    assert len({round(float(part.laplace_approximation().scale), 3) for _ in range(4)}) > 2


# --- Arguments ---


def test_pyro_is_strict_about_numbers_and_lenient_about_names():
    with pytest.raises(ValueError, match="init_scale"):
        AutoNormal(pair, init_scale=1)
    with pytest.raises(TypeError, match="not iterable"):
        AutoIAFNormal(pair, hidden_dim=5)()
    with pytest.raises(AttributeError):
        AutoNormal(pair, init_loc_fn=init_to_value(values={"b": 2.0}))()
    AutoNormal(pair, init_loc_fn=init_to_value(values={"typo": torch.tensor(1.0)}))()
    AutoNormal(pair, init_loc_fn=init_to_value(values={"b": torch.ones(1, 3)}))()
    AutoHierarchicalNormalMessenger(pair, hierarchical_sites=["typo"])()


def test_pyro_starts_at_infinity_where_the_mean_is_infinite():
    guide = AutoNormal(lambda: pyro.sample("x", dist.Pareto(1.0, 0.5)), init_loc_fn=init_to_mean)
    guide()
    assert guide.median()["x"].isinf()


@pytest.mark.parametrize("family", [AutoNormal, AutoDelta, AutoStructured, AutoGaussian])
def test_pyro_trains_the_tensor_that_a_user_gave(family):
    start = torch.ones(3)
    guide = family(pair, init_loc_fn=init_to_value(values={"b": start.log().exp(), "a": start[0]}))
    train(pair, guide)
    assert start[0] != 1


def test_pyro_s_messengers_train_the_tensors_of_the_prior():
    mean = torch.zeros(())
    train(lambda: None, AutoNormalMessenger(lambda: pyro.sample("x", dist.Normal(mean, 1.0))))
    assert mean != 0


def test_pyro_s_iaf_starts_at_zero_whatever_it_is_told():
    def far():
        pyro.sample("x", dist.Normal(torch.full((2,), 100.0), 1.0).to_event(1))

    guide = AutoIAFNormal(far, init_loc_fn=init_to_median)
    assert Trace_ELBO(num_particles=10).loss(far, guide) > 5_000


def test_pyro_gives_messengers_a_dim_of_particles():
    def model():
        mu = one("mu")
        with pyro.plate("d", 3):
            pyro.sample("z", dist.Normal(mu, 1.0))

    elbo = Trace_ELBO(num_particles=4, vectorize_particles=True, max_plate_nesting=1)
    elbo.loss(model, AutoNormalMessenger(model))
    assert pyro.get_param_store()["locs.z"].shape == (4, 3)


# --- Numbers ---


def test_pyro_leaves_float64():
    guide = AutoIAFNormal(double)
    guide()
    assert guide()["x"].dtype == torch.float32
    with pytest.raises(RuntimeError, match="dtype"):
        AutoGaussian(double)()


def test_pyro_cannot_factorise_a_hessian_that_is_not_positive_definite():
    def saddle():
        pyro.factor("bend", 5 * one() ** 2)

    guide = AutoLaplaceApproximation(saddle)
    guide()
    with pytest.raises(RuntimeError, match="not positive-definite"):
        guide.laplace_approximation()


def test_pyro_steps_into_parameters_that_are_not_numbers():
    def model():
        x = one()
        pyro.factor("root", (x - x).sqrt())

    guide = AutoNormal(model)
    train(model, guide, steps=1)
    assert guide.locs.x.isnan()


def test_pyro_loses_jacobians_in_the_analytic_elbo():
    def model():
        pyro.sample("s", dist.LogNormal(1.0, 1.0))
        pyro.sample("p", dist.Dirichlet(torch.ones(3)))

    guide = AutoNormal(model, init_scale=0.3)
    guide()
    options = {"num_particles": 2000, "vectorize_particles": True, "max_plate_nesting": 0}
    expected = Trace_ELBO(**options).loss(model, guide)
    assert abs(TraceMeanField_ELBO(**options).loss(model, guide) - expected) > 1


def test_pyro_cannot_trace_flows():
    with pytest.raises(AssertionError):
        train(pair, AutoIAFNormal(pair), elbo=JitTrace_ELBO(ignore_jit_warnings=True))


# --- Estimators ---


def test_pyro_wants_one_scale_for_all_enumerated_sums():
    def model():
        for name, scale in (("a", 2.0), ("b", 3.0)):
            with poutine.scale(scale=scale), pyro.plate(f"{name}_data", 2):
                k = pyro.sample(name, dist.Bernoulli(0.3), infer={"enumerate": "parallel"})
                pyro.sample(f"{name}_y", dist.Normal(k, 1.0), obs=torch.zeros(2))

    with pytest.raises(ValueError, match="share a common"):
        TraceEnum_ELBO(max_plate_nesting=1).loss(model, lambda: None)


def test_pyro_takes_closed_forms_where_parents_are_drawn_later():
    def model():
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.sample("b", dist.Normal(a, 1.0))

    def guide():
        b = pyro.sample("b", dist.Normal(0.3, 1.0))
        pyro.sample("a", dist.Normal(0.5 * b, 1.0))

    options = {"num_particles": 20_000, "vectorize_particles": True, "max_plate_nesting": 0}
    expected = Trace_ELBO(**options).loss(model, guide)
    assert abs(TraceMeanField_ELBO(**options).loss(model, guide) - expected) > 0.4


def test_pyro_forgets_the_log_density_of_a_point_beside_closed_forms():
    def guide():
        pyro.sample("x", dist.Delta(torch.tensor(0.5), log_density=torch.tensor(7.0)))

    assert Trace_ELBO().loss(one, guide) - TraceMeanField_ELBO().loss(one, guide) == pytest.approx(
        7.0, abs=1e-4
    )


def test_pyro_s_score_functions_have_no_baseline_unless_asked():
    def model():
        pyro.sample("a", dist.Bernoulli(0.4))

    def guide():
        pyro.sample("a", dist.Bernoulli(pyro.param("p", torch.tensor(0.6))))

    TraceGraph_ELBO().loss_and_grads(model, guide)
    assert set(pyro.get_param_store()) == {"p"}


def test_pyro_loses_sight_of_a_draw_that_is_written_into_a_tensor():
    def model():
        a = pyro.sample("a", dist.Bernoulli(0.4))
        loc = torch.zeros(1)
        loc[0] = a
        pyro.sample("y", dist.Normal(loc[0], 0.1), obs=torch.tensor(1.0))

    def guide():
        pyro.sample("a", dist.Bernoulli(pyro.param("p", torch.tensor(0.5))))

    # Raising p makes y far more probable. Without y, nearly nothing is left of the slope.
    slopes = []
    for _ in range(200):
        TraceGraph_ELBO().loss_and_grads(model, guide)
        leaf = pyro.param("p").unconstrained()
        slopes.append(float(leaf.grad))
        leaf.grad = None
    assert abs(sum(slopes) / len(slopes)) < 1.0


# --- Pyro's classes and ours ---


def test_pyro_s_lists_know_pyro_s_guides_only():
    guide = parts_of(pair, ours.AutoNormal(pair))
    assert type(guide[0]).__name__ == "AutoCallable"
