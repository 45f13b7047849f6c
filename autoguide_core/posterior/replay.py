"""Replaying a model on posterior draws: its joint density and its deterministic values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from pyro import poutine
from pyro.poutine import Trace

from autoguide_core.engine.joint import joint_trace, marginalised_sites, plate_depth
from autoguide_core.engine.precision import double_precision, to_double
from autoguide_core.engine.refusals import is_refusal
from autoguide_core.engine.structure import Model
from autoguide_core.posterior.vectorised import in_chunks
from autoguide_core.validation import Validation

Evaluation = tuple[torch.Tensor, dict[str, torch.Tensor]]


@dataclass(frozen=True)
class Replayed:
    """A model's values on draws.

    Attributes:
        log_p: Log joint density, shape (S,), float64, or None; NaN or -inf where the model cannot
            be evaluated.
        deterministics: Values of ``pyro.deterministic`` sites, each (S, *shape).
        marginalised: Latent sites that were summed out.
        omitted: Deterministic sites that depend on summed-out ones.
        notes: What was left out, and why.
    """

    log_p: torch.Tensor | None
    deterministics: dict[str, torch.Tensor]
    marginalised: tuple[str, ...]
    omitted: tuple[str, ...]
    notes: tuple[str, ...]


def replay_model(
    model: Model,
    latents: Mapping[str, torch.Tensor],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Replayed:
    """Evaluate a model on draws of its latent variables, in double precision.

    Draws are vectorised in chunks where the model allows it; see :func:`in_chunks`. That asks
    nothing of the model's batch dimensions.

    Args:
        model: The model.
        latents: Values by site, each (S, *shape of the site in a single run).
        args: Its positional arguments.
        kwargs: Its keyword arguments.

    Returns:
        Densities and deterministic values.
    """
    dtypes = {n: v.dtype for n, v in latents.items()}
    with double_precision():
        args, kwargs = to_double((args, dict(kwargs)))
        values = to_double(dict(latents))
        with torch.enable_grad():  # which a model that differentiates needs
            trace = _any_run(model, values, args, kwargs)
        shapes = {
            name: site["value"].shape
            for name, site in trace.nodes.items()
            if site["type"] == "sample" and site["infer"].get("_deterministic")
        }
        marginalised = tuple(marginalised_sites(trace))
        depth = plate_depth(trace) if marginalised else None
        kept: set[str] = set(shapes)

        def evaluate(one: dict[str, torch.Tensor]) -> Evaluation:
            run, log_p = joint_trace(poutine.condition(model, data=one), args, kwargs, depth)
            found = {name: run.nodes[name]["value"] for name in shapes}
            kept.intersection_update(n for n, v in found.items() if v.shape == shapes[n])
            return log_p, {name: found[name] for name in kept}

        size = sum(
            math.prod(getattr(site["fn"], "batch_shape", ()))  # not always a torch.Size
            for site in trace.nodes.values()
            if site["type"] == "sample"
        )
        log_p, found = in_chunks(evaluate, values, size)
    single = all(dtype != torch.float64 for dtype in dtypes.values())
    omitted = tuple(name for name in shapes if name not in kept)
    notes = tuple(
        f"{name!r} depends on summed-out variables ({', '.join(marginalised)}): "
        "ask for discrete draws to have it"
        for name in omitted
    )
    return Replayed(
        log_p=log_p,
        deterministics={
            n: found[n].float() if single and found[n].dtype == torch.float64 else found[n]
            for n in shapes
            if n in kept
        },
        marginalised=marginalised,
        omitted=omitted,
        notes=notes,
    )


def _any_run(
    model: Model,
    values: Mapping[str, torch.Tensor],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Trace:
    """A run of the model at the first draw that it does not refuse, for shapes alone."""
    refusal: Exception | None = None
    for place in range(len(next(iter(values.values()), ()))):
        one = {name: value[place] for name, value in values.items()}
        try:
            with Validation(False):
                return poutine.trace(poutine.condition(model, data=one)).get_trace(*args, **kwargs)
        except Exception as error:
            if not is_refusal(error):
                raise
            refusal = refusal or error
    if refusal is not None:
        raise refusal
    return poutine.trace(model).get_trace(*args, **kwargs)
