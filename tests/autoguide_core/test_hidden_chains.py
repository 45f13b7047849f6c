"""Hidden chains against the sum over all of their paths."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from torch import Tensor

from autoguide_core.sequences import HiddenMarkov, drawn_states, two_states

K = 3


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    pyro.set_rng_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def simplex(*shape: int) -> Tensor:
    return torch.softmax(torch.randn(*shape), -1)


def path_weights(start: Tensor | None, moves: Tensor, seen: Tensor) -> dict[tuple[int, ...], float]:
    """Return the weight of every path; `moves` (T, K, K), `seen` log densities (T, K)."""
    found = {}
    for path in itertools.product(range(K), repeat=len(seen)):
        weight = 1.0 if start is None else float(start[path[0]])
        for t, state in enumerate(path):
            weight *= float(seen[t, state].exp())
            weight *= float(moves[t, path[t - 1], state]) if t else 1.0
        found[path] = weight
    return found


@pytest.mark.parametrize("length", [1, 2, 3, 6])
@pytest.mark.parametrize("varying", [False, True])
@pytest.mark.parametrize("started", [False, True])
def test_density_is_the_sum_over_paths(length: int, varying: bool, started: bool) -> None:
    start = simplex(K) if started else None
    moves = simplex(length if varying else 1, K, K)
    y, w = torch.randn(length), torch.randn(length, 2)
    given, other = dist.Normal(torch.randn(K), 1.0), dist.Normal(torch.randn(K, 2), 2.0).to_event(1)
    chain = HiddenMarkov(start, moves, length)
    first, last = chain.emits(given, y, counted=False), chain.emits(other, w)
    seen = given.log_prob(y[:, None]) + other.log_prob(w[:, None])
    expected = sum(path_weights(start, moves.expand(length, K, K), seen).values())
    assert first.log_prob(y).eq(0).all()
    assert float(last.log_prob(w).sum().exp()) == pytest.approx(expected, rel=1e-9)


def test_chains_side_by_side_along_any_axis() -> None:
    moves, mu, y = simplex(4, 1, 1, K, K), torch.randn(4, 1, 1, K), torch.randn(6, 2)
    together = HiddenMarkov(None, moves, 6, dim=-2)
    density = together.emits(dist.Normal(mu, 1.0), y).log_prob(y)
    assert density.shape == (4, 6, 2)
    for i in range(4):
        for series in range(2):
            one = HiddenMarkov(None, moves[i, 0], 6)
            alone = one.emits(dist.Normal(mu[i, 0], 1.0), y[:, series]).log_prob(y[:, series])
            torch.testing.assert_close(density[i, :, series], alone)


def test_impossible_moves_leave_finite_gradients() -> None:
    survival = torch.tensor(0.8, requires_grad=True)
    chain = HiddenMarkov(two_states(1.0), two_states(torch.arange(2) * survival), 4)
    y = torch.tensor([0.0, 1.0, 1.0, 0.0])
    density = chain.emits(dist.Bernoulli(0.5 * torch.arange(2)), y).log_prob(y).sum()
    expected = 0.8**2 * 0.5**3 * (1 - 0.8 + 0.8 * 0.5)
    assert float(density.detach().exp()) == pytest.approx(expected, rel=1e-9)
    (slope,) = torch.autograd.grad(density, survival)
    assert float(slope) == pytest.approx(2 / 0.8 - 0.5 / 0.6, rel=1e-9)


def test_paths_are_drawn_as_often_as_they_weigh() -> None:
    start, moves, y = simplex(K), simplex(1, K, K), torch.randn(3)
    given = dist.Normal(torch.randn(K), 1.0)
    chain = HiddenMarkov(start, moves.expand(20_000, 1, K, K), 3)
    chain.emits(given, y)
    with drawn_states(), poutine.trace() as traced:
        chain.record("z")
    drawn = traced.trace.nodes["z"]["value"]
    weights = path_weights(start, moves.expand(3, K, K), given.log_prob(y[:, None]))
    for path, weight in weights.items():
        share = (drawn == torch.tensor(path)).all(-1).double().mean()
        assert float(share) == pytest.approx(weight / sum(weights.values()), abs=0.015)
    with poutine.trace() as traced:
        chain.record("z")
    assert not traced.trace.nodes


def test_what_is_emitted_together_is_of_the_same_states() -> None:
    chain = HiddenMarkov(None, simplex(1, K, K), 50)
    levels = torch.tensor([0.0, 10.0, 20.0])
    u, v = (chain.emits(dist.Normal(levels, 0.1), None).sample() for _ in range(2))
    assert u.shape == (50,)
    assert ((u - v).abs() < 2).all()
    assert (u - u.mean()).abs().max() > 5
