"""Latents that follow others: which they are, and the map from standard numbers to them."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import pytest
import torch

from autoguide_core.engine.curvature.density import LogDensity
from autoguide_core.noncentring import Conditional, FollowerFinder, location_scale


def nested() -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    tau = pyro.sample("tau", dist.HalfNormal(pyro.param("width", torch.tensor(1.0))))
    rate = pyro.sample("rate", dist.Exponential(1.0))
    half = pyro.deterministic("half", 0.5 * mu)
    pyro.sample("shares", dist.Dirichlet(rate * torch.ones(3)))
    pyro.sample("width_of", dist.Uniform(0.0, tau))
    with pyro.plate("groups", 2):
        theta = pyro.sample("theta", dist.Normal(half, tau).expand([2]))
        vector = dist.MultivariateNormal(theta[..., None].expand(2, 3), torch.eye(3).to(theta))
        pyro.sample("vector", vector)
        pyro.sample("y", dist.Normal(theta, 1.0), obs=torch.zeros(2))


def test_latents_that_follow_others_are_found() -> None:
    density = LogDensity(nested)
    finder = FollowerFinder(density.layout)
    finder(nested)()
    parents = {name: set(follower.parents) for name, follower in finder.found.items()}
    assert parents == {"theta": {"mu", "tau"}, "vector": {"theta"}}
    movable = density.unpack(density.noncentrable)
    assert {name for name, entries in movable.items() if bool(entries.all())} == set(parents)
    assert not any(bool(movable[name].any()) for name in movable if name not in parents)


def test_a_latent_that_follows_an_enumerated_one_is_left_as_it_is() -> None:
    def mixed() -> None:
        mu = pyro.sample("mu", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        z = pyro.sample("z", dist.Bernoulli(0.5), infer={"enumerate": "parallel"})
        pyro.sample("x", dist.Normal(mu[..., 0] + z, 1.0))
        pyro.sample("free", dist.Normal(mu[..., 1], 1.0))

    density = LogDensity(mixed)
    assert density.noncentrable.tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    "fn",
    [
        dist.Normal(torch.tensor([0.5, -1.0]), torch.tensor(2.0)),
        dist.Exponential(torch.tensor([0.5, 3.0])),
        dist.MultivariateNormal(
            torch.tensor([0.5, -1.0]), scale_tril=torch.tensor([[1.0, 0.0], [0.7, 0.4]])
        ),
    ],
    ids=lambda fn: type(fn).__name__,
)
def test_the_map_has_an_inverse_and_the_jacobian_that_it_says(fn: dist.Distribution) -> None:
    prior = location_scale(fn)
    assert prior is not None
    conditional = Conditional(prior, torch.tensor([0.3, 2.0]), torch.tensor([-1.0, 0.4]))
    draws = torch.randn(5, 2)
    values, log_det = conditional(draws)
    assert log_det.shape == ((5,) if prior.is_factor else (5, 2))
    torch.testing.assert_close(conditional.inverse(values), draws)
    jacobian = torch.autograd.functional.jacobian(lambda u: conditional(u)[0], draws[0])
    expected = torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(log_det.reshape(5, -1).sum(1)[0], expected)
