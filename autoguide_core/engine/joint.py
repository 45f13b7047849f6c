"""The joint log density of one run of a model, enumerated sites summed out exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.poutine import Trace
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import prune_subsample_sites

from autoguide_core.engine.estimators.elimination import model_terms
from autoguide_core.engine.estimators.particles import Pair
from autoguide_core.engine.structure import Model, is_latent
from autoguide_core.engine.validity import Validity


def plate_depth(trace: Trace) -> int:
    """The deepest vectorised plate of a run, as a positive number of dimensions."""
    return max(
        (
            -frame.dim
            for site in trace.nodes.values()
            if site["type"] == "sample"
            for frame in site["cond_indep_stack"]
            if frame.vectorized
        ),
        default=0,
    )


def marginalised_sites(trace: Trace) -> list[str]:
    """Names of the latent sites of a run that are marked for parallel enumeration."""
    return [
        name
        for name, site in trace.nodes.items()
        if is_latent(site) and site["infer"].get("enumerate") == "parallel"
    ]


def joint_trace(
    model: Model, args: tuple[Any, ...], kwargs: Mapping[str, Any], depth: int | None
) -> tuple[Trace, torch.Tensor]:
    """Run a model whose continuous latents are given, and score it.

    Args:
        model: The model, conditioned or otherwise told its continuous latents.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        depth: ``max_plate_nesting`` where there are sites to enumerate, else None.

    Returns:
        The trace and its log joint density in nats, a scalar; -inf where a parameter that depends
        on latents is impossible.
    """
    trace = unscored_trace(model, args, kwargs, depth)
    if depth is None:
        return trace, trace.log_prob_sum()
    pair = Pair(guide=Trace(), model=prune_subsample_sites(trace))
    pair.model.compute_log_prob()
    pair.pack()
    return trace, torch.as_tensor(sum(term.value.sum() for term in model_terms(pair)))


def unscored_trace(
    model: Model, args: tuple[Any, ...], kwargs: Mapping[str, Any], depth: int | None
) -> Trace:
    """Run a model as `joint_trace` does, for its values alone."""
    model = _Vectorisable()(model)
    if depth is not None:
        model = poutine.enum(model, first_available_dim=-1 - depth)
    return poutine.trace(Validity()(model)).get_trace(*args, **kwargs)


class _Vectorisable(Messenger):
    """Puts equal distributions in the place of those that ``vmap`` cannot batch."""

    def _pyro_sample(self, msg: Any) -> None:
        msg["fn"] = _vectorisable(msg["fn"])


def _vectorisable(fn: Any) -> Any:
    """``OrderedLogistic`` fills its probabilities in place, which no graph of it survives."""
    if isinstance(fn, dist.Independent):
        base = _vectorisable(fn.base_dist)
        return fn if base is fn.base_dist else base.to_event(fn.reinterpreted_batch_ndims)
    if isinstance(fn, dist.OrderedLogistic):
        below = torch.sigmoid(fn.cutpoints - fn.predictor.unsqueeze(-1))
        middle = below[..., 1:] - below[..., :-1]
        probs = torch.cat([below[..., :1], middle, 1.0 - below[..., -1:]], -1)
        return dist.Categorical(probs, validate_args=False)
    return fn
