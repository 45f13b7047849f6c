"""`AutoGaussian`: stock Pyro's dense backend as the oracle, exact posteriors, cost, misuse."""

from __future__ import annotations

import copy
import io
import math
import warnings

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, JitTrace_ELBO, Predictive, Trace_ELBO, TraceEnum_ELBO
from pyro.infer import autoguide as stock
from pyro.optim import Adam

from autoguide_core import AutoGuideList, AutoNormal
from autoguide_core.guides.gaussian import (
    AutoGaussian,
    AutoGaussianDense,
    AutoGaussianFunsor,
    AutoGaussianStructured,
    elimination,
)


@pytest.fixture(autouse=True)
def _no_dense_shortcut(monkeypatch):
    """Small models are eliminated as large ones are."""
    monkeypatch.setattr(elimination, "DENSE_BELOW", 0)


# --- Models ---


def events():
    w = pyro.sample("nested.w", dist.Normal(torch.zeros(3), 1.0).to_event(1))
    p = pyro.sample("p", dist.Dirichlet(torch.tensor([1.0, 2.0, 3.0])))
    chol = pyro.sample("chol", dist.LKJCholesky(3, 2.0))
    pyro.sample("free", dist.Uniform(-1.0, 3.0))
    pyro.sample("unrelated", dist.Normal(0.0, 1.0), obs=torch.tensor(0.1))
    loc = w.sum(-1) + p[..., 0] + chol[..., 2, 0]
    pyro.sample("obs", dist.Normal(loc, 1.0), obs=torch.tensor(0.3))


def nested_plates():
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    outer, inner = pyro.plate("outer", 3, dim=-2), pyro.plate("inner", 4, dim=-1)
    with outer:
        a = pyro.sample("a", dist.Normal(mu, 1.0))
        with inner:
            b = pyro.sample("b", dist.LogNormal(a, 0.5))
    with inner:
        c = pyro.sample("c", dist.Beta(2.0, 2.0).expand([2]).to_event(1))
    with outer, inner, pyro.plate("repeats", 2, dim=-4):
        pyro.sample("obs", dist.Normal(b, 0.1 + c.sum(-1)), obs=torch.ones(2, 1, 3, 4))


def crossed():
    rows, columns = pyro.plate("rows", 4, dim=-1), pyro.plate("columns", 3, dim=-2)
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with rows:
        a = pyro.sample("a", dist.Normal(mu, 1.0))
    with columns:
        b = pyro.sample("b", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    with rows, columns:
        c = pyro.sample("c", dist.Normal(a + b.sum(-1), 1.0))
        pyro.sample("obs", dist.Normal(c, 1.0), obs=torch.zeros(3, 4))


def broken_plates():
    with pyro.plate("i", 4, dim=-2):
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        with pyro.plate("k", 3, dim=-1):
            b = pyro.sample("b", dist.Normal(a.unsqueeze(-1), torch.ones(2)).to_event(1))
            c = pyro.sample("c", dist.LogNormal(b.sum(-1), 1.0))
        total = (b.sum(-1) + c).sum(-1, keepdim=True)
        pyro.sample("obs", dist.Normal(total, 1.0), obs=torch.zeros(4, 1))
    t = pyro.sample("t", dist.Normal(a.sum((-1, -2)), 1.0))
    with pyro.plate("m", 5, dim=-1):
        d = pyro.sample("d", dist.Normal(t, 1.0))
        pyro.sample("obs_m", dist.Normal(d, 1.0), obs=torch.ones(5))


def broken_left():
    left, right = pyro.plate("left", 2, dim=-2), pyro.plate("right", 3, dim=-1)
    with left, right:
        x = pyro.sample("x", dist.Normal(0.0, 1.0))
    with right:
        y = pyro.sample("y", dist.Normal(x.sum(-2), 1.0))
    with left:
        total = (x + y.unsqueeze(-2)).sum(-1, keepdim=True)
        pyro.sample("obs", dist.Normal(total, 1.0), obs=torch.ones(2, 1))


def groups(num_groups=6):
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("groups", num_groups, dim=-1):
        z = pyro.sample("z", dist.Normal(mu, 1.0))
        y = torch.arange(float(num_groups)) / num_groups
        pyro.sample("obs", dist.Normal(z, 1.0), obs=y)


MODELS = [events, nested_plates, crossed, broken_plates, broken_left, groups]
BACKENDS = ["dense", "structured"]


# --- Helpers ---


def short(name):
    """A parameter's name without that of the guide's class."""
    return name.split(".", 1)[1]


def parameters(read=lambda value: value.detach().clone()):
    store = pyro.get_param_store()
    return {short(name): read(store[name]) for name in store}


def perturb():
    generator = torch.Generator().manual_seed(7)
    store = pyro.get_param_store()
    with torch.no_grad():
        for name in sorted(store, key=short):
            value = store[name].unconstrained()
            value.add_(0.3 * torch.randn(value.shape, generator=generator))


def perturbed(family, model, **options):
    """A guide away from its start, in the same way for all families, and its start."""
    pyro.clear_param_store()
    pyro.set_rng_seed(3)
    guide = family(model, **options)
    guide()
    start = parameters()
    perturb()
    return guide, start


def assert_same(actual, expected, **tolerance):
    assert list(actual) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, **tolerance, msg=lambda m, n=name: n + m)


def loss_and_grads(model, guide, elbo=None):
    pyro.set_rng_seed(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        loss = (elbo or Trace_ELBO()).loss_and_grads(model, guide)
    return loss, parameters(lambda value: value.unconstrained().grad)


# --- Parity ---


@pytest.mark.parametrize("model", MODELS)
def test_start_density_loss_and_gradients_equal_stock_pyro(model):
    results = []
    for family in (stock.AutoGaussian, AutoGaussian):
        guide, start = perturbed(family, model)
        trace = poutine.trace(guide).get_trace()
        assert "_AutoGaussianDense_latent" in trace.nodes
        pyro.set_rng_seed(5)
        trace = poutine.trace(guide).get_trace()
        trace.compute_log_prob()
        sites = {k: n for k, n in trace.nodes.items() if n["type"] == "sample"}
        results.append(
            {
                "start": start,
                "values": {name: node["value"] for name, node in sites.items()},
                "densities": {name: node["log_prob"] for name, node in sites.items()},
                "median": guide.median(),
                "loss": loss_and_grads(model, guide),
                "dependencies": guide.dependencies,
            }
        )
    expected, actual = results
    assert_same(actual["start"], expected["start"])
    assert_same(actual["values"], expected["values"], rtol=1e-4, atol=1e-5)
    assert_same(actual["densities"], expected["densities"], rtol=1e-4, atol=1e-4)
    assert_same(actual["median"], expected["median"], rtol=1e-4, atol=1e-5)
    assert actual["loss"][0] == pytest.approx(expected["loss"][0], rel=1e-5)
    assert_same(actual["loss"][1], expected["loss"][1], rtol=1e-3, atol=1e-4)
    assert actual["dependencies"] == expected["dependencies"]


ELBOS = {
    "vectorised": lambda: Trace_ELBO(5, vectorize_particles=True, max_plate_nesting=4),
    "traced by torch.jit": lambda: JitTrace_ELBO(ignore_jit_warnings=True),
}


@pytest.mark.parametrize("elbo", ELBOS)
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_every_elbo_sees_the_same_loss_as_with_stock_pyro(elbo):
    expected, actual = (
        loss_and_grads(nested_plates, perturbed(family, nested_plates)[0], ELBOS[elbo]())
        for family in (stock.AutoGaussian, AutoGaussian)
    )
    assert actual[0] == pytest.approx(expected[0], rel=1e-4)
    assert_same(actual[1], expected[1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("model", MODELS)
def test_the_structured_backend_is_the_same_normal_as_stock_pyro(model):
    oracle, start = perturbed(stock.AutoGaussian, model)
    reference = oracle._dense_get_mvn()
    guide, structured_start = perturbed(AutoGaussian, model, backend="structured")
    assert_same(structured_start, start)
    normal = guide._posterior()
    torch.testing.assert_close(normal.mean, reference.mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(normal.stddev, reference.stddev, rtol=1e-4, atol=1e-5)
    x = torch.randn(2, 3, guide.latent_dim)
    torch.testing.assert_close(normal.log_prob(x), reference.log_prob(x), rtol=1e-4, atol=1e-3)
    draws = normal.rsample((2,))
    torch.testing.assert_close(
        normal.log_prob(draws), reference.log_prob(draws), rtol=1e-4, atol=1e-3
    )
    noise = torch.randn(3, guide.latent_dim)
    torch.testing.assert_close(normal.cholesky.whiten(normal.cholesky.unwhiten(noise)), noise)
    root = normal.cholesky.unwhiten(torch.eye(guide.latent_dim), with_mean=False)
    torch.testing.assert_close(root.T @ root, reference.covariance_matrix, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("model", [crossed, broken_plates])
def test_backends_have_the_same_gradients(model):
    assert len(perturbed(AutoGaussian, model, backend="structured")[0]._plan) > 2
    dense, structured = (
        loss_and_grads(model, perturbed(AutoGaussian, model, backend=backend)[0])
        for backend in BACKENDS
    )
    # In these models the order of elimination is the reverse of the sites', and draws are equal.
    assert structured[0] == pytest.approx(dense[0], rel=1e-5)
    assert_same(structured[1], dense[1], rtol=1e-3, atol=1e-4)


# --- What it computes ---


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_exact_posterior_of_a_normal_model_is_in_the_family(backend):
    """With the model's own terms as factors, each draw's ELBO is the log evidence itself."""
    guide = AutoGaussian(groups, backend=backend)
    guide()
    y = torch.arange(6.0) / 6
    for name in ("mu", "z"):
        setattr(guide.scales, name, torch.ones_like(getattr(guide.scales, name)))
    with torch.no_grad():
        guide.prec_sqrts.mu.copy_(torch.ones(1, 1))
        guide.prec_sqrts.z.copy_(torch.tensor([[1.0], [-1.0]]).expand(6, 2, 1))
        guide.prec_sqrts.obs.copy_(torch.ones(6, 1, 1))
        guide.white_vecs.obs.copy_(y[:, None])
    covariance = 2.0 * torch.eye(6) + 1.0
    evidence = dist.MultivariateNormal(torch.zeros(6), covariance).log_prob(y)
    for _ in range(3):
        assert Trace_ELBO().loss(groups, guide) == pytest.approx(-float(evidence), abs=1e-4)
    precision = 1.0 + 6 * 0.5  # of mu, given y
    mean = y.sum() / 2 / precision
    torch.testing.assert_close(guide.median()["mu"], mean)
    quantiles = guide.quantiles([0.1, 0.5])["mu"]
    expected = dist.Normal(mean, precision**-0.5).icdf(torch.tensor([0.1, 0.5]))
    torch.testing.assert_close(quantiles, expected)


def test_the_structured_backend_costs_in_proportion_to_a_plate():
    def work(num_groups):
        pyro.clear_param_store()
        guide = AutoGaussian(lambda: groups(num_groups), backend="structured")
        guide()
        batch_entries = [front.index.shape[0] * front.index.shape[1] ** 2 for front in guide._plan]
        return sum(batch_entries) + sum(s.matrix.numel() for f in guide._plan for s in f.sources)

    small, middle, large = map(work, (100, 200, 300))
    assert large - middle == middle - small
    assert large < 300 * 30


@pytest.mark.parametrize("backend", BACKENDS)
def test_score_is_the_density_of_unconstrained_values(backend):
    oracle, _ = perturbed(stock.AutoGaussian, nested_plates)
    reference = oracle._dense_get_mvn()
    locs = {name: getattr(oracle.locs, name).detach() for name in ("mu", "a", "b", "c")}
    scales = {name: getattr(oracle.scales, name).detach() for name in locs}
    guide, _ = perturbed(AutoGaussian, nested_plates, backend=backend)
    values = {name: torch.randn(7, 2, *loc.shape) for name, loc in locs.items()}
    standard = {name: (values[name] - locs[name]) / scales[name] for name in locs}
    flat = torch.cat([value.reshape(7, 2, -1) for value in standard.values()], -1)
    expected = reference.log_prob(flat) - sum(scale.log().sum() for scale in scales.values())
    actual = guide._score_unconstrained(values)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-3)
    single = guide._score_unconstrained({name: value[3, 1] for name, value in values.items()})
    torch.testing.assert_close(single, expected[3, 1], rtol=1e-4, atol=1e-3)
    with pytest.raises(ValueError, match="'c'"):
        guide._score_unconstrained({name: values[name] for name in ("mu", "a", "b")})
    with pytest.raises(ValueError, match=r"'a' has shape \(3,\); expected \(3, 1\)"):
        guide._score_unconstrained(values | {"a": torch.zeros(3)})


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_draw_is_scored_as_any_value_is(backend):
    guide, _ = perturbed(AutoGaussian, nested_plates, backend=backend)
    trace = poutine.trace(guide).get_trace()
    trace.compute_log_prob()
    site = trace.nodes[f"_{guide._pyro_name}_latent"]
    assert site["infer"]["is_auxiliary"]
    again = guide._posterior().log_prob(site["value"])
    torch.testing.assert_close(site["log_prob"], again, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_summaries_agree_with_draws(backend):
    guide, _ = perturbed(AutoGaussian, nested_plates, backend=backend)
    draws = guide.sample_posterior(20_000)
    shapes = {"mu": (), "a": (3, 1), "b": (3, 4), "c": (4, 2)}
    assert {name: tuple(value.shape[1:]) for name, value in draws.items()} == shapes
    quantiles = guide.quantiles([0.2, 0.8])
    for name, value in draws.items():
        assert not value.requires_grad
        below = (value < quantiles[name][:, None]).float().mean(1)
        target = torch.tensor([0.2, 0.8]).reshape(2, *[1] * len(shapes[name]))
        torch.testing.assert_close(below, target.expand_as(below), atol=0.02, rtol=0)
        assert not guide.median()[name].requires_grad


@pytest.mark.parametrize("backend", BACKENDS)
def test_summaries_come_before_the_first_call_and_for_all_supports(backend):
    guide = AutoGaussian(events, backend=backend)
    assert guide.median()["p"].sum() == pytest.approx(1.0, abs=1e-5)
    quantiles = guide.quantiles([0.1, 0.9])
    assert quantiles["chol"].shape == (2, 3, 3)
    assert (quantiles["free"][0] < quantiles["free"][1]).all()


def test_the_dense_backend_gives_its_normal_in_dense_form():
    guide, _ = perturbed(AutoGaussian, crossed)
    oracle, _ = perturbed(stock.AutoGaussian, crossed)
    ours, theirs = guide._dense_get_mvn(), oracle._dense_get_mvn()
    torch.testing.assert_close(ours.scale_tril, theirs.scale_tril, rtol=1e-4, atol=1e-5)
    flat = ours.sample((5,))
    samples = guide._dense_unflatten(flat[0])
    assert_same(samples, oracle._dense_unflatten(flat[0]))
    torch.testing.assert_close(guide._dense_flatten(samples), flat[0])


# --- Plates, lists, masks, supports ---


def minibatched():
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    tau = pyro.sample("tau", dist.LogNormal(0.0, 1.0))
    with pyro.plate("data", 20, subsample_size=5) as index:
        u = pyro.sample("u", dist.Normal(mu, 1.0))
        pyro.sample("obs", dist.Normal(u, tau), obs=torch.arange(20.0)[index])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_latent_in_a_subsampled_plate_is_refused_and_others_are_covered(backend):
    with pytest.raises(ValueError, match=r"'u'.*plate 'data'.*5 of 20.*AutoNormal"):
        AutoGaussian(minibatched, backend=backend)()
    guide = AutoGuideList(minibatched)
    guide.append(AutoGaussian(poutine.block(minibatched, hide=["u"]), backend=backend))
    guide.append(AutoNormal(poutine.block(minibatched, expose=["u"])))
    svi = SVI(minibatched, guide, Adam({"lr": 0.01}), Trace_ELBO())
    assert all(math.isfinite(svi.step()) for _ in range(3))
    shapes = {"mu": (2,), "tau": (2,), "u": (2, 20)}
    assert {k: v.shape for k, v in guide.quantiles([0.1, 0.9]).items()} == shapes
    # Through u, the observations look at mu too.
    assert guide[0].dependencies["obs"].keys() == {"obs", "mu", "tau"}


def test_a_part_sees_observations_that_its_block_hides():
    def model():
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        b = pyro.sample("b", dist.Normal(0.0, 1.0))
        c = pyro.sample("c", dist.Normal(0.0, 1.0))
        pyro.sample("obs", dist.Normal(a + b + c, 0.1), obs=torch.tensor(0.5))

    guide = AutoGuideList(model)
    guide.append(AutoGaussian(poutine.block(model, expose=["a", "b"])))
    guide.append(AutoNormal(poutine.block(model, expose=["c"])))
    guide()
    assert guide[0].dependencies["obs"].keys() == {"obs", "a", "b"}
    assert guide[0]._dense_get_mvn().covariance_matrix[0, 1].abs() > 0


def test_enumerated_sites_are_looked_through():
    def mixture():
        weights = pyro.sample("weights", dist.Dirichlet(torch.ones(2)))
        locs = pyro.sample("locs", dist.Normal(torch.tensor([-1.0, 1.0]), 1.0).to_event(1))
        with pyro.plate("data", 3, dim=-1):
            z = pyro.sample("z", dist.Categorical(weights), infer={"enumerate": "parallel"})
            pyro.sample("obs", dist.Normal(locs[z], 1.0), obs=torch.tensor([-1.0, 0.5, 2.0]))

    guide = AutoGaussian(poutine.block(mixture, hide=["z"]))
    svi = SVI(mixture, guide, Adam({"lr": 0.01}), TraceEnum_ELBO(max_plate_nesting=1))
    assert math.isfinite(svi.step())
    assert guide.dependencies["obs"].keys() == {"obs", "weights", "locs"}


def test_masked_entries_are_held():
    mask = torch.tensor([True, False])

    def model():
        with pyro.plate("data", 2), poutine.mask(mask=mask):
            z = pyro.sample("z", dist.LogNormal(0.0, 1.0))
            pyro.sample("obs", dist.Normal(z, 1.0), obs=torch.ones(2))

    guide = AutoGaussian(model, init_scale=1.0)
    guide()
    with torch.no_grad():
        guide.prec_sqrts.z.copy_(torch.ones(2, 1, 1))
        guide.prec_sqrts.obs.copy_(torch.zeros(2, 1, 1))
    trace = poutine.trace(guide).get_trace()
    # At a standard Normal the masked entry weighs nothing, so that this is where it settles.
    z = trace.nodes["z"]["value"][0]
    torch.testing.assert_close(trace.log_prob_sum(), dist.LogNormal(0.0, 1.0).log_prob(z))
    torch.testing.assert_close(guide.median()["z"], torch.ones(2))


def test_a_support_moves_with_the_draw_that_bounds_it():
    def model():
        a = pyro.sample("a", dist.LogNormal(0.0, 1.0))
        b = pyro.sample("b", dist.Uniform(0.0, a))
        pyro.sample("obs", dist.Normal(b, 1.0), obs=torch.tensor(0.5))

    guide = AutoGaussian(model, init_scale=1.0)
    svi = SVI(model, guide, Adam({"lr": 0.05}), Trace_ELBO())
    assert all(math.isfinite(svi.step()) for _ in range(5))
    draws = guide.sample_posterior(500)
    assert (draws["b"] < draws["a"]).all()
    assert draws["a"].std() > 0.1


def test_create_plates_and_sequential_observations():
    def model(data):
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        with pyro.plate("batch", 6, dim=-1) as index:
            pyro.sample("obs", dist.Normal(mu, 1.0), obs=data[index])
        for i in pyro.plate("one_by_one", 2):
            pyro.sample(f"obs_{i}", dist.Normal(mu, 1.0), obs=data[i])

    def create_plates(data):
        return pyro.plate("batch", 6, subsample_size=2, dim=-1)

    guide = AutoGaussian(model, create_plates=create_plates)
    assert guide(torch.zeros(6)).keys() == {"mu"}
    assert guide.prec_sqrts.obs_1.shape == (1, 1)


# --- Copies, dtypes, names ---


@pytest.mark.parametrize("backend", BACKENDS)
def test_copies_and_files_draw_the_same(backend):
    guide, _ = perturbed(AutoGaussian, crossed, backend=backend)
    buffer = io.BytesIO()
    torch.save(guide, buffer)
    buffer.seek(0)
    for twin in (copy.deepcopy(guide), torch.load(buffer, weights_only=False)):
        assert type(twin) is type(guide)
        assert_same(twin.median(), guide.median())
        with torch.no_grad():
            twin.locs.mu += 1.0
        assert twin.median()["mu"] != guide.median()["mu"]
    svi = SVI(crossed, guide, Adam({"lr": 0.01}), Trace_ELBO())
    assert math.isfinite(svi.step())
    assert Predictive(crossed, guide=guide, num_samples=3)()["c"].shape == (3, 3, 4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_double_precision_stays(backend):
    def model():
        x = pyro.sample("x", dist.Normal(torch.zeros(2, dtype=torch.float64), 1.0).to_event(1))
        obs = torch.tensor(1.0, dtype=torch.float64)
        pyro.sample("obs", dist.Normal(x.sum(-1), 1.0), obs=obs)

    guide = AutoGaussian(model, backend=backend, init_scale=1)
    assert guide()["x"].dtype == torch.float64
    assert {p.dtype for p in guide.parameters()} == {torch.float64}
    assert guide.quantiles([0.3])["x"].dtype == torch.float64


def test_any_site_name_will_do():
    def model():
        values = [pyro.sample(n, dist.Normal(0.0, 1.0)) for n in ("a", "a.b", "forward", "locs")]
        pyro.sample("median", dist.Normal(sum(values), 1.0), obs=torch.tensor(1.0))

    guide = AutoGaussian(model, backend="structured")
    assert guide().keys() == {"a", "a.b", "forward", "locs"}
    assert guide.locs.locs.shape == ()


# --- Misuse ---


def test_backends_by_name():
    for backend, family in (
        (None, AutoGaussianDense),
        ("dense", AutoGaussianDense),
        ("structured", AutoGaussianStructured),
        ("funsor", AutoGaussianFunsor),
    ):
        assert type(AutoGaussian(groups, backend=backend)) is family
        assert type(family(groups)) is family
    with pytest.raises(ValueError, match=r"'sparse'.*'structured'"):
        AutoGaussian(groups, backend="sparse")
    with pytest.raises(ValueError, match="leave out backend"):
        AutoGaussianDense(groups, backend="structured")
    with pytest.raises(ValueError, match="init_scale"):
        AutoGaussian(groups, init_scale=0.0)


def discrete():
    pyro.sample("k", dist.Categorical(torch.ones(3)))


def spherical():
    pyro.sample("k", dist.ProjectedNormal(torch.ones(3)))


def batched_sphere():
    pyro.sample("k", dist.ProjectedNormal(torch.ones(4, 3)))


def missing_plate():
    pyro.sample("k", dist.Normal(torch.zeros(3), 1.0))


def untraceable():
    k = pyro.sample("k", dist.Normal(0.0, 1.0))
    if type(k) is not torch.Tensor:
        raise TypeError("tensors only")


def nothing():
    pyro.sample("obs", dist.Normal(0.0, 1.0), obs=torch.ones(()))


class TupleShaped(dist.Normal):
    """A distribution whose event shape is a plain tuple, as some of users' own are."""

    event_shape = ()


def test_event_shapes_may_be_plain_tuples():
    def model():
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.sample("obs", TupleShaped(a, 1.0), obs=torch.zeros(()))

    assert AutoGaussian(model)()["a"].shape == ()


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (discrete, ValueError, "'k'.*enumerat"),
        (spherical, ValueError, "'k'.*ProjectedNormalReparam"),
        (batched_sphere, ValueError, "'k'.*ProjectedNormalReparam"),
        (missing_plate, ValueError, r"'k' has batch shape \(3,\).*to_event"),
        (untraceable, ValueError, "could not trace.*AutoMultivariateNormal"),
        (nothing, RuntimeError, "no latent variables"),
    ],
)
def test_models_outside_the_family_are_refused_with_advice(model, error, message):
    with pytest.raises(error, match=message):
        AutoGaussian(model)()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_singular_precision_names_its_sites(backend):
    guide = AutoGaussian(groups, backend=backend)
    guide()
    with torch.no_grad():
        guide.prec_sqrts.z.fill_(math.nan)
    with pytest.raises(ValueError, match=r"not positive definite.*'z'.*learning rate"):
        guide()


def test_a_plate_without_a_size_has_that_of_its_observations():
    def model():
        p = pyro.sample("p", dist.Dirichlet(torch.ones(3)))
        with pyro.plate("data"):
            pyro.sample("obs", dist.Categorical(p).expand([11]), obs=torch.arange(11) % 3)

    guide = AutoGaussian(model)
    assert torch.isfinite(torch.tensor(Trace_ELBO().loss(model, guide)))


@pytest.mark.parametrize("backend", ["dense", "structured"])
def test_a_factor_ties_the_latents_that_it_looks_at(backend):
    def model():
        x = pyro.sample("x", dist.Normal(0.0, 1.0))
        y = pyro.sample("y", dist.Normal(0.0, 1.0))
        pyro.factor("close", -5 * (x - y) ** 2)

    guide = AutoGaussian(model, backend=backend)
    svi = SVI(
        model,
        guide,
        Adam({"lr": 0.05}),
        Trace_ELBO(16, vectorize_particles=True, max_plate_nesting=0),
    )
    for _ in range(200):
        svi.step()
    draws = guide.sample_posterior(2_000)
    correlation = torch.corrcoef(torch.stack([draws["x"], draws["y"]]))[0, 1]
    assert correlation == pytest.approx(10 / 11, abs=0.1)
