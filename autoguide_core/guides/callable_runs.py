"""One run of a hand-written guide function: what it drew, what it returned, and its densities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions.util import scale_and_mask
from pyro.poutine import Trace
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from autoguide_core.guides.base import is_not_latent
from autoguide_core.initialization import Site


@dataclass(frozen=True)
class Run:
    """One run of the function.

    Attributes:
        values: Sites that are not auxiliary, and what it returned beside them, by name.
        sites: The values at its sample sites, by name.
        log_probs: Their log densities before they are summed, by name; masked, not scaled.
        depth: How many dims its plates take.
    """

    values: dict[str, Tensor]
    sites: dict[str, Tensor]
    log_probs: dict[str, Tensor]
    depth: int


def run_with(function: Callable[[], dict[str, Tensor]], given: Mapping[str, Tensor]) -> Run:
    """Run the function once, with given values at its sites."""
    with _Given(given):
        values, trace = traced(function)
    trace.compute_log_prob()
    sites, log_probs, depth = {}, {}, 0
    for name, site in trace.nodes.items():
        if site["type"] != "sample" or site_is_subsample(site):
            continue
        log_probs[name] = scale_and_mask(site["unscaled_log_prob"], mask=site["mask"])
        if not site["is_observed"]:
            sites[name] = site["value"]
        if name in given and _is_delta(site["fn"]):
            # Compared with a tolerance, since a Delta allows for no rounding.
            close = torch.isclose(site["value"], given[name], rtol=1e-4, atol=1e-6)
            if not bool(close.all()):
                log_probs[name] = torch.full_like(log_probs[name], -torch.inf)
        depth = max([depth, *(-f.dim for f in site["cond_indep_stack"] if f.vectorized)])
    return Run(values, sites, log_probs, depth)


def traced(function: Callable[[], dict[str, Tensor]]) -> tuple[dict[str, Tensor], Trace]:
    """Call the function; what it drew and returned, and its trace."""
    with poutine.trace() as tracer:
        returned = function()
    sites = {
        name: site["value"]
        for name, site in tracer.trace.nodes.items()
        if not is_not_latent(site) and not site["infer"].get("is_auxiliary")
    }
    return {**sites, **returned}, tracer.trace


class _Given(Messenger):
    """Puts given values at sample sites; a Delta site keeps the value that it computes."""

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._values = values

    def _pyro_sample(self, msg: Site) -> None:
        known = msg["is_observed"] or msg["value"] is not None or site_is_subsample(msg)
        if not known and msg["name"] in self._values and not _is_delta(msg["fn"]):
            msg["value"] = self._values[msg["name"]]


def _is_delta(fn: Any) -> bool:
    while hasattr(fn, "base_dist"):
        fn = fn.base_dist
    return isinstance(fn, dist.Delta)
