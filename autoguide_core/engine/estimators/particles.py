"""Running guide and model against each other: the draws that an estimate is made of."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import pyro
import torch
from pyro import poutine
from pyro.poutine import Trace

from autoguide_core.engine.structure import Model, Structure

PARTICLE_PLATE = "num_particles_vectorized"


@dataclass(frozen=True)
class Pair:
    """A guide trace and the trace of the model that took its draws.

    Attributes:
        guide: The guide's trace.
        model: The model's trace.
    """

    guide: Trace
    model: Trace

    def guide_terms(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The sites whose log density is part of the guide's.

        A guide that runs the model meets the model's observations and factors too; they are none
        of its own.
        """
        for name, site in self.guide.nodes.items():
            if site["type"] == "sample" and not (site["is_observed"] and name in self.model):
                yield name, site

    def model_terms(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The sites whose log density is part of the model's."""
        for name, site in self.model.nodes.items():
            if site["type"] == "sample":
                yield name, site


@dataclass(frozen=True)
class Particles:
    """Guide and model with their arguments, and how many draws make an estimate.

    Attributes:
        model: The model.
        guide: The guide.
        args: Positional arguments of both.
        kwargs: Keyword arguments of both.
        count: Draws per estimate.
        plate_dim: The dim of a plate of particles, left of all other plates, by which one run
            makes all draws; None for one run each.
    """

    model: Model
    guide: Model
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    count: int = 1
    plate_dim: int | None = None

    def pairs(self) -> Iterator[Pair]:
        """One pair of runs for each particle, or one for all together."""
        model, guide = self.model, self.guide
        if self.plate_dim is not None:
            plate = pyro.plate(PARTICLE_PLATE, self.count, dim=self.plate_dim)
            model, guide = plate(model), plate(guide)
        for _ in range(1 if self.plate_dim is not None else self.count):
            guide_trace = poutine.trace(guide).get_trace(*self.args, **self.kwargs)
            replayed = poutine.replay(model, trace=guide_trace)
            yield Pair(guide_trace, poutine.trace(replayed).get_trace(*self.args, **self.kwargs))

    def vectorised(self, structure: Structure) -> Self | None:
        """The same with a plate of particles, or None where the pair does not broadcast over it.

        Found by trying, with validation on: no error, and every site's log density has the shape
        that its plates call for.
        """
        together = replace(self, plate_dim=-1 - structure.max_plate_nesting)
        try:
            with torch.no_grad(), pyro.validation_enabled(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for pair in together.pairs():
                    for trace in (pair.guide, pair.model):
                        trace.compute_log_prob()
                        if not all(_well_shaped(s) for s in trace.nodes.values()):
                            return None
        except (RuntimeError, ValueError, IndexError):
            return None
        return together


def _well_shaped(site: Mapping[str, Any]) -> bool:
    """Whether a site's log density has only the dimensions its plates explain."""
    if site["type"] != "sample":
        return True
    shape = site["log_prob"].shape
    sizes = {frame.dim: frame.size for frame in site["cond_indep_stack"] if frame.vectorized}
    return all(shape[d] in (1, sizes.get(d, 1)) for d in range(-len(shape), 0))
