"""Flows: where they start, how they score, what they can fit."""

from __future__ import annotations

import copy
import io
import warnings
from functools import partial

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.distributions.transforms import affine_coupling, iterated, planar
from pyro.infer import SVI, JitTrace_ELBO, Predictive, Trace_ELBO
from pyro.infer import autoguide as stock
from pyro.optim import Adam

from autoguide_core.guides.bnaf import AutoBNAFNormal, GatedBlockAutoregressive
from autoguide_core.guides.flow import AutoNormalizingFlow
from autoguide_core.guides.iaf import AutoIAFNormal
from autoguide_core.guides.list import AutoGuideList
from autoguide_core.guides.normal import AutoNormal
from autoguide_core.guides.triangular import invert_entry_by_entry, invert_triangular
from autoguide_core.initialization import init_to_median, init_to_value

COUPLING = partial(iterated, 2, partial(affine_coupling, hidden_dims=[8]))
MAKERS = {
    "IAF": partial(AutoIAFNormal, hidden_dim=12, num_transforms=2, init_loc_fn=init_to_median),
    "stable IAF": partial(AutoIAFNormal, stable=True),
    "flow": partial(AutoNormalizingFlow, init_transform_fn=COUPLING, init_scale=0.3),
    "BNAF": partial(AutoBNAFNormal, num_flows=2, hidden_factors=[4]),
}


def far_away():
    pyro.sample("x", dist.Normal(torch.tensor([100.0, -50.0]), 1.0).to_event(1))
    pyro.sample("s", dist.LogNormal(8.0, 0.1))


def assorted():
    a = pyro.sample("nested.a", dist.Normal(0.0, 1.0))
    pyro.sample("p", dist.Dirichlet(torch.ones(3)))
    with pyro.plate("rows", 4, dim=-1):
        b = pyro.sample("b", dist.LogNormal(a, 1.0))
        with pyro.plate("columns", 2, dim=-2):
            pyro.sample("obs", dist.Normal(b, 1.0), obs=torch.ones(2, 4))


def train(model, guide, steps, lr=0.02, elbo=None):
    svi = SVI(model, guide, Adam({"lr": lr}), elbo or Trace_ELBO())
    return [svi.step() for _ in range(steps)]


def stir(guide, size=0.3):
    """Move all parameters away from their start."""
    with torch.no_grad():
        for value in guide.parameters():
            value.add_(size * torch.randn_like(value))


# --- Start ---


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_flow_starts_where_the_strategy_says(make):
    start = init_to_value(
        values={"x": torch.tensor([90.0, -40.0]), "s": torch.tensor(2900.0)}, fallback=None
    )
    guide = make(far_away, init_loc_fn=start, init_scale=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draws = guide.sample_posterior(400)
    torch.testing.assert_close(draws["x"].mean(0), torch.tensor([90.0, -40.0]), atol=0.1, rtol=0)
    assert draws["s"].mean().item() == pytest.approx(2900.0, rel=0.03)
    assert (draws["x"].std(0) < 0.1).all()


def test_the_first_loss_is_that_of_the_other_families():
    def model():
        pyro.sample("x", dist.Normal(torch.full((2,), 100.0), 1.0).to_event(1))

    def first_loss(family, **options):
        pyro.clear_param_store()
        elbo = Trace_ELBO(20, vectorize_particles=True, max_plate_nesting=0)
        return elbo.loss(model, family(model, **options))

    assert first_loss(AutoIAFNormal) > 9_000
    assert first_loss(AutoIAFNormal, init_loc_fn=init_to_median) < 10
    assert first_loss(AutoIAFNormal, init_scale=0.5) < 10
    assert first_loss(AutoBNAFNormal, init_loc_fn=init_to_median) < 10


def test_the_affine_layer_adds_two_parameters_and_leaves_the_flow_as_it_is():
    shapes = []
    for family in (stock.AutoIAFNormal, AutoIAFNormal, MAKERS["IAF"]):
        pyro.clear_param_store()
        options = {"hidden_dim": [12], "num_transforms": 2}
        family(assorted, **options)()
        store = pyro.get_param_store()
        # A second name that the stock flow gives one of its weights.
        names = [name for name in store if not name.endswith("._prototype_tensor")]
        shapes.append({name: store[name].shape for name in names})
    reference, plain, affine = shapes
    assert plain == reference
    extra = {"AutoIAFNormal.loc": torch.Size([7]), "AutoIAFNormal.scale": torch.Size([7])}
    assert affine == reference | extra


# --- Scores ---


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_density_is_that_of_the_change_of_variables(make, dtype):
    def model():
        pyro.sample("x", dist.Normal(torch.zeros(3, dtype=dtype), 1.0).to_event(1))

    guide = make(model)
    guide()
    stir(guide)
    noise = torch.randn(3, dtype=dtype)
    value = guide.get_transform()(noise).detach()
    jacobian = torch.autograd.functional.jacobian(lambda z: guide.get_transform()(z), noise)
    expected = guide.get_base_dist().log_prob(noise) - torch.linalg.slogdet(jacobian)[1]
    tolerance = 1e-4 if dtype is torch.float32 else 1e-6
    # A value that no cache knows, by the inverse:
    posterior = guide.get_posterior()
    torch.testing.assert_close(posterior.log_prob(value), expected, atol=tolerance, rtol=0)
    # The draw just made, and a copy of it in a batch:
    draw = posterior.rsample((5,))
    assert draw.dtype == dtype
    scored = posterior.log_prob(draw)
    torch.testing.assert_close(posterior.log_prob(draw.clone()), scored, atol=tolerance, rtol=0)


def test_a_given_value_is_scored_with_the_gradient_of_the_exact_inverse():
    def model():
        pyro.sample("x", dist.Normal(torch.zeros(3, dtype=torch.float64), 1.0).to_event(1))

    guide = AutoBNAFNormal(model, num_flows=2, hidden_factors=[3])
    guide()
    stir(guide)
    value = guide.get_posterior().sample((2,)) + 0.1
    parameters = [*guide.parameters()]

    def score():
        return guide.get_posterior().log_prob(value).sum()

    gradients = torch.autograd.grad(score(), parameters)
    step = 1e-6
    for parameter, gradient in zip(parameters, gradients, strict=True):
        direction = torch.randn_like(parameter)
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(sign * step * direction)
                ends.append(score())
                parameter.sub_(sign * step * direction)
        numeric = (ends[0] - ends[1]) / (2 * step)
        assert (gradient * direction).sum().item() == pytest.approx(
            numeric.item(), abs=1e-5, rel=1e-4
        )


def test_a_triangular_map_is_inverted_from_any_start():
    flow = GatedBlockAutoregressive(4, [8, 8]).double()
    with torch.no_grad():
        for weight in flow.parameters():
            weight.add_(0.5 * torch.randn_like(weight))
        points = 20 * torch.randn(30, 2, 4, dtype=torch.float64)
        images = flow(points).clone()
        for invert in (invert_triangular, invert_entry_by_entry):
            found = invert(flow._value_and_slope, images)
            torch.testing.assert_close(found, points, rtol=1e-9, atol=1e-9)
    # Far out the joint search does not settle at a steep step; the search entry by entry does.
    steep = lambda x: (x + 50 * torch.tanh(50 * x), 1 + 2500 / torch.cosh(50 * x) ** 2)  # noqa: E731
    points = torch.linspace(-1, 1, 41, dtype=torch.float64).reshape(-1, 1)
    found = invert_triangular(steep, steep(points)[0])
    torch.testing.assert_close(found, points, rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match="outside the range"):
        invert_triangular(lambda x: (torch.tanh(x), 1 / torch.cosh(x) ** 2), points + 3)
    with pytest.raises(ValueError, match="not finite"), torch.no_grad():
        flow.inv(torch.full((4,), float("nan"), dtype=torch.float64))


# --- Fit ---


def two_modes():
    x = pyro.sample("x", dist.Normal(0.0, 4.0))
    component = torch.stack([dist.Normal(c, 0.5).log_prob(x) for c in (-1.5, 1.5)])
    # The target's density over the prior's: the evidence is one.
    target = component.logsumexp(0) - torch.tensor(2.0).log()
    pyro.factor("target", target - dist.Normal(0.0, 4.0).log_prob(x))


def test_a_block_autoregressive_flow_fits_two_modes():
    guide = AutoBNAFNormal(two_modes, init_loc_fn=init_to_value(values={"x": 0.0}), init_scale=1.0)
    elbo = Trace_ELBO(32, vectorize_particles=True, max_plate_nesting=0)
    losses = train(two_modes, guide, 250, elbo=elbo)
    # The best that one Normal can do is log 2, about 0.69, by taking one mode.
    assert sum(losses[-50:]) / 50 < 0.15
    draws = guide.sample_posterior(4000)["x"]
    assert (draws > 0).float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert draws[draws > 0].std().item() == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("name", ["IAF", "flow", "BNAF"])  # the stable IAF can narrow only
def test_a_correlated_normal_is_fitted(name):
    covariance = torch.tensor([[1.0, 0.9], [0.9, 1.0]])
    target = dist.MultivariateNormal(torch.tensor([30.0, -20.0]), covariance)

    def model():
        pyro.sample("x", target)

    guide = MAKERS[name](model, init_loc_fn=init_to_value(values={"x": target.loc + 1}))
    elbo = Trace_ELBO(16, vectorize_particles=True, max_plate_nesting=0)
    losses = train(model, guide, 250, elbo=elbo)
    assert sum(losses[-50:]) / 50 < 0.1  # the evidence is one
    median = guide.median()["x"]
    torch.testing.assert_close(median, target.loc, atol=0.2, rtol=0)


# --- Contract ---


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_flows_keep_the_contract_of_guides(make):
    guide = make(assorted)
    vectorised = Trace_ELBO(4, vectorize_particles=True, max_plate_nesting=2)
    losses = [train(assorted, guide, 2, elbo=elbo) for elbo in (Trace_ELBO(), vectorised)]
    assert torch.isfinite(torch.tensor(losses)).all()
    jitted = JitTrace_ELBO(ignore_jit_warnings=True)
    jitted.loss_and_grads(assorted, guide)
    same_noise = []
    for elbo in (jitted, Trace_ELBO()):
        pyro.set_rng_seed(1)
        same_noise.append(elbo.loss_and_grads(assorted, guide))
    assert same_noise[0] == pytest.approx(same_noise[1], rel=1e-4)

    shapes = {"nested.a": (), "p": (3,), "b": (4,)}
    trace = poutine.trace(guide).get_trace()
    assert trace.nodes[f"_{type(guide).__name__}_latent"]["infer"] == {"is_auxiliary": True}
    for name, shape in shapes.items():
        assert guide.median()[name].shape == shape
        assert guide.quantiles([0.2, 0.8])[name].shape == (2, *shape)
        draws = guide.sample_posterior(3)[name]
        assert draws.shape == (3, *shape)
        assert not draws.requires_grad
    predicted = Predictive(assorted, guide=guide, num_samples=3, parallel=True)()
    assert predicted["b"].reshape(3, -1).shape == (3, 4)

    parts = AutoGuideList(assorted)
    parts.append(make(poutine.block(assorted, hide=["b"])))
    parts.append(AutoNormal(poutine.block(assorted, expose=["b"])))
    train(assorted, parts, 2)
    assert parts.median().keys() == shapes.keys()


@pytest.mark.parametrize(
    "make", [*MAKERS.values(), lambda model: AutoNormalizingFlow(model, lambda dim: planar(dim))]
)
def test_flows_are_copied_and_saved_with_or_without_a_lambda(make):
    guide = make(assorted)
    train(assorted, guide, 2)
    buffer = io.BytesIO()
    torch.save(guide, buffer)
    buffer.seek(0)
    for twin in (copy.deepcopy(guide), torch.load(buffer, weights_only=False)):
        pyro.set_rng_seed(2)
        expected = guide()
        pyro.set_rng_seed(2)
        torch.testing.assert_close(twin(), expected)
    train(assorted, guide, 2)


def test_arguments_without_a_meaning_are_told():
    for bad in (0, 1.5, True):
        with pytest.raises(ValueError, match="num_flows"):
            AutoBNAFNormal(assorted, num_flows=bad)
    for widths in ([], [0], [2.0]):
        with pytest.raises(ValueError, match="hidden_factors"):
            AutoBNAFNormal(assorted, hidden_factors=widths)
    with pytest.raises(ValueError, match="init_scale"):
        AutoIAFNormal(assorted, init_scale=-1.0)
