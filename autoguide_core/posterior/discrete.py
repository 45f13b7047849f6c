"""Drawing the discrete variables that enumeration summed out, given the continuous draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pyro import poutine
from pyro.infer import infer_discrete

from autoguide_core.engine.joint import plate_depth
from autoguide_core.engine.structure import Model


def draw_marginalised(
    model: Model,
    latents: Mapping[str, torch.Tensor],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    names: Sequence[str],
) -> dict[str, torch.Tensor]:
    """Draw sites exactly from their conditional distribution, one continuous draw at a time.

    Source: forward filtering, backward sampling, as in Pyro's ``infer_discrete``.

    Args:
        model: The model.
        latents: Continuous draws by site, each (S, *site shape).
        args: The model's positional arguments.
        kwargs: The model's keyword arguments.
        names: Sites to read: discrete ones, and deterministic ones that depend on them.

    Returns:
        Values by name, each (S, *site shape).
    """
    drawn: dict[str, list[torch.Tensor]] = {name: [] for name in names}
    count = next(iter(latents.values())).shape[0]
    depth: int | None = None
    for index in range(count):
        one = poutine.condition(model, data={n: v[index] for n, v in latents.items()})
        if depth is None:
            depth = plate_depth(poutine.trace(one).get_trace(*args, **kwargs))
        sampled = infer_discrete(one, first_available_dim=-1 - depth, temperature=1)
        trace = poutine.trace(sampled).get_trace(*args, **kwargs)
        for name in names:
            drawn[name].append(trace.nodes[name]["value"])
    return {name: torch.stack(values) for name, values in drawn.items()}
