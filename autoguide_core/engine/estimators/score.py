"""The score-function gradient, for draws that are no smooth function of the parameters.

The derivative of the log probability of each such draw is multiplied by the part of the bound that
depends on the draw, less a baseline. All other draws have their pathwise gradient.

Source: Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement
learning" (1992); Ranganath, Gerrish and Blei, "Black box variational inference" (2014).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from pyro.distributions.util import is_identically_zero
from torch import Tensor

from autoguide_core.engine.estimators.baselines import Baseline
from autoguide_core.engine.estimators.downstream import Dependences, without_gradient
from autoguide_core.engine.estimators.estimate import Carry, Estimate
from autoguide_core.engine.estimators.particles import Pair, Particles, Site
from autoguide_core.engine.estimators.pathwise import sampled_bound


@dataclass(frozen=True)
class _Draws:
    """The draws of one site in those particles that have met it, with one shape.

    Attributes:
        score: Log probabilities, differentiable; shape (P, ...).
        cost: The part of the bound that depends on them, in nats, detached; shape (P, ...).
        learned: A baseline of the user's own, shape (P, ...); or None.
        baseline: The kind of baseline.
    """

    score: Tensor
    cost: Tensor
    learned: Tensor | None
    baseline: Baseline


class ScoreFunction:
    """Pathwise gradients where there are any, and score functions for the other draws.

    The carry holds the running average of the cost of each draw that has one, by site: of those
    that the first run meets.

    Args:
        particles: Guide and model.
        dependences: What depends on the draws without a pathwise gradient.
    """

    def __init__(self, particles: Particles, dependences: Dependences) -> None:
        self._particles = particles
        self._dependences = dependences

    def start(self) -> Carry:
        """The costs of one run, so that the first steps have a baseline of the right size.

        Only the first call runs guide and model.
        """
        return {name: cost.clone() for name, cost in self._first_costs.items()}

    @cached_property
    def _first_costs(self) -> Carry:
        draws = self._draws(list(self._particles.pairs()))
        costs = {n: d.cost.mean(0) for n, d in draws if d.baseline.beta is not None}
        if not all(bool(cost.isfinite().all()) for cost in costs.values()):
            raise ArithmeticError("a draw has no finite cost")  # which no average recovers from
        return costs

    def __call__(self, carry: Mapping[str, Tensor]) -> Estimate:
        """Estimate the bound; see `Estimator`."""
        pairs = list(self._particles.pairs())
        elbo = torch.as_tensor(sum(sampled_bound(pair) for pair in pairs))
        carried, drawn, surrogate = dict(carry), self._draws(pairs), elbo
        if drawn:
            surrogate = torch.as_tensor(sum(_smooth_part(pair) for pair in pairs))
        for name, draws in drawn:
            average = carry.get(name) if draws.baseline.beta is not None else None
            if average is not None and average.shape != draws.cost.shape[1:]:
                average = None  # the site has another shape than in the first run
            baseline = draws.baseline.value(draws.cost, draws.learned, average)
            excess = draws.cost - baseline
            surrogate = surrogate + (draws.score * excess.detach()).sum()
            if draws.learned is not None:
                surrogate = surrogate - (excess * excess).sum()
            if average is not None:
                carried[name] = draws.baseline.new_average(draws.cost, average)
        count = self._particles.count
        return Estimate(elbo.detach() / count, surrogate / count, carried)

    def _draws(self, pairs: list[Pair]) -> list[tuple[str, _Draws]]:
        """The draws without a pathwise gradient by site, of these runs whatever they have met."""
        groups: dict[tuple[str, torch.Size], list[tuple[Pair, Site, Tensor]]] = {}
        for pair in pairs:
            for name in without_gradient(pair):
                site = pair.guide.nodes[name]
                score = torch.as_tensor(site["score_parts"].score_function)
                groups.setdefault((name, score.shape), []).append((pair, site, score))
        return [(name, self._drawn(name, runs)) for (name, _), runs in groups.items()]

    def _drawn(self, name: str, runs: list[tuple[Pair, Site, Tensor]]) -> _Draws:
        costs = [
            _padded(self._dependences.of(name, pair).cost(pair, site).detach(), score.dim())
            for pair, site, score in runs
        ]
        baselines = [Baseline.of(name, s["infer"], self._particles.count) for _, s, _ in runs]
        learned = [b.learned for b in baselines if b.learned is not None]
        return _Draws(
            self._by_particle([score for _, _, score in runs]),
            self._by_particle(costs),
            self._by_particle(learned) if learned else None,
            baselines[0],
        )

    def _by_particle(self, runs: list[Tensor]) -> Tensor:
        """One dim of particles at the left, which a run of all particles has already."""
        return runs[0] if self._particles.together else torch.stack(runs)


def _smooth_part(pair: Pair) -> Tensor:
    """What of the bound is differentiated as it stands."""
    log_p = sum(site["log_prob_sum"] for _, site in pair.model_sites())
    return torch.as_tensor(log_p - sum(part.sum() for part in _entropy_terms(pair)))


def _entropy_terms(pair: Pair) -> Iterator[Any]:
    for _, site in pair.guide_sites():
        part = site["score_parts"].entropy_term
        if not is_identically_zero(part):
            yield part


def _padded(tensor: Tensor, dims: int) -> Tensor:
    """A tensor with dims of size one at the left, so that it has as many as asked for."""
    return tensor.reshape((1,) * (dims - tensor.dim()) + tensor.shape)
