"""What a site's distribution tells without draws: its centre, and quantiles of a mapped Normal."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from pyro.distributions.torch import Independent
from pyro.distributions.torch_distribution import MaskedDistribution
from torch import Tensor
from torch.distributions import TransformedDistribution, biject_to

from autoguide_core.guides.draws import quantiles_of_draws
from autoguide_core.guides.supports import is_elementwise

_NUM_CENTRE_DRAWS = 1_000


def centre(prior: Any, posterior: Any) -> Tensor:
    """The median of a distribution, or a point of the support in its stead.

    Args:
        prior: The site's distribution in the model, for the support.
        posterior: The guide's distribution, of the site's batch shape.

    Returns:
        A value of the site.
    """
    posterior = _stripped(posterior)
    normal = _mapped_normal(posterior)
    if normal is not None:
        loc, _, steps = normal
        return _map(steps, loc)
    if isinstance(posterior, dist.Delta):
        value: Tensor = posterior.v
        return value
    draws = posterior.sample((_NUM_CENTRE_DRAWS,))
    try:
        transform = biject_to(prior.support)
    except NotImplementedError:  # a discrete site
        return draws.median(dim=0).values
    # In unconstrained space, where the entrywise median of a simplex is a simplex again.
    median: Tensor = transform(quantiles_of_draws(transform.inv(draws), [0.5])[0])
    return median


def mapped_normal_quantiles(posterior: Any, probabilities: Tensor) -> Tensor | None:
    """The quantiles of a Normal that is mapped entry by entry; None for other distributions.

    Args:
        posterior: The guide's distribution, of the site's batch shape.
        probabilities: The Q probabilities, in any order.

    Returns:
        Shape (Q, *shape of the site).
    """
    normal = _mapped_normal(_stripped(posterior))
    if normal is None:
        return None
    loc, scale, steps = normal
    if not all(map(is_elementwise, steps)):
        return None
    q = probabilities.to(loc).reshape(-1, *[1] * loc.dim())
    rising = _map(steps, loc + scale * torch.special.ndtri(q))
    falling = _map(steps, loc + scale * torch.special.ndtri(1 - q))
    is_rising = _map(steps, loc + scale) >= _map(steps, loc - scale)
    return torch.where(is_rising, rising, falling)


def _stripped(fn: Any) -> Any:
    while isinstance(fn, Independent | MaskedDistribution):
        fn = fn.base_dist
    return fn


def _mapped_normal(fn: Any) -> tuple[Tensor, Tensor, list[Any]] | None:
    """The location, scale and transforms of a Normal seen through transforms."""
    fn = _stripped(fn)
    if isinstance(fn, dist.Normal):
        return fn.loc, fn.scale, []
    if isinstance(fn, TransformedDistribution):
        inner = _mapped_normal(fn.base_dist)
        return None if inner is None else (*inner[:2], [*inner[2], *fn.transforms])
    return None


def _map(steps: list[Any], value: Tensor) -> Tensor:
    for step in steps:
        value = step(value)
    return value
