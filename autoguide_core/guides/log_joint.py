"""The log joint density of a model at given values, its enumerated sites summed out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyro import poutine
from pyro.infer.mcmc.util import TraceEinsumEvaluator
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from autoguide_core.guides.base import is_not_latent
from autoguide_core.guides.supports import is_subsampled
from autoguide_core.initialization import Site
from autoguide_core.validation import Validation


@dataclass(frozen=True)
class LogJoint:
    """A log joint density and what it was computed over.

    Attributes:
        total: The log density, a scalar; a plate that holds a minibatch is scaled up.
        drawn: Names of the latent sites that had no value and were drawn at random.
        minibatches: For each plate of which only a part was in use, its size there and in full.
    """

    total: Tensor
    drawn: tuple[str, ...]
    minibatches: dict[str, tuple[int, int]]


def log_joint(
    model: Any, args: tuple[Any, ...], kwargs: dict[str, Any], values: Mapping[str, Tensor]
) -> LogJoint:
    """Run a model at given values and score it.

    Sites marked ``infer={"enumerate": "parallel"}`` that have no value are summed out exactly.

    Args:
        model: The model.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        values: Constrained values of its latent sites, by name.
    """
    with poutine.block():
        trace = poutine.trace(given_values(model, values)).get_trace(*args, **kwargs)
    free = {
        name: site
        for name, site in trace.nodes.items()
        if not is_not_latent(site) and name not in values
    }
    frames = {
        frame
        for site in trace.nodes.values()
        if site["type"] == "sample"
        for frame in site["cond_indep_stack"]
        if frame.vectorized
    }
    enumerated = {
        name for name, site in free.items() if site["infer"].get("enumerate") == "parallel"
    }
    minibatches = {f.name: (f.size, f.full_size) for f in frames if is_subsampled(f)}
    drawn = tuple(name for name in free if name not in enumerated)
    if not enumerated:
        return LogJoint(trace.log_prob_sum(), drawn, minibatches)
    depth = max((-frame.dim for frame in frames), default=0)
    summed = poutine.enum(given_values(model, values), first_available_dim=-1 - depth)
    with poutine.block(), Validation(False), warnings.catch_warnings():
        # Pyro's contraction warns of internals of torch.
        warnings.simplefilter("ignore")
        trace = poutine.trace(summed).get_trace(*args, **kwargs)
        evaluator = TraceEinsumEvaluator(trace, has_enumerable_sites=True, max_plate_nesting=depth)
        return LogJoint(evaluator.log_prob(trace), drawn, minibatches)


def given_values(
    model: Any, values: Mapping[str, Tensor], plates: Mapping[str, Any] | None = None
) -> Any:
    """A model whose latent sites have given values where there are some.

    Args:
        model: The model.
        values: Constrained values by site name.
        plates: Plates whose indices those of the model of the same names take.
    """
    return _Given(values, plates or {})(model)


class _Given(Messenger):
    """Puts given values at latent sites, and given indices at plates."""

    def __init__(self, values: Mapping[str, Tensor], plates: Mapping[str, Any]) -> None:
        super().__init__()
        self._values, self._plates = values, plates

    def _pyro_sample(self, msg: Site) -> None:
        name = msg["name"]
        if site_is_subsample(msg):
            if name in self._plates and msg["value"] is None:
                msg["value"] = self._plates[name].indices
        elif not msg["is_observed"] and name in self._values:
            msg["value"] = self._values[name]
