"""Joint normals in blocks of plates: layout, exactness, minibatches."""

from __future__ import annotations

import copy
import io
import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, JitTrace_ELBO, Predictive, Trace_ELBO
from pyro.optim import ExponentialLR

from autoguide_core.guides.batched import (
    AutoBatchedLowRankMultivariateNormal,
    AutoBatchedMultivariateNormal,
)
from autoguide_core.guides.list import AutoGuideList
from autoguide_core.guides.lowrank import AutoLowRankMultivariateNormal
from autoguide_core.guides.multivariate import AutoMultivariateNormal
from autoguide_core.guides.normal import AutoNormal
from autoguide_core.initialization import init_to_feasible

FAMILIES = [AutoBatchedMultivariateNormal, AutoBatchedLowRankMultivariateNormal]


def nested():
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    outer, inner = pyro.plate("outer", 3, dim=-2), pyro.plate("inner", 4, dim=-1)
    with outer:
        a = pyro.sample("a", dist.Normal(mu, 1.0))
        p = pyro.sample("p", dist.Dirichlet(torch.ones(3)))
        with inner:
            b = pyro.sample("dotted.b", dist.LogNormal(a, 0.5))
    with inner:
        c = pyro.sample("c", dist.Beta(2.0, 2.0).expand([2]).to_event(1))
    tail = pyro.sample("tail", dist.Gamma(torch.ones(2), 1.0).to_event(1))
    with outer, inner:
        loc = b + p[..., 0] + tail.sum(-1, keepdim=True)
        pyro.sample("obs", dist.Normal(loc, 0.1 + c.sum(-1)), obs=torch.ones(3, 4))


SHAPES = {"mu": (), "a": (3, 1), "p": (3, 1, 3), "dotted.b": (3, 4), "c": (4, 2), "tail": (2,)}


def stir(guide, size=0.3):
    """Move all parameters away from their start."""
    with torch.no_grad():
        for _, value in sorted(guide.named_parameters()):
            value.add_(size * torch.randn_like(value))


def train(model, guide, steps, lr=0.05, elbo=None, decay=1.0):
    optim = ExponentialLR({"optimizer": torch.optim.Adam, "optim_args": {"lr": lr}, "gamma": decay})
    svi = SVI(model, guide, optim, elbo or Trace_ELBO())
    losses = []
    for _ in range(steps):
        losses.append(svi.step())
        optim.step()
    return losses


# --- Blocks ---


def parameter_shapes(**options):
    pyro.clear_param_store()
    guide = AutoBatchedMultivariateNormal(nested, **options)
    guide()
    store = pyro.get_param_store()
    prefix = "AutoBatchedMultivariateNormal."
    locs = {k.removeprefix(prefix + "locs."): tuple(store[k].shape) for k in store if "locs" in k}
    for name, shape in locs.items():
        assert store[f"{prefix}scales.{name}"].shape == shape
        assert store[f"{prefix}scale_trils.{name}"].shape == (*shape, shape[-1])
    return locs


def test_sites_are_grouped_by_their_plates():
    by_plates = {"shared": (3,), "outer": (3, 1, 3), "outer_inner": (3, 4, 1), "inner": (4, 2)}
    assert parameter_shapes() == by_plates
    leftmost = {"shared": (3 + 8,), "outer": (3, 1, 1 + 2 + 4)}
    assert parameter_shapes(batch_ndim=1) == leftmost
    assert parameter_shapes(plates=["outer"]) == leftmost
    assert parameter_shapes(plates=["inner"]) == {"shared": (3 + 9,), "inner": (4, 2 + 3)}
    assert parameter_shapes(batch_ndim=2) == by_plates
    assert parameter_shapes(batch_ndim=0) == {"shared": (3 + 9 + 12 + 8,)}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("options", [{}, {"plates": ["outer"]}, {"plates": ["inner"]}])
def test_draws_are_joint_inside_a_block_and_independent_outside(family, options):
    guide = family(nested, **options)
    assert {name: v.shape for name, v in guide.sample_posterior(2).items()} == {
        name: (2, *shape) for name, shape in SHAPES.items()
    }
    stir(guide, 1.0)
    trace = poutine.trace(guide).get_trace()
    # Every draw finds its way to its site: what was packed is what is unpacked.
    for block in guide._blocks:
        vectors = trace.nodes[f"_{guide._pyro_name}_{block.name}_latent"]["value"]
        values = block.unpack(vectors)
        torch.testing.assert_close(block.pack(values), vectors)
        for slot in block.slots:
            assert values[slot.name].shape == slot.batch + slot.event
    # The covariances are those of the parameters: b[0, 0] with a[0] and with b[0, 1].
    noise = {}
    with torch.no_grad():
        for block in guide._blocks:
            draws = guide._posterior(block).sample((20_000,))
            noise.update(block.unpack(draws, num_leading=1))
    b = noise["dotted.b"].reshape(20_000, 12).T
    correlation = torch.corrcoef(b)
    same_outer = torch.block_diag(*[torch.ones(4, 4)] * 3).bool()
    same_inner = torch.eye(4).repeat(3, 3).bool()
    joint = {"outer": same_outer, "inner": same_inner}
    related = torch.eye(12).bool()
    for name in options.get("plates", ()):
        related = joint[name]
    assert (correlation[~related].abs() < 0.04).all()
    if options:
        assert (correlation[related].abs() > 0.04).float().mean() > 0.6


@pytest.mark.parametrize("options", [{"batch_ndim": 0}, {"plates": []}])
@pytest.mark.parametrize(
    ("family", "reference"),
    [*zip(FAMILIES, [AutoMultivariateNormal, AutoLowRankMultivariateNormal], strict=True)],
)
def test_one_block_equals_the_joint_family(family, reference, options):
    results = []
    for make in (reference, family):
        pyro.clear_param_store()
        pyro.set_rng_seed(1)
        guide = make(nested, init_scale=0.3, **(options if make is family else {}))
        guide()
        pyro.set_rng_seed(2)
        stir(guide)
        pyro.set_rng_seed(3)
        loss = Trace_ELBO().loss_and_grads(nested, guide)
        gradients = [value.grad.flatten() for _, value in sorted(guide.named_parameters())]
        results.append((loss, gradients, guide.median(), guide.quantiles([0.2, 0.7])))
    # Quantiles of p, a simplex, are over draws.
    for _, _, _, quantiles in results:
        quantiles.pop("p")
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-5)
    torch.testing.assert_close(results[1][1:], results[0][1:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("options", [{}, {"plates": ["outer"]}])
def test_draws_score_as_the_guide_scores_them(family, options):
    guide = family(nested, **options)
    guide()
    stir(guide)
    trace = poutine.trace(guide).get_trace()
    trace.compute_log_prob()
    latents = [name for name in trace.nodes if name.endswith("_latent")]
    expected = sum(trace.nodes[name]["log_prob_sum"] for name in latents)
    unconstrained = {}
    for block in guide._blocks:
        vectors = trace.nodes[f"_{guide._pyro_name}_{block.name}_latent"]["value"]
        unconstrained.update(block.unpack(vectors))
    twice = {name: torch.stack([value, value]) for name, value in unconstrained.items()}
    scores = guide._score_unconstrained(twice)
    torch.testing.assert_close(scores, expected.expand(2), rtol=1e-4, atol=1e-4)


# --- A model whose posterior is known ---

GROUPS = 1000
SCALE = 0.7


class Conjugate:
    """Three coefficients a group with a standard normal prior, and four observations each."""

    def __init__(self, groups, subsample_size=None):
        self.groups, self.subsample_size = groups, subsample_size
        generator = torch.Generator().manual_seed(1)
        self.x = torch.randn(groups, 4, 3, generator=generator) + 0.5
        self.y = torch.randn(groups, 4, generator=generator)
        eye = torch.eye(3)
        self.covariance = torch.linalg.inv(eye + self.x.mT @ self.x / SCALE**2)
        self.mean = (self.covariance @ (self.x.mT @ self.y[..., None]) / SCALE**2)[..., 0]
        marginal = self.x @ self.x.mT + SCALE**2 * torch.eye(4)
        self.log_evidence = dist.MultivariateNormal(torch.zeros(4), marginal).log_prob(self.y)

    def __call__(self):
        with pyro.plate("groups", self.groups, subsample_size=self.subsample_size) as index:
            names = ("intercept", "slope", "curve")
            parts = [pyro.sample(name, dist.Normal(0.0, 1.0)) for name in names]
            weights = torch.stack(parts, dim=-1)
            loc = (self.x[index] @ weights[..., None])[..., 0]
            pyro.sample("y", dist.Normal(loc, SCALE).to_event(1), obs=self.y[index])


@pytest.mark.parametrize("subsample_size", [None, 10])
def test_the_exact_posterior_gives_the_evidence_with_every_draw(subsample_size):
    model = Conjugate(50, subsample_size)
    guide = AutoBatchedMultivariateNormal(model)
    guide()
    tril = torch.linalg.cholesky(model.covariance)
    scale = tril.diagonal(dim1=-2, dim2=-1)
    guide.locs.groups, guide.scales.groups = model.mean, scale
    guide.scale_trils.groups = tril / scale[..., None]
    for _ in range(3):
        trace = poutine.trace(guide).get_trace()
        index = trace.nodes["groups"]["value"]
        replayed = poutine.trace(poutine.replay(model, trace=trace)).get_trace()
        elbo = replayed.log_prob_sum() - trace.log_prob_sum()
        expected = model.log_evidence[index].mean() * 50
        torch.testing.assert_close(elbo, expected, rtol=1e-4, atol=1e-2)


def test_a_thousand_correlated_posteriors_are_found():
    model = Conjugate(GROUPS)
    guide = AutoBatchedMultivariateNormal(model, init_loc_fn=init_to_feasible)
    elbo = Trace_ELBO(2, vectorize_particles=True, max_plate_nesting=1)
    train(model, guide, 300, lr=0.08, elbo=elbo, decay=0.985)
    # Linear in the number of groups: one vector and one matrix for each.
    assert sum(value.numel() for value in guide.parameters()) == GROUPS * (3 + 3 + 9)
    (block,) = guide._blocks
    fitted = guide._posterior(block)
    exact = dist.MultivariateNormal(model.mean, model.covariance)
    divergence = torch.distributions.kl_divergence(fitted, exact)
    assert divergence.mean() < 0.05
    variances = 1 / torch.linalg.inv(model.covariance).diagonal(dim1=-2, dim2=-1)
    best = dist.MultivariateNormal(model.mean, torch.diag_embed(variances))
    assert torch.distributions.kl_divergence(best, exact).mean() > 0.3  # so that 0.05 says much


def test_minibatches_train_their_own_rows_and_find_the_posterior():
    model = Conjugate(40, subsample_size=8)
    guide = AutoBatchedMultivariateNormal(model, init_loc_fn=init_to_feasible)
    trace = poutine.trace(guide).get_trace()
    index = trace.nodes["groups"]["value"]
    assert guide.locs.groups.shape == (40, 3)
    assert trace.nodes["slope"]["value"].shape == (8,)
    guide.locs.groups = torch.arange(40.0)[:, None].expand(40, 3) * 100
    trace = poutine.trace(guide).get_trace()
    index = trace.nodes["groups"]["value"]
    torch.testing.assert_close(trace.nodes["slope"]["value"], index * 100.0, atol=1.0, rtol=0)
    loss = Trace_ELBO().differentiable_loss(model, guide)
    unconstrained = pyro.get_param_store()._params["AutoBatchedMultivariateNormal.locs.groups"]
    (gradient,) = torch.autograd.grad(loss, [unconstrained])
    assert (gradient.abs().sum(-1) > 0).sum() == 8

    guide.locs.groups = torch.zeros(40, 3)
    elbo = Trace_ELBO(8, vectorize_particles=True, max_plate_nesting=1)
    train(model, guide, 300, lr=0.08, elbo=elbo, decay=0.987)
    (block,) = guide._blocks
    exact = dist.MultivariateNormal(model.mean, model.covariance)
    divergence = torch.distributions.kl_divergence(guide._posterior(block), exact)
    assert divergence.mean() < 0.1
    assert guide.median()["slope"].shape == (40,)
    assert guide.quantiles([0.1, 0.9])["slope"].shape == (2, 40)
    assert guide.sample_posterior(7)["slope"].shape == (7, 40)


def test_a_subsampled_plate_inside_a_block_is_refused():
    model = Conjugate(40, subsample_size=8)
    for options in ({"plates": []}, {"batch_ndim": 0}):
        with pytest.raises(ValueError, match=r"'intercept'.*'groups'.*8 of 40.*plates="):
            AutoBatchedMultivariateNormal(model, **options)()


# --- Contract ---


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("options", [{}, {"batch_ndim": 1}, {"plates": ["inner"]}])
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_batched_guides_keep_the_contract_of_guides(family, options):
    guide = family(nested, **options)
    elbo = Trace_ELBO(4, vectorize_particles=True, max_plate_nesting=2)
    losses = train(nested, guide, 2, elbo=elbo) + train(nested, guide, 2)
    assert all(map(math.isfinite, losses))
    jitted = JitTrace_ELBO(ignore_jit_warnings=True)
    jitted.loss_and_grads(nested, guide)
    same_noise = []
    for each in (jitted, Trace_ELBO()):
        pyro.set_rng_seed(1)
        same_noise.append(each.loss_and_grads(nested, guide))
    assert same_noise[0] == pytest.approx(same_noise[1], rel=1e-4)

    median, levels = guide.median(), [0.9, 0.1]
    quantiles, draws = guide.quantiles(levels), guide.sample_posterior(20_000)
    for name, shape in SHAPES.items():
        assert median[name].shape == shape
        empirical = torch.quantile(draws[name], torch.tensor(levels), dim=0)
        torch.testing.assert_close(quantiles[name], empirical, rtol=0.05, atol=0.03)
        for value in (median[name], quantiles[name], draws[name]):
            assert not value.requires_grad
    predicted = Predictive(nested, guide=guide, num_samples=3, parallel=True)()
    assert predicted["dotted.b"].reshape(3, -1).shape == (3, 12)

    buffer = io.BytesIO()
    torch.save(guide, buffer)
    buffer.seek(0)
    for twin in (copy.deepcopy(guide), torch.load(buffer, weights_only=False)):
        torch.testing.assert_close(twin.median(), median)
    train(nested, guide, 2)

    parts = AutoGuideList(nested)
    parts.append(AutoNormal(poutine.block(nested, expose=["mu", "tail"])))
    parts.append(family(poutine.block(nested, hide=["mu", "tail"]), **options))
    train(nested, parts, 2)
    assert parts.median().keys() == SHAPES.keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_float64_masks_and_moving_supports(family):
    keep = torch.tensor([True, False, True])

    def model():
        top = pyro.sample("top", dist.Gamma(torch.tensor(3.0).double(), 1.0))
        with pyro.plate("rows", 3):
            pyro.sample("u", dist.Uniform(torch.zeros(()).double(), top))
            with poutine.mask(mask=keep):
                pyro.sample("z", dist.Normal(torch.zeros(()).double(), 1.0))

    guide = family(model, init_scale=0.5)
    elbo = Trace_ELBO(8, vectorize_particles=True, max_plate_nesting=1)
    train(model, guide, 100, lr=0.08, elbo=elbo)
    draws = guide.sample_posterior(2000)
    assert draws["u"].dtype == torch.float64
    assert (draws["u"] < draws["top"][:, None]).all()
    # A masked entry would widen without bound: it settles at a standard Normal.
    torch.testing.assert_close(draws["z"].std(0), torch.ones(3).double(), rtol=0, atol=0.35)


@pytest.mark.parametrize("family", FAMILIES)
def test_scales_by_site_and_a_draw_that_is_not_a_number(family):
    part = 1.0 if family is AutoBatchedMultivariateNormal else 0.5**0.5
    guide = family(nested, init_scale={"a": 0.5 / part, "c": 2 / part, "p": 0.1 / part})
    guide()
    expected = torch.tensor([0.5, 0.1, 0.1]).expand(3, 1, 3)
    torch.testing.assert_close(guide.scales.outer.detach(), expected)
    assert guide.scales.inner.flatten().tolist() == pytest.approx([2.0] * 8)
    with pytest.raises(ValueError, match=r"'aa'.*Did you mean 'a'"):
        family(nested, init_scale={"aa": 0.5})()
    with torch.no_grad():
        guide.locs.inner[1, 0] = float("nan")
    with pytest.raises(ValueError, match="site 'c'"), pyro.validation_enabled(True):
        guide()


def test_plates_with_awkward_names():
    def model():
        pyro.sample("x", dist.Normal(0.0, 1.0))
        with pyro.plate("shared", 2, dim=-1):
            pyro.sample("y", dist.Normal(0.0, 1.0))
        with pyro.plate("a_b", 2, dim=-2), pyro.plate("c", 2, dim=-1):
            pyro.sample("first", dist.Normal(0.0, 1.0))
        with pyro.plate("a", 2, dim=-2), pyro.plate("b_c", 2, dim=-1):
            pyro.sample("second", dist.Normal(0.0, 1.0))
        with pyro.plate("forward", 2), pyro.plate("a.b", 3, dim=-2):
            pyro.sample("third", dist.Normal(0.0, 1.0))

    guide = AutoBatchedMultivariateNormal(model)
    train(model, guide, 2)
    assert len({block.name for block in guide._blocks}) == 5
    assert guide.median().keys() == {"x", "y", "first", "second", "third"}


def test_arguments_and_models_without_a_meaning_are_told():
    family = AutoBatchedMultivariateNormal
    with pytest.raises(ValueError, match="not both"):
        family(nested, batch_ndim=1, plates=["outer"])
    with pytest.raises(ValueError, match="batch_ndim"):
        family(nested, batch_ndim=-1)
    with pytest.raises(ValueError, match="take 2 dims only"):
        family(nested, batch_ndim=3)()
    with pytest.raises(ValueError, match=r"'typo'.*inner, outer"):
        family(nested, plates=["typo"])()
    with pytest.raises(ValueError, match="list of plate names"):
        family(nested, plates="outer")
    with pytest.raises(ValueError, match="rank"):
        AutoBatchedLowRankMultivariateNormal(nested, rank=0)
    with pytest.raises(RuntimeError, match="no latent"):
        family(lambda: None)()
    with pytest.raises(ValueError, match="discrete sample site 'z'"):
        family(lambda: pyro.sample("z", dist.Bernoulli(0.5)))()
