"""Annealing: draws of densities whose moments and mass are known, and honesty where it fails."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from autoguide_core.annealing import Annealed, NormalMixture, StandardNormal, anneal

PLENTY = 10**8


def with_slopes(log_density):
    def evaluate(points: Tensor) -> tuple[Tensor, Tensor]:
        at = points.detach().requires_grad_()
        values = log_density(at)
        (slopes,) = torch.autograd.grad(values.sum(), at)
        return values.detach(), slopes

    return evaluate


def normal(at: Tensor, mean: float, sd: float) -> Tensor:
    return -0.5 * ((at - mean) / sd) ** 2 - math.log(sd) - 0.5 * math.log(2 * math.pi)


def funnel(at: Tensor) -> Tensor:
    """A scale's logarithm, and four latents of that scale: heavy tails on one side, a neck."""
    width = at[:, 0]
    below = -0.5 * at[:, 1:] ** 2 * torch.exp(-width)[:, None] - 0.5 * width[:, None]
    return normal(width, 0.0, 1.5) + below.sum(1) - 2 * math.log(2 * math.pi)


def test_a_funnel_is_reached_from_a_standard_normal() -> None:
    found = anneal(with_slopes(funnel), StandardNormal(5), 6000, 1, PLENTY)
    assert found.fault is None
    width = found.points[:, 0]
    assert float(width.mean()) == pytest.approx(0.0, abs=0.12)
    assert float(width.std()) == pytest.approx(1.5, rel=0.06)
    inner = found.points[:, 1:] * torch.exp(-0.5 * width)[:, None]
    assert float(inner.std()) == pytest.approx(1.0, rel=0.03)
    assert found.evidence == pytest.approx(0.0, abs=0.1)  # the funnel is normalised


def test_the_same_seed_gives_the_same_draws() -> None:
    first, second, other = (
        anneal(with_slopes(funnel), StandardNormal(5), 300, seed, PLENTY) for seed in (3, 3, 4)
    )
    assert torch.equal(first.points, second.points)
    assert not torch.equal(first.points, other.points)


def hills(at: Tensor) -> Tensor:
    """Two hills that no trajectory goes between: 0.2 of the mass at -6, 0.8 at 6."""
    left, right = normal(at[:, 0], -6.0, 0.5), normal(at[:, 0], 6.0, 1.0)
    return torch.logaddexp(left + math.log(0.2), right + math.log(0.8))


def test_modes_that_are_known_get_their_shares() -> None:
    base = NormalMixture(
        torch.tensor([[-6.0], [6.0]], dtype=torch.float64),
        torch.tensor([[[0.7]], [[0.7]]], dtype=torch.float64),
        torch.tensor([0.5, 0.5], dtype=torch.float64),
    )
    found = anneal(with_slopes(hills), base, 6000, 2, PLENTY)
    share = float((found.points[:, 0] < 0.0).double().mean())
    assert share == pytest.approx(0.2, abs=0.025)
    assert found.fault is None  # nor need any draw go from hill to hill
    assert found.evidence == pytest.approx(0.0, abs=0.05)


def test_draws_of_a_narrow_mode_and_a_wide_one_are_no_memory() -> None:
    def uneven(at: Tensor) -> Tensor:
        return torch.logaddexp(normal(at[:, 0], -9.0, 0.5), normal(at[:, 0], 9.0, 2.0))

    base = NormalMixture(
        torch.tensor([[-9.0], [9.0]], dtype=torch.float64),
        torch.tensor([[[0.5]], [[2.0]]], dtype=torch.float64),
        torch.tensor([0.5, 0.5], dtype=torch.float64),
    )
    found = anneal(with_slopes(uneven), base, 4000, 2, PLENTY)
    assert found.fault is None
    assert found.memory < 0.1


def test_a_mixture_scores_what_it_draws() -> None:
    generator = torch.Generator().manual_seed(0)
    base = NormalMixture(
        torch.randn(3, 2, generator=generator, dtype=torch.float64),
        torch.randn(3, 2, 2, generator=generator, dtype=torch.float64),
        torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64),
    )
    draws = base.sample(200_000, generator)
    means = (base.weights[:, None] * base.means).sum(0)
    torch.testing.assert_close(draws.mean(0), means, atol=0.02, rtol=0)
    at = draws[:7]
    values, slopes = base.score(at)
    expected, by_autograd = with_slopes(lambda x: base.score(x)[0])(at)
    torch.testing.assert_close(values, expected)
    torch.testing.assert_close(slopes, by_autograd)
    covariances = base.factors @ base.factors.mT
    parts = torch.distributions.MultivariateNormal(base.means, covariances)
    scored = (parts.log_prob(at[:, None]) + base.weights.log()).logsumexp(1)
    torch.testing.assert_close(values, scored)


def broken(at: Tensor) -> Tensor:
    """A density of a thousand thin walls: no trajectory of any length is accepted for long."""
    return -1e6 * torch.sin(40.0 * at).square().sum(1)


@pytest.mark.parametrize(("density", "most"), [(broken, PLENTY), (funnel, 1)])
def test_draws_that_have_not_arrived_say_so(density, most: int) -> None:
    found: Annealed = anneal(with_slopes(density), StandardNormal(5), 400, 0, most)
    assert found.fault is not None
