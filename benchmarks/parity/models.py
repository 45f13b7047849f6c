"""Models as people write them for Pyro, after its examples, with guides and simulated data."""

from __future__ import annotations

from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.infer.reparam import LocScaleReparam
from pyro.nn import PyroModule, PyroSample
from torch import Tensor, nn

from autoguide_core import AutoDelta, AutoMultivariateNormal, AutoNormal
from benchmarks.parity.amortised import deep_markov, find_and_infer, semi_supervised
from benchmarks.parity.case import Case, Pair
from benchmarks.parity.epidemic import epidemic

ROWS = 24


def _data() -> tuple[Tensor, Tensor]:
    x = torch.stack([torch.linspace(-1, 1, ROWS), torch.linspace(0, 9, ROWS).sin()], dim=1)
    return x, x @ torch.tensor([1.0, -2.0]) + 0.3 * torch.linspace(0, 40, ROWS).cos()


def regression() -> Pair:
    """Bayesian regression as a module with priors for its weights."""
    x, y = _data()
    linear = PyroModule[nn.Linear](2, 1)
    linear.weight = PyroSample(dist.Normal(0.0, 1.0).expand([1, 2]).to_event(2))
    linear.bias = PyroSample(dist.Normal(0.0, 10.0).expand([1]).to_event(1))

    def model() -> None:
        sigma = pyro.sample("sigma", dist.Uniform(0.0, 10.0))
        mean = linear(x).squeeze(-1)
        with pyro.plate("data", ROWS):
            pyro.sample("obs", dist.Normal(mean, sigma), obs=y)

    return model, AutoNormal(model)


def eight_schools() -> Pair:
    """Partial pooling with a learnt centring."""
    y = torch.tensor([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    sigma = torch.tensor([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])

    def centred() -> None:
        mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
        tau = pyro.sample("tau", dist.LogNormal(0.0, 1.0))
        with pyro.plate("schools", 8):
            theta = pyro.sample("theta", dist.Normal(mu, tau))
            pyro.sample("y", dist.Normal(theta, sigma), obs=y)

    model = poutine.reparam(centred, config={"theta": LocScaleReparam()})
    return model, AutoNormal(model)


def baseball() -> Pair:
    """Partially pooled success rates."""
    at_bats, hits = torch.full((9,), 45.0), torch.arange(9.0) + 8

    def model() -> None:
        m = pyro.sample("m", dist.Uniform(0.0, 1.0))
        kappa = pyro.sample("kappa", dist.Pareto(1.0, 1.5))
        with pyro.plate("players", 9):
            phi = pyro.sample("phi", dist.Beta(m * kappa, (1 - m) * kappa))
            pyro.sample("hits", dist.Binomial(at_bats, phi), obs=hits)

    return model, AutoNormal(model, init_loc_fn=pyro.infer.autoguide.init_to_median)


def vae() -> Pair:
    """An amortised guide by a network, in minibatches."""
    x, _ = _data()
    encoder = nn.Sequential(nn.Linear(2, 4), nn.Softplus(), nn.Linear(4, 2))
    decoder = nn.Linear(1, 2)

    def model() -> None:
        pyro.module("decoder", decoder)
        with pyro.plate("data", ROWS, subsample_size=8) as index:
            z = pyro.sample("z", dist.Normal(torch.zeros(1), 1.0).to_event(1))
            pyro.sample("x", dist.Normal(decoder(z), 0.5).to_event(1), obs=x[index])

    def guide() -> None:
        pyro.module("encoder", encoder)
        with pyro.plate("data", ROWS, subsample_size=8) as index:
            loc, log_scale = encoder(x[index]).chunk(2, -1)
            pyro.sample("z", dist.Normal(loc, log_scale.exp()).to_event(1))

    return model, guide


def mixture() -> Pair:
    """A mixture whose assignments are enumerated in the model."""
    _, y = _data()

    def model() -> None:
        weights = pyro.sample("weights", dist.Dirichlet(torch.ones(2)))
        locs = pyro.sample("locs", dist.Normal(0.0, 2.0).expand([2]).to_event(1))
        with pyro.plate("data", ROWS):
            z = pyro.sample("z", dist.Categorical(weights), infer={"enumerate": "parallel"})
            pyro.sample("y", dist.Normal(locs[z], 0.5), obs=y)

    return model, AutoNormal(poutine.block(model, hide=["z"]))


def hidden_markov() -> Pair:
    """A hidden Markov chain, enumerated step by step."""
    sequences = _data()[1].reshape(4, 6)

    def model() -> None:
        moves = pyro.sample("moves", dist.Dirichlet(torch.eye(2) + 1).to_event(1))
        locs = pyro.sample("locs", dist.Normal(0.0, 2.0).expand([2]).to_event(1))
        with pyro.plate("sequences", 4):
            z: Any = 0
            for t in pyro.markov(range(6)):
                chosen = dist.Categorical(moves[z])
                z = pyro.sample(f"z_{t}", chosen, infer={"enumerate": "parallel"})
                pyro.sample(f"y_{t}", dist.Normal(locs[z], 1.0), obs=sequences[:, t])

    return model, AutoDelta(poutine.block(model, expose=["moves", "locs"]))


def capture_recapture() -> Pair:
    """Cormack, Jolly and Seber: survival and recapture, with masks for what is not yet marked."""
    seen = (torch.arange(30).reshape(6, 5) * 7 % 5 > 1).to(torch.get_default_dtype())
    seen[:, 0] = 1.0

    def model() -> None:
        phi = pyro.sample("phi", dist.Uniform(0.0, 1.0))
        rho = pyro.sample("rho", dist.Uniform(0.0, 1.0))
        with pyro.plate("animals", 6):
            alive: Any = torch.ones(6)
            marked = seen[:, 0].bool()
            for t in pyro.markov(range(1, 5)):
                with poutine.mask(mask=marked):
                    survival = dist.Bernoulli(phi * alive)
                    alive = pyro.sample(f"z_{t}", survival, infer={"enumerate": "parallel"})
                    pyro.sample(f"y_{t}", dist.Bernoulli(rho * alive), obs=seen[:, t])
                marked = marked | seen[:, t].bool()

    return model, AutoMultivariateNormal(poutine.block(model, expose=["phi", "rho"]))


def deep_exponential_family() -> Pair:
    """Gamma layers with a guide written by hand."""
    counts = torch.arange(12.0).reshape(4, 3)

    def model() -> None:
        w = pyro.sample("w", dist.Gamma(0.5, 0.3).expand([2, 3]).to_event(2))
        with pyro.plate("data", 4):
            z = pyro.sample("z", dist.Gamma(torch.full((2,), 0.8), 0.3).to_event(1))
            pyro.sample("x", dist.Poisson(z @ w).to_event(1), obs=counts)

    def guide() -> None:
        def positive(name: str, shape: tuple[int, ...]) -> Tensor:
            first = torch.full(shape, 1.5)
            value: Tensor = pyro.param(name, first, constraint=dist.constraints.softplus_positive)
            return value

        pyro.sample("w", dist.Gamma(positive("wa", (2, 3)), positive("wb", (2, 3))).to_event(2))
        with pyro.plate("data", 4):
            pyro.sample("z", dist.Gamma(positive("za", (4, 2)), positive("zb", (4, 2))).to_event(1))

    return model, guide


def attend_or_not() -> Pair:
    """A discrete latent that the guide draws: score function with a baseline."""

    def model() -> None:
        k = pyro.sample("k", dist.Bernoulli(0.3))
        z = pyro.sample("z", dist.Normal(2 * k, 1.0))
        pyro.sample("y", dist.Normal(z, 1.0), obs=torch.tensor(1.0))

    def guide() -> None:
        p = pyro.param("p", torch.tensor(0.4), constraint=dist.constraints.unit_interval)
        k = pyro.sample("k", dist.Bernoulli(p))
        pyro.sample("z", dist.Normal(pyro.param("m", torch.tensor(0.2)) + k, 1.0))

    return model, guide


def inclined_plane() -> Pair:
    """A friction coefficient behind a formula of physics."""
    times = torch.tensor([0.92, 0.95, 0.9, 0.97])

    def model() -> None:
        mu = pyro.sample("mu", dist.Uniform(0.0, 0.7))
        angle = torch.tensor(0.7854)
        acceleration = 9.8 * (angle.sin() - angle.cos() * mu).clamp(min=1e-3)
        with pyro.plate("trials", 4):
            pyro.sample("t", dist.Normal((4 / acceleration).sqrt(), 0.1), obs=times)

    return model, AutoNormal(model)


def topics() -> Pair:
    """Words of documents, topics enumerated word by word."""
    words = torch.arange(18).reshape(6, 3) * 5 % 7

    def model() -> None:
        with pyro.plate("topics", 2):
            of_topic = pyro.sample("of_topic", dist.Dirichlet(torch.ones(7)))
        with pyro.plate("documents", 3, dim=-1):
            share = pyro.sample("share", dist.Dirichlet(torch.ones(2)))
            with pyro.plate("words", 6, dim=-2):
                z = pyro.sample("z", dist.Categorical(share), infer={"enumerate": "parallel"})
                pyro.sample("w", dist.Categorical(of_topic[z]), obs=words)

    return model, AutoNormal(poutine.block(model, hide=["z"]))


def by_likelihood() -> Pair:
    """Parameters of the model alone, and an empty guide."""
    x, y = _data()

    def model() -> None:
        sigma = pyro.param("sigma", torch.tensor(1.0), constraint=dist.constraints.positive)
        w = pyro.param("w", torch.full((2,), 0.1))
        with pyro.plate("data", ROWS):
            pyro.sample("y", dist.Normal(x @ w, sigma), obs=y)

    return model, lambda: None


CASES = {
    "Bayesian regression": Case(regression),
    "eight schools, learnt centring": Case(eight_schools),
    "baseball": Case(baseball),
    "variational autoencoder": Case(vae),
    "mixture": Case(mixture, "enum"),
    "hidden Markov chain": Case(hidden_markov, "enum"),
    "capture and recapture": Case(capture_recapture, "enum"),
    "deep exponential family": Case(deep_exponential_family),
    "score function": Case(attend_or_not, "graph"),
    "inclined plane": Case(inclined_plane),
    "topics": Case(topics, "enum", depth=2),
    "maximum likelihood": Case(by_likelihood),
    "attend, infer, repeat": Case(find_and_infer, "graph"),
    "deep Markov model": Case(deep_markov),
    "semi-supervised autoencoder": Case(semi_supervised, "enum"),
    "epidemic": Case(epidemic),
}
