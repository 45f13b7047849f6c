"""Sequential Monte Carlo from a Gaussian to a posterior."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from autoguide_core.annealing.moves import Mover
from autoguide_core.annealing.particles import Evaluate, Particles

_KEPT = 0.7
"""Effective share of the particles that a change of temperature leaves."""
_MOVES_BETWEEN = 2
_LEAST_MOVES, _MOST_MOVES = 4, 60
_FORGOTTEN = 0.1
"""Correlation with the start below which a particle has forgotten it."""
_MOST_TEMPERATURES = 60

Report = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Annealed:
    """Draws of a posterior, and how they were come by.

    Attributes:
        points: Draws in the coordinates of the density, shape (S, D).
        log_p: Its log density there, (S,).
        temperatures: Those of the path, from the first after 0 to 1.
        acceptance: Mean acceptance of the last move.
        memory: The greatest correlation of a coordinate, or of its distance from the middle, with
            where the last stage began: what the draws still know of the approximation they came from.
        moves: Moves at temperature 1.
        evaluations: Gradients taken.
        evidence: Estimate of the log normalising constant of the density, in nats.
    """

    points: Tensor
    log_p: Tensor
    temperatures: tuple[float, ...]
    acceptance: float
    memory: float
    moves: int
    evaluations: int
    evidence: float


def anneal(
    evaluate: Evaluate,
    centre: Tensor,
    factor: Tensor,
    count: int,
    seed: int,
    report: Report = lambda *_: None,
) -> Annealed:
    """Take draws of a Gaussian to the posterior.

    Draws of the Gaussian are re-weighted, resampled and moved along ``q^(1-t) p^t``, in steps of
    the temperature t that leave most of them effective; at t = 1 they are moved on until they
    have forgotten where they came from. Unlike importance weights this needs no guide with tails
    as heavy as the posterior's; like a Markov chain it needs moves that reach everywhere.

    Source: Del Moral, Doucet and Jasra, "Sequential Monte Carlo samplers" (2006); Neal, "Annealed
    importance sampling" (2001).

    Args:
        evaluate: The posterior.
        centre: The Gaussian's mean, (D,).
        factor: A root of its covariance, (D, D).
        count: How many draws, S.
        seed: Seed of all random numbers.
        report: Called with moves made, moves expected at least, and the temperature.

    Returns:
        The draws.
    """
    generator = torch.Generator().manual_seed(seed)
    dim = len(centre)

    def whitened(at: Tensor) -> tuple[Tensor, Tensor]:
        log_p, slope = evaluate(centre + at @ factor.T)
        return log_p, slope @ factor

    mover = Mover(whitened, dim, generator)
    start = torch.randn(count, dim, generator=generator, dtype=torch.float64)
    particles = Particles.of(whitened, start)
    temperatures: list[float] = []
    temperature, evidence = 0.0, 0.5 * dim * math.log(2.0 * math.pi)
    evidence += float(torch.linalg.slogdet(factor)[1])
    while temperature < 1.0:
        step = _next_step(particles, temperature)
        if len(temperatures) == _MOST_TEMPERATURES - 1:
            step = 1.0 - temperature
        log_weights = _log_weights(particles, step)
        evidence += float(log_weights.logsumexp(0)) - math.log(count)
        temperature = min(1.0, temperature + step)
        temperatures.append(temperature)
        particles = particles.take(_resampled(log_weights, generator))
        mover.adapt(particles.at)
        if temperature < 1.0:
            for _ in range(_MOVES_BETWEEN):
                particles = mover.move(particles, temperature)
            report(len(temperatures), _MOST_TEMPERATURES, temperature)
    origin, memory, moves = particles.at, 1.0, 0
    while moves < _LEAST_MOVES or (moves < _MOST_MOVES and memory > _FORGOTTEN):
        particles = mover.move(particles, 1.0)
        moves += 1
        if moves < _LEAST_MOVES:
            mover.adapt(particles.at)
            continue
        memory = _memory(origin, particles.at)
        report(moves, _MOST_MOVES, 1.0)
    return Annealed(
        centre + particles.at @ factor.T,
        particles.log_p,
        tuple(temperatures),
        mover.acceptance,
        memory,
        moves,
        mover.evaluations,
        evidence,
    )


def _log_weights(particles: Particles, step: float) -> Tensor:
    log_q = -0.5 * particles.at.square().sum(1)
    return step * (particles.log_p - log_q)


def _effective(log_weights: Tensor) -> float:
    """The effective share of weighted particles, from 0 to 1."""
    total = 2.0 * log_weights.logsumexp(0) - (2.0 * log_weights).logsumexp(0)
    return float(total.exp()) / len(log_weights)


def _next_step(particles: Particles, temperature: float) -> float:
    """The greatest step that leaves most of the particles effective, by bisection."""
    rest = 1.0 - temperature
    if _effective(_log_weights(particles, rest)) >= _KEPT:
        return rest
    low, high = 0.0, rest
    for _ in range(40):
        middle = 0.5 * (low + high)
        enough = _effective(_log_weights(particles, middle)) >= _KEPT
        low, high = (middle, high) if enough else (low, middle)
    return max(low, 1e-4 * rest)


def _resampled(log_weights: Tensor, generator: torch.Generator) -> Tensor:
    """Systematic resampling (Kitagawa 1996): places of the particles to go on with."""
    cumulative = torch.softmax(log_weights, 0).cumsum(0)
    offset = torch.rand(1, generator=generator, dtype=torch.float64)
    count = len(log_weights)
    points = (torch.arange(count, dtype=torch.float64) + offset) / count
    return torch.searchsorted(cumulative, points * cumulative[-1]).clamp(max=count - 1)


def _memory(origin: Tensor, at: Tensor) -> float:
    """How strongly positions are correlated with an origin, in place or in distance."""

    def correlation(x: Tensor, y: Tensor) -> Tensor:
        x, y = x - x.mean(0), y - y.mean(0)
        return (x * y).sum(0) / (x.square().sum(0) * y.square().sum(0)).sqrt().clamp(min=1e-300)

    middle = at.median(0).values
    distances = (origin - middle).abs(), (at - middle).abs()
    return float(torch.cat([correlation(origin, at), correlation(*distances)]).max())
