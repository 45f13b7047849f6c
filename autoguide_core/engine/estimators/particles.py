"""Running guide and model against each other: the draws that an estimate is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyro
from pyro import poutine
from pyro.poutine import Trace
from pyro.poutine.enum_messenger import EnumMessenger
from pyro.poutine.util import prune_subsample_sites

from autoguide_core.engine.structure import Model, check_coverage, is_enumerated, is_latent
from autoguide_core.engine.validity import Validity

PARTICLE_PLATE = "num_particles_vectorized"
Site: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """One run of a guide, and the run of the model that took its draws.

    Attributes:
        guide: The guide's trace, without minibatch sites.
        model: The model's trace, without minibatch sites.
    """

    guide: Trace
    model: Trace

    def check_coverage(self) -> None:
        """See that the guide draws what this run of the model needs; another may meet other sites.

        Raises:
            FitError: If it does not.
        """
        needed = [n for n, s in self.model.nodes.items() if is_latent(s) and not is_enumerated(s)]
        drawn = {name: site for name, site in self.guide.nodes.items() if is_latent(site)}
        check_coverage(tuple(needed), self.model.nodes, drawn)

    def pack(self) -> None:
        """Give the dims of all log densities letters; those of a plate are the same in both."""
        self.guide.pack_tensors()
        self.model.pack_tensors(self.guide.plate_to_symbol)

    def guide_sites(self) -> Iterator[tuple[str, Site]]:
        """The sites whose log density is part of the guide's.

        A guide that runs the model meets the model's observations and factors too; they are none
        of its own.
        """
        for name, site in self.guide.nodes.items():
            if site["type"] == "sample" and not (site["is_observed"] and name in self.model):
                yield name, site

    def model_sites(self) -> Iterator[tuple[str, Site]]:
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
        depth: The pair's ``max_plate_nesting``.
        count: Draws per estimate.
        together: Whether one run makes all draws, under a plate left of all others.
        enumerated: Whether sites marked for it get all their values, each in a dim of its own,
            left of all plates.
    """

    model: Model
    guide: Model
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    depth: int
    count: int = 1
    together: bool = False
    enumerated: bool = False

    def pairs(self) -> Iterator[Pair]:
        """One pair of runs for each particle, or one for all together; every site is scored."""
        model, guide = self.model, self.guide
        if self.together:
            plate = pyro.plate(PARTICLE_PLATE, self.count, dim=-1 - self.depth)
            model, guide = plate(model), plate(guide)
        if self.enumerated:
            guide = EnumMessenger(first_available_dim=-1 - self.depth - self.together)(guide)
            model = EnumMessenger()(model)  # takes the dims that are left of the guide's
        guide = Validity()(guide)
        for _ in range(1 if self.together else self.count):
            guide_trace = poutine.trace(guide).get_trace(*self.args, **self.kwargs)
            replayed = Validity()(poutine.replay(model, trace=guide_trace))
            model_trace = poutine.trace(replayed).get_trace(*self.args, **self.kwargs)
            pair = Pair(prune_subsample_sites(guide_trace), prune_subsample_sites(model_trace))
            pair.check_coverage()
            pair.guide.compute_score_parts()
            pair.model.compute_log_prob()
            yield pair

    def well_shaped(self) -> bool:
        """Whether every site's log density has only the dims that its plates explain."""
        return all(
            self._explained(site)
            for pair in self.pairs()
            for trace in (pair.guide, pair.model)
            for site in trace.nodes.values()
            if site["type"] == "sample"
        )

    def _explained(self, site: Site) -> bool:
        shape = site["log_prob"].shape
        sizes = {frame.dim: frame.size for frame in site["cond_indep_stack"] if frame.vectorized}
        plates = min(len(shape), self.depth + self.together)
        enumerated = shape[: len(shape) - plates]
        return (self.enumerated or all(size == 1 for size in enumerated)) and all(
            shape[d] in (1, sizes.get(d, 1)) for d in range(-plates, 0)
        )
