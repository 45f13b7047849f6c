"""Log densities of an emitted model on several draws: one draw at a time, and all in one pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyro
import torch
from golden_data import Modest, is_latent
from pyro import poutine
from pyro.infer import TraceEnum_ELBO, config_enumerate
from pyro.poutine import Trace
from pyro.poutine.subsample_messenger import _Subsample

from autoguide_core.sequences import drawn_states

DRAWS = 3

Run = Callable[[], Any]
Values = dict[str, torch.Tensor]


def draw(run: Run) -> Trace:
    """Return the trace of a run with modest values of its latents."""
    with drawn_states():
        return poutine.trace(Modest()(run)).get_trace()


def ranks_of(trace: Trace) -> dict[str, int]:
    """Return the number of event axes of each latent site of a trace."""
    return {n: s["fn"].event_dim for n, s in trace.nodes.items() if is_latent(s)}


def stacked(traces: list[Trace], ranks: Mapping[str, int], nesting: int) -> Values:
    """Return values with the draws on an axis left of all plates: (S, slots, event).

    Args:
        traces: A trace for each draw.
        ranks: Names of the values, with the number of their event axes.
        nesting: How many plate dims the model has.
    """
    found: Values = {}
    for name, rank in ranks.items():
        values = torch.stack([trace.nodes[name]["value"] for trace in traces])
        batch = values.dim() - 1 - rank
        found[name] = values.reshape(len(traces), *[1] * (nesting - batch), *values.shape[1:])
    return found


def by_draw(run: Run, nesting: int) -> Values:
    """Return each site's log density, (S,), from one pass over all draws."""
    plate = pyro.plate("_draws", DRAWS, dim=-1 - nesting)
    trace = poutine.trace(plate(run)).get_trace()
    trace.compute_log_prob()
    found: Values = {}
    for name, site in trace.nodes.items():
        if is_scored(site):
            density = site["log_prob"]
            assert density.dim() == nesting + 1, (name, density.shape)
            found[name] = density.expand(DRAWS, *density.shape[1:]).reshape(DRAWS, -1).sum(-1)
    return found


def one_by_one(runs: list[Run]) -> Values:
    """Return each site's log density, (S,), from a run for each draw."""
    found: dict[str, list[torch.Tensor]] = {}
    for run in runs:
        trace = poutine.trace(run).get_trace()
        trace.compute_log_prob()
        for name, site in trace.nodes.items():
            if is_scored(site):
                found.setdefault(name, []).append(site["log_prob"].sum())
    return {name: torch.stack(values) for name, values in found.items()}


def is_scored(site: Mapping[str, Any]) -> bool:
    """Tell whether a node of a trace has a log density."""
    return site["type"] == "sample" and not isinstance(site["fn"], _Subsample)


def summed_out(run: Run, nesting: int) -> float:
    """Return the log density of what is observed, discrete latents summed out."""
    with poutine.block():
        elbo = TraceEnum_ELBO(max_plate_nesting=nesting)
        return -float(elbo.loss(config_enumerate(run, "parallel"), lambda: None))


def condition(run: Run, values: Values) -> Run:
    """Return the run with these values of its sites."""
    conditioned: Run = poutine.condition(run, data=values)
    return conditioned
