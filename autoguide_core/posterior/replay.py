"""Replaying a model on posterior draws: its joint density and its deterministic values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from pyro import poutine

from autoguide_core.engine.joint import joint_trace, marginalised_sites, plate_depth
from autoguide_core.engine.precision import double_precision, to_double
from autoguide_core.engine.structure import Model
from autoguide_core.engine.tracing.trace import trace_function

_NUMBERS_PER_CHUNK = 4_000_000

Evaluation = tuple[torch.Tensor, dict[str, torch.Tensor]]


@dataclass(frozen=True)
class Replayed:
    """A model's values on draws.

    Attributes:
        log_p: Log joint density, shape (S,), float64, or None.
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

    Draws are vectorised by ``torch.func.vmap`` in chunks, over the model or over its traced graph,
    which asks nothing of the model's batch dimensions; a model that can be neither (one that
    branches on values, say) runs draw by draw.

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
        first = {name: value[0] for name, value in values.items()}
        trace = poutine.trace(poutine.condition(model, data=first)).get_trace(*args, **kwargs)
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


def in_chunks(
    evaluate: Callable[[dict[str, torch.Tensor]], Evaluation],
    values: dict[str, torch.Tensor],
    size: int,
) -> Evaluation:
    """Evaluate all draws, a chunk of them at once where the model can be vectorised.

    Args:
        evaluate: From the values of one draw to a scalar and tensors by name.
        values: The values of all draws, each (S, …).
        size: How many numbers one evaluation handles, which tells how many go at once.

    Returns:
        The scalars, (S,), and the tensors, each (S, …).
    """
    count = next(iter(values.values())).shape[0]
    chunk = max(1, _NUMBERS_PER_CHUNK // max(size, 1))

    def at(index: int | slice) -> dict[str, torch.Tensor]:
        return {name: value[index] for name, value in values.items()}

    def run(one: Callable[[dict[str, torch.Tensor]], Evaluation]) -> list[Evaluation]:
        batched = torch.func.vmap(one, randomness="different")
        return [batched(at(slice(start, start + chunk))) for start in range(0, count, chunk)]

    join = torch.cat
    try:
        parts = run(evaluate)
    except (RuntimeError, ValueError, NotImplementedError):
        try:
            parts = run(trace_function(evaluate, at(0), at(count - 1)))
        except Exception:  # tracing may fail in as many ways as a model has operations
            parts, join = [evaluate(at(index)) for index in range(count)], torch.stack
    names = parts[0][1]
    return join([p[0] for p in parts]), {n: join([p[1][n] for p in parts]) for n in names}
