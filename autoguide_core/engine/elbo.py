"""Estimates of the evidence lower bound and its gradient, one particle or many at a time."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Protocol

import pyro
import torch
from pyro import poutine
from pyro.infer import TraceEnum_ELBO, TraceGraph_ELBO
from pyro.poutine import Trace

from autoguide_core.engine.structure import Model, Structure

PARTICLE_PLATE = "num_particles_vectorized"


class Elbo(Protocol):
    """An estimator: leaves the gradient of the negative ELBO on the parameters."""

    def loss_and_grads(self, model: Model, guide: Model, *args: Any, **kwargs: Any) -> float:
        """Return the negative ELBO in nats, gradients accumulated in ``.grad``."""
        ...


class PathwiseElbo:
    """The reparameterised estimator over a pair of traces.

    Particles are drawn by one run under an outer plate at ``dim = -1 - max_plate_nesting`` where
    model and guide broadcast, and by one run each where they do not.

    Source: Kingma and Welling, "Auto-encoding variational Bayes" (2014); Pyro's ``Trace_ELBO``.

    Args:
        structure: The facts of the pair.
        particles: Draws per estimate.
        vectorised: Whether the pair broadcasts over an outer plate.
    """

    def __init__(self, structure: Structure, particles: int, *, vectorised: bool = True) -> None:
        self._dim = -1 - structure.max_plate_nesting
        self._particles = particles
        self._vectorised = vectorised and particles > 1

    def traces(
        self, model: Model, guide: Model, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Trace, Trace]:
        """One run of both: (guide trace, model trace), with log densities computed per site."""
        if self._vectorised:
            plate = pyro.plate(PARTICLE_PLATE, self._particles, dim=self._dim)
            model, guide = plate(model), plate(guide)
        guide_trace = poutine.trace(guide).get_trace(*args, **kwargs)
        replayed = poutine.replay(model, trace=guide_trace)
        return guide_trace, poutine.trace(replayed).get_trace(*args, **kwargs)

    def loss(self, model: Model, guide: Model, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The negative ELBO in nats, differentiable; a scalar tensor."""
        runs = 1 if self._vectorised else self._particles
        total = torch.zeros(())
        for _ in range(runs):
            guide_trace, model_trace = self.traces(model, guide, args, kwargs)
            log_q = guide_trace.log_prob_sum(is_drawn)
            total = total + log_q - model_trace.log_prob_sum()
        return total / self._particles

    def loss_and_grads(self, model: Model, guide: Model, *args: Any, **kwargs: Any) -> float:
        """Return the negative ELBO in nats, gradients accumulated in ``.grad``."""
        loss = self.loss(model, guide, *args, **kwargs)
        if loss.requires_grad:
            loss.backward()
        return float(loss.detach())


def is_drawn(name: str, site: Mapping[str, Any]) -> bool:
    """Whether a guide draws a site: a guide that runs the model meets its observations, too."""
    return not site["is_observed"]


def make_elbo(
    structure: Structure,
    particles: int,
    model: Model,
    guide: Model,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> tuple[Elbo, list[str]]:
    """Choose the estimator for a pair.

    Enumerated sites are summed out exactly by Pyro's ``TraceEnum_ELBO``; guide draws without a
    pathwise gradient get ``TraceGraph_ELBO``'s score-function terms; all else is
    :class:`PathwiseElbo`. Whether the pair broadcasts over particles is found by trying, with
    validation on.

    Returns:
        The estimator and notes for the user.
    """
    vectorised, notes = particles > 1, []
    if vectorised and not _broadcasts(structure, particles, model, guide, args, kwargs):
        vectorised = False
        notes.append("the model does not broadcast over particles: they are drawn one by one")
    options: dict[str, Any] = {
        "num_particles": particles,
        "vectorize_particles": vectorised,
        "max_plate_nesting": structure.max_plate_nesting + (1 if vectorised else 0),
    }
    if structure.enumerated:
        return TraceEnum_ELBO(**options), notes
    if structure.score_function:
        return TraceGraph_ELBO(**options), notes
    return PathwiseElbo(structure, particles, vectorised=vectorised), notes


def _broadcasts(
    structure: Structure,
    particles: int,
    model: Model,
    guide: Model,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> bool:
    """Whether an outer plate works: no error, and every site has the shape its plates call for."""
    elbo = PathwiseElbo(structure, particles)
    try:
        with torch.no_grad(), pyro.validation_enabled(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for trace in elbo.traces(model, guide, args, kwargs):
                trace.compute_log_prob()
                for site in trace.nodes.values():
                    if site["type"] == "sample" and not _well_shaped(site):
                        return False
    except (RuntimeError, ValueError, IndexError):
        return False
    return True


def _well_shaped(site: Mapping[str, Any]) -> bool:
    """Whether a site's log density has only the dimensions its plates explain."""
    shape = site["log_prob"].shape
    sizes = {frame.dim: frame.size for frame in site["cond_indep_stack"] if frame.vectorized}
    return all(shape[d] in (1, sizes.get(d, 1)) for d in range(-len(shape), 0))
