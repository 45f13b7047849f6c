"""Moving particles at the posterior itself until they are draws of it, and telling if they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from autoguide_core.annealing.moves import Mover
from autoguide_core.annealing.particles import Particles
from autoguide_core.annealing.parts import middles, spreads

_ADAPTING, _LEAST_MOVES, _MOST_MOVES = 3, 4, 40
_LEAST_ROUNDS, _MOST_ROUNDS = 2, 8
_FORGOTTEN, _REMEMBERED = 0.1, 0.3
"""Correlations with the start of a round: below the first it ends, above the other it failed."""
_STILL = 4.0
"""A change of a mean or spread that chance makes once in some thousand coordinates, in errors."""
_LEAST_ACCEPTANCE, _MOST_STUCK = 0.3, 0.02


@dataclass(frozen=True)
class Settled:
    """Particles that have settled, or have not.

    Attributes:
        particles: Where they are.
        moves: How many moves it took.
        memory: See `Annealed`.
        drift: See `Annealed`.
        stuck: See `Annealed`.
        fault: Why they are no draws of the posterior, or None.
    """

    particles: Particles
    moves: int
    memory: float
    drift: float
    stuck: float
    fault: str | None


def settle(
    particles: Particles, mover: Mover, report: Callable[[int, int, float], None]
) -> Settled:
    """Move particles until a whole round of moves leaves their distribution as it was.

    A round goes on until no coordinate remembers where it began. That what many short chains
    agree on has settled is the idea of nested R-hat (Margossian, Hoffman, Sountsov, Riou-Durand,
    Vehtari and Gelman 2024); here the same chains are compared between rounds.

    Args:
        particles: Where to begin, near the posterior.
        mover: What moves them.
        report: Called with moves made, the most there may be, and 1.
    """
    moves, rounds, memory, drift, stuck = 0, 0, 1.0, math.inf, 1.0
    while rounds < _MOST_ROUNDS:
        origin, made, memory = particles.points, 0, 1.0
        part_of = mover.part_of(origin)
        while made < _LEAST_MOVES or (
            made < _MOST_MOVES and memory > _FORGOTTEN and not mover.is_exhausted
        ):
            particles = mover.move(particles, 1.0)
            made += 1
            if made == _ADAPTING:
                mover.adapt(particles.points)
            if made >= _LEAST_MOVES:
                memory = _memory(origin, particles.points, part_of)
            report(moves + made, _MOST_ROUNDS * _MOST_MOVES, 1.0)
        moves, rounds = moves + made, rounds + 1
        drift = _drift(origin, particles.points)
        stuck = float((origin == particles.points).all(1).double().mean())
        settled = rounds >= _LEAST_ROUNDS and drift < _STILL
        if settled or memory > _REMEMBERED or mover.is_exhausted:
            break
    fault = _fault(mover.acceptance, memory, drift, stuck)
    if (fault is None and rounds < _LEAST_ROUNDS) or (mover.is_exhausted and memory > _FORGOTTEN):
        fault = "there was no time to see whether they have settled"
    return Settled(particles, moves, memory, drift, stuck, fault)


def _fault(acceptance: float, memory: float, drift: float, stuck: float) -> str | None:
    """Why particles are no draws of the posterior, in a clause."""
    if not acceptance >= _LEAST_ACCEPTANCE:
        return f"only {acceptance:.0%} of the moves are accepted"
    if stuck > _MOST_STUCK:
        return f"{stuck:.0%} of the draws could not be moved"
    if memory > _REMEMBERED:
        return f"the draws still remember where they came from (correlation {memory:.2f})"
    if drift > _STILL:
        return f"the draws still drift (by {drift:.0f} standard errors in the last moves)"
    return None


def _memory(origin: Tensor, points: Tensor, part_of: Tensor) -> float:
    """How strongly positions are correlated with an origin, in place or in distance.

    That is within the parts where they began: draws need not go from mode to mode, as the modes'
    shares of them are right from the first.
    """
    middle = middles(points, part_of)
    spread = spreads(points - middle, part_of)  # or else a wide part's draws remember its width
    before, after = (origin - middle) / spread, (points - middle) / spread
    in_place = _correlation(before, after)
    in_distance = _correlation(before.abs(), after.abs())
    return float(torch.cat([in_place, in_distance]).max())


def _correlation(x: Tensor, y: Tensor) -> Tensor:
    x, y = x - x.mean(0), y - y.mean(0)
    product = (x.square().sum(0) * y.square().sum(0)).sqrt()
    return (x * y).sum(0) / product.clamp(min=1e-300)


def _drift(origin: Tensor, points: Tensor) -> float:
    """By how much means and mean distances from the middle differ, in standard errors."""
    middle = points.median(0).values
    worst = 0.0
    for before, after in (
        (origin, points),
        ((origin - middle).abs(), (points - middle).abs()),
    ):
        change = after - before  # of the same chain: what both share cancels
        error = change.std(0) / math.sqrt(len(change))
        z = change.mean(0).abs() / error.clamp(min=1e-300)
        worst = max(worst, float(z.max()))
    return worst
