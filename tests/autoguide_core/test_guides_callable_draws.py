"""Draws and scores of hand-written guides: at once where that is right, in turn where not."""

from __future__ import annotations

import copy
import io

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine

from autoguide_core import AutoCallable, AutoGuideList, AutoNormal

SIZE = 6
DATA = torch.arange(float(SIZE))


def model(data, size=None):
    mu = pyro.sample("mu", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    with pyro.plate("data", SIZE, subsample_size=size) as index:
        z = pyro.sample("z", dist.Normal(mu.sum(-1), 1.0))
        pyro.sample("y", dist.Normal(z, 1.0), obs=data[index])


class Counting:
    """A guide function that counts its calls."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self.function(*args, **kwargs)


def good(data, size=None):
    loc = pyro.param("loc", lambda: torch.zeros(2))
    mu = pyro.sample("mu", dist.Normal(loc, 0.5).to_event(1))
    with pyro.plate("data", SIZE, subsample_size=size) as index:
        base = pyro.sample("base", dist.Normal(0.0, 1.0), infer={"is_auxiliary": True})
        z = pyro.sample("z", dist.Delta(mu[..., 0] + 0.5 * data[index] + base))
    return {"mu": mu, "z": z, "twice": 2 * mu}


def summing(data, size=None):
    """Right for one draw; in a plate of draws it sums over them, without an error."""
    mu = pyro.sample("mu", dist.Normal(torch.ones(2), 0.5).to_event(1))
    with pyro.plate("data", SIZE):
        z = pyro.sample("z", dist.Normal(mu.sum(), 1.0))
    return {"mu": mu, "z": z}


def branching(data, size=None):
    """Right for one draw; in a plate of draws one that is rare decides for all."""
    mu = pyro.sample("mu", dist.Normal(torch.full((2,), 2.5), 1.0).to_event(1))
    loc = mu[..., 0] if bool((mu > 0).all()) else -mu[..., 0]
    with pyro.plate("data", SIZE):
        z = pyro.sample("z", dist.Normal(loc.unsqueeze(-1) if loc.dim() > 1 else loc, 1.0))
    return {"mu": mu, "z": z}


def unwatched(data, size=None):
    """Returns noise that no site holds."""
    return {"mu": torch.randn(2)}


def failing(data, size=None):
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0).expand([2]).to_event(1))
    a, b = mu
    return {"mu": torch.stack([a, b])}


def silent(data, size=None):
    pyro.sample("mu", dist.Normal(torch.zeros(2), 0.5).to_event(1))
    with pyro.plate("data", SIZE):
        pyro.sample("z", dist.Normal(torch.tensor(1.0), 0.5))


def test_a_function_that_broadcasts_draws_at_once_at_full_size():
    function = Counting(good)
    guide = AutoCallable(model, function)
    draws = guide.sample_posterior(2000, DATA, 3)
    assert function.calls < 12
    assert {k: v.shape for k, v in draws.items()} == {
        "mu": (2000, 2),
        "z": (2000, SIZE),
        "twice": (2000, 2),
    }
    torch.testing.assert_close(draws["z"].mean(0), 0.5 * DATA, rtol=0, atol=0.12)
    torch.testing.assert_close(draws["z"].std(0), torch.full((SIZE,), 1.25**0.5), rtol=0, atol=0.1)
    torch.testing.assert_close(draws["twice"], 2 * draws["mu"])
    assert torch.corrcoef(draws["z"].T)[0, 1].item() == pytest.approx(0.25 / 1.25, abs=0.08)
    assert guide.quantiles([0.1, 0.9], DATA)["z"].shape == (2, SIZE)


@pytest.mark.parametrize("function", [summing, branching, unwatched, failing])
def test_a_wrong_broadcast_is_seen_and_the_function_called_once_a_draw(function):
    counting = Counting(function)
    draws = AutoCallable(model, counting).sample_posterior(60, DATA)
    assert counting.calls >= 60
    assert draws["mu"].shape == (60, 2)
    assert len(draws["mu"].unique()) == 120
    if function is summing:
        assert (draws["z"].mean(1) - draws["mu"].sum(1)).abs().max() < 2.5


def test_a_function_that_returns_nothing_still_has_draws_of_its_sites():
    draws = AutoCallable(model, silent).sample_posterior(5, DATA)
    assert {k: v.shape for k, v in draws.items()} == {"mu": (5, 2), "z": (5, SIZE)}


def test_a_function_that_was_given_a_minibatch_keeps_it():
    def local(batch):
        with pyro.plate("data", SIZE, subsample_size=len(batch)):
            return {"z": pyro.sample("z", dist.Normal(batch, 0.1))}

    draws = AutoCallable(model, local).sample_posterior(5, DATA[:2])
    assert draws["z"].shape == (5, 2)


def test_in_a_list_the_plates_of_the_list_have_their_full_size():
    guide = AutoGuideList(model)
    guide.append(AutoNormal(poutine.block(model, expose=["mu"])))

    def local(data, size=None):
        with guide.plates["data"] as index:
            return {"z": pyro.sample("z", dist.Normal(data[index], 0.1))}

    guide.append(local)
    guide(DATA, 3)
    for _ in range(2):
        assert guide.sample_posterior(7, DATA, 3)["z"].shape == (7, SIZE)
        assert guide(DATA, 3)["z"].shape == (3,)


@pytest.mark.parametrize("function", [summing, silent, branching])
def test_the_score_is_the_density_of_each_draw(function):
    guide = AutoCallable(model, function)
    draws = guide.sample_posterior(20, DATA)
    expected = []
    for i in range(20):
        conditioned = poutine.condition(function, {k: v[i] for k, v in draws.items()})
        expected.append(poutine.trace(conditioned).get_trace(DATA).log_prob_sum())
    torch.testing.assert_close(guide._score(draws, DATA), torch.stack(expected))


def test_masks_count_and_scales_do_not():
    def local(data, size=None):
        with pyro.plate("data", SIZE, subsample_size=2), poutine.scale(scale=0.1):
            pyro.sample("z", dist.Normal(0.0, torch.tensor(1.0)).mask(DATA > 2))

    guide = AutoCallable(model, local)
    score = guide._score({"z": torch.zeros(3, SIZE)}, DATA)
    expected = 3 * dist.Normal(0.0, 1.0).log_prob(torch.tensor(0.0))
    torch.testing.assert_close(score, expected.expand(3))


def test_an_auxiliary_site_without_draws_is_refused_and_with_them_scored():
    guide = AutoCallable(model, good)
    draws = guide.sample_posterior(5, DATA)
    with pytest.raises(ValueError, match=r"sample site 'base'.*no values"):
        guide._score(draws, DATA)
    draws["base"] = draws["z"] - draws["mu"][:, :1] - 0.5 * DATA
    expected = dist.Normal(0.0, 0.5).log_prob(draws["mu"]).sum(-1)
    expected = expected + dist.Normal(0.0, 1.0).log_prob(draws["base"]).sum(-1)
    torch.testing.assert_close(guide._score(draws, DATA), expected, rtol=1e-4, atol=1e-4)
    draws["z"][0] += 1  # not what the Delta says
    assert guide._score(draws, DATA).isinf().tolist() == [True] + 4 * [False]


def test_saving_and_copying():
    guide = AutoGuideList(model)
    guide.append(AutoCallable(model, silent, good))
    guide(DATA)
    twin = copy.deepcopy(guide)
    buffer = io.BytesIO()
    torch.save(guide, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    for other in (twin, loaded):
        assert other.sample_posterior(3, DATA)["z"].shape == (3, SIZE)
        assert other[0].median(DATA)["mu"].shape == (2,)
    local = AutoCallable(model, lambda data: {})
    with pytest.warns(UserWarning, match="cannot be pickled"):
        torch.save(local, io_buffer := io.BytesIO())
    io_buffer.seek(0)
    loaded = torch.load(io_buffer, weights_only=False)
    with pytest.raises(RuntimeError, match="loaded from a file"):
        loaded(DATA)
    assert local(DATA) == {}
