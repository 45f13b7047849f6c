"""Drawing every latent variable from a guide, vectorised where the guide allows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.poutine import Trace
from pyro.poutine.util import prune_subsample_sites

from autoguide_core.engine.estimators.vectorised import Sites, keeps_apart
from autoguide_core.engine.joint import plate_depth
from autoguide_core.engine.structure import Model, is_drawn, is_latent

_PLATE = "_posterior_draws"


def draw_guide(
    guide: Model,
    model: Model,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    num_draws: int,
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Draw the model's latent variables from the guide.

    A run under an outer plate of draws leaves dimensions of size 1 between the draws and a site
    of few plates; they are taken out, so that values have the shapes of a single run.

    Args:
        guide: The guide.
        model: The model, which says which of the guide's sites are its latent variables.
        args: Positional arguments of both.
        kwargs: Keyword arguments of both.
        num_draws: Number of draws S.

    Returns:
        Values by site, each (S, *site shape), and the guide's log density, (S,), float64.
    """
    with poutine.block():
        guide_trace = poutine.trace(guide).get_trace(*args, **kwargs)
        replayed = poutine.replay(model, trace=guide_trace)
        with torch.enable_grad():  # which a model that differentiates needs
            model_trace = poutine.trace(replayed).get_trace(*args, **kwargs)
        shapes = {
            name: site["value"].shape
            for name, site in model_trace.nodes.items()
            if is_latent(site) and name in guide_trace.nodes
        }
        depth = max(plate_depth(guide_trace), plate_depth(model_trace))
        drawn = _vectorised(guide, args, kwargs, num_draws, depth, shapes)
        return drawn or _one_by_one(guide, args, kwargs, num_draws, shapes)


def _vectorised(
    guide: Model,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    num_draws: int,
    depth: int,
    shapes: Mapping[str, torch.Size],
) -> tuple[dict[str, torch.Tensor], torch.Tensor] | None:
    """All draws in one run, or None where the guide does not broadcast."""

    def traced(count: int | None) -> Trace:
        run = guide if count is None else pyro.plate(_PLATE, count, dim=-1 - depth)(guide)
        trace = prune_subsample_sites(poutine.trace(run).get_trace(*args, **kwargs))
        trace.compute_log_prob(is_drawn)
        return trace

    def sites(count: int | None = None) -> Sites:
        nodes = traced(count).nodes.items()
        return [{n: s for n, s in nodes if s["type"] == "sample" and is_drawn(n, s)}]

    try:
        if not keeps_apart(sites, sites, depth):
            return None
        trace = traced(num_draws)
        values = {}
        for name, shape in shapes.items():
            value = trace.nodes[name]["value"]
            event_dim = trace.nodes[name]["fn"].event_dim
            batch = len(shape) - event_dim
            full = (num_draws, *(1,) * (depth - batch), *shape)
            values[name] = value.expand(full).reshape(num_draws, *shape)
        return values, _log_density_per_draw(trace, num_draws, depth)
    except (RuntimeError, ValueError, IndexError, NotImplementedError):
        return None


def _log_density_per_draw(trace: Trace, num_draws: int, depth: int) -> torch.Tensor:
    total = torch.zeros(num_draws, dtype=torch.float64)
    for site in trace.nodes.values():
        if site["type"] != "sample" or site["is_observed"]:
            continue
        log_prob = site["log_prob"]
        if log_prob.dim() == depth + 1:
            log_prob = log_prob.reshape(len(log_prob), -1).sum(1)
        elif log_prob.dim() > depth + 1:
            raise ValueError(f"site {site['name']!r} has more dimensions than its plates")
        else:
            log_prob = log_prob.sum()
        total = total + log_prob
    return total


def _one_by_one(
    guide: Model,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    num_draws: int,
    shapes: Mapping[str, torch.Size],
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    values: dict[str, list[torch.Tensor]] = {name: [] for name in shapes}
    log_q = []
    for _ in range(num_draws):
        trace = poutine.trace(guide).get_trace(*args, **kwargs)
        log_q.append(torch.as_tensor(trace.log_prob_sum(is_drawn), dtype=torch.float64))
        for name in shapes:
            values[name].append(trace.nodes[name]["value"])
    return {name: torch.stack(v) for name, v in values.items()}, torch.stack(log_q)
