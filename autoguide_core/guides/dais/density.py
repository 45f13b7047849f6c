"""The log joint density of a model for each of many draws at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pyro import poutine
from pyro.distributions.util import scale_and_mask
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from autoguide_core.guides.base import is_not_latent
from autoguide_core.guides.log_joint import given_values


def summed_to(log_prob: Tensor, batch_shape: torch.Size) -> Tensor:
    """Sum a site's log density to one number a draw.

    Args:
        log_prob: Shape (*draws, *plates), where dims on the left may be missing or one.
        batch_shape: The shape of the draws, with ones in the dims of the plates.

    Returns:
        A tensor that broadcasts with ``batch_shape`` and has no other entries.
    """
    missing = len(batch_shape) - log_prob.dim()
    if missing > 0:
        log_prob = log_prob.reshape((1,) * missing + log_prob.shape)
    surplus = log_prob.dim() - len(batch_shape)
    log_prob = log_prob.sum(tuple(range(surplus))) if surplus else log_prob
    plates = tuple(dim for dim, size in enumerate(batch_shape) if size == 1)
    return log_prob.sum(plates, keepdim=True) if plates else log_prob


def log_joint_per_draw(
    model: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    values: Mapping[str, Tensor],
    batch_shape: torch.Size,
    plates: Mapping[str, Any] | None = None,
) -> Tensor:
    """Run a model at many values of its latent sites in one, and score each.

    Args:
        model: The model, which must broadcast, as it must for vectorised particles.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        values: Constrained values of its latent sites, by name, with the draws on the left.
        batch_shape: The shape of the draws, with ones in the dims of the plates.
        plates: Plates by name, whose elements are draws of their own, and whose indices the model
            takes. Sites outside of them are left out, and minibatches are not scaled up.

    Returns:
        Shape ``batch_shape``.

    Raises:
        ValueError: A latent site has no value.
    """
    with poutine.block():
        given = given_values(model, values, plates)
        trace = poutine.trace(given).get_trace(*args, **kwargs)
    trace.compute_log_prob()
    total: Tensor | float = 0.0
    for name, site in trace.nodes.items():
        if site["type"] != "sample" or site_is_subsample(site):
            continue
        if not is_not_latent(site) and name not in values:
            raise ValueError(
                f"Annealed importance sampling needs a value for latent site '{name}'. Put the "
                f"part of the AutoGuideList that covers '{name}' before this one; a site that is "
                "enumerated in the model cannot stand beside it."
            )
        if plates is None:
            total = total + summed_to(site["log_prob"], batch_shape)
        elif plates.keys() <= {frame.name for frame in site["cond_indep_stack"]}:
            log_prob = scale_and_mask(site["unscaled_log_prob"], mask=site["mask"])
            total = total + summed_to(log_prob, batch_shape)
    return torch.as_tensor(total).expand(batch_shape)
