"""From unconstrained space to a site's support and back: transforms, Jacobians, masks.

Guides draw in unconstrained space. This file holds what every family needs to get from there to a
site: the bijection of its support (torch's `biject_to`), the density correction of that bijection,
and which entries of the site count at all.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from pyro.distributions.torch import Independent
from pyro.distributions.torch_distribution import MaskedDistribution
from pyro.distributions.util import sum_rightmost
from pyro.ops.tensor_utils import periodic_repeat
from torch import Tensor
from torch.distributions import biject_to, constraints
from torch.distributions.transforms import IndependentTransform

from autoguide_core.initialization import Site, helpful_support_errors


def bijection(site: Site) -> Any:
    """The transform from unconstrained space onto the site's support.

    Args:
        site: A trace node.

    Raises:
        ValueError: The support is discrete or a sphere; the message says what to do instead.
    """
    with helpful_support_errors(site):
        return biject_to(site["fn"].support)


def unconstrained_value(site: Site) -> Tensor:
    """The site's value in the trace, detached and mapped to unconstrained space."""
    return bijection(site).inv(site["value"].detach()).detach()


def unconstrained_event_dim(site: Site, unconstrained: Tensor) -> int:
    """How many rightmost dims of the unconstrained value belong to one event.

    The bijection may change their number: a 2x2 LKJCholesky has an unconstrained shape of (1,).
    """
    return int(site["fn"].event_dim + unconstrained.dim() - site["value"].dim())


def is_subsampled(frame: Any) -> bool:
    """Whether a plate frame holds a part of its plate only."""
    return bool(full_size(frame) != frame.size)


def full_size(frame: Any) -> int:
    """The number of elements of a frame's plate, whatever part of it is in use."""
    return int(frame.full_size or frame.size)


def tile_to_full_size(site: Site, value: Tensor, event_dim: int) -> Tensor:
    """Repeat a minibatch-sized value along its subsampled plates up to their full sizes.

    Args:
        site: A trace node, for its plates.
        value: A value with the site's batch dims and ``event_dim`` dims to their right.
        event_dim: The number of event dims of ``value``.
    """
    for frame in site["cond_indep_stack"]:
        if is_subsampled(frame):
            value = periodic_repeat(value, full_size(frame), frame.dim - event_dim).contiguous()
    return value


def full_shape(site: Site) -> torch.Size:
    """The site's shape with every subsampled plate at its full size."""
    shape = list(site["value"].shape)
    for frame in site["cond_indep_stack"]:
        if is_subsampled(frame):
            shape[frame.dim - site["fn"].event_dim] = full_size(frame)
    return torch.Size(shape)


@dataclass(frozen=True)
class SiteMask:
    """Which entries of a site count towards the density.

    Attributes:
        batch: A mask over the site's batch shape, from `poutine.mask` or an outermost ``.mask()``;
            None where all entries count.
        elements: A mask over single entries inside an event, from ``.mask()`` below a
            ``.to_event()``; None where there is none.
        reinterpreted: How many rightmost dims of ``elements`` are event dims of the site.
    """

    batch: Tensor | bool | None = None
    elements: Tensor | bool | None = None
    reinterpreted: int = 0

    @property
    def is_dynamic(self) -> bool:
        """Whether a tensor decides, so that the next call may see another mask."""
        return isinstance(self.batch, Tensor) or isinstance(self.elements, Tensor)


def site_mask(site: Site) -> SiteMask:
    """The mask of a trace node: of the handlers around it and of its distribution."""
    batch, elements, reinterpreted = site["mask"], None, 0
    fn = site["fn"]
    while isinstance(fn, Independent | MaskedDistribution):
        if isinstance(fn, Independent):
            reinterpreted += fn.reinterpreted_batch_ndims
        elif reinterpreted:
            return SiteMask(batch, fn._mask, reinterpreted)
        else:
            batch = _both(batch, fn._mask)
        fn = fn.base_dist
    return SiteMask(batch, elements, 0)


def constrain(
    support: Any,
    event_dim: int,
    unconstrained: Tensor,
    mask: SiteMask,
    *,
    with_density: bool = True,
) -> tuple[Tensor, Tensor | float]:
    """Map an unconstrained draw onto a support.

    Args:
        support: The site's support.
        event_dim: The number of event dims of the site.
        unconstrained: The draw; extra batch dims on the left are kept.
        mask: Which entries of the site count.
        with_density: False skips the Jacobian.

    Returns:
        The value on the support, and the log density of the map there: minus the log of the
        absolute Jacobian determinant, with one entry per batch element (0.0 if skipped).
    """
    transform = biject_to(support)
    value = transform(unconstrained)
    if not with_density:
        return value, 0.0
    if mask.elements is not None:
        # The mask lies below a to_event: so must the Jacobian, before its entries are summed.
        if isinstance(transform, IndependentTransform):
            transform = transform.base_transform
        log_density = -transform.log_abs_det_jacobian(unconstrained, value)
        keep = torch.as_tensor(mask.elements, device=value.device)
        entry_event_dim = event_dim - mask.reinterpreted
        log_density = _sum_to_event_dim(log_density, value, entry_event_dim)
        log_density = torch.where(keep, log_density, torch.zeros_like(log_density))
    else:
        log_density = -transform.log_abs_det_jacobian(unconstrained, value)
    return value, _sum_to_event_dim(log_density, value, event_dim)


def hold_masked(
    log_density: Tensor, unconstrained: Tensor, event_dim: int, mask: SiteMask
) -> Tensor:
    """Score the masked entries of a joint draw under a standard Normal.

    A joint guide cannot leave single entries of its vector out of its entropy. Entries without a
    say in the model would then widen without bound. With a density of their own they settle at it,
    and the ELBO stays a bound on the same evidence, since that density is normalised.

    Args:
        log_density: The log density of the map of a site, one entry per batch element.
        unconstrained: The site's unconstrained draw.
        event_dim: The number of event dims of ``unconstrained``.
        mask: Which entries of the site count.

    Returns:
        The log density with the masked entries' Normal taken off (a guide's terms enter the ELBO
        with a minus).
    """
    cost = 0.5 * unconstrained.square() + 0.5 * math.log(2 * math.pi)
    if mask.elements is not None:
        keep = torch.as_tensor(mask.elements, device=cost.device)
        entries = sum_rightmost(cost, event_dim - mask.reinterpreted)
        held = torch.where(keep, torch.zeros_like(entries), entries)
        log_density = log_density + sum_rightmost(held, mask.reinterpreted)
    if mask.batch is not None:
        keep = torch.as_tensor(mask.batch, device=cost.device)
        log_density = torch.where(keep, log_density, sum_rightmost(cost, event_dim))
    return log_density


def tensors_of(support: Any) -> list[Tensor]:
    """The tensors that a constraint holds: its bounds, and those of the constraints inside it."""
    found: list[Tensor] = []
    _map_tensors(support, found.append)
    return found


def steady_support(site: Site) -> tuple[Any, bool]:
    """The site's support, usable for any minibatch of its subsampled plates.

    The bounds of a Uniform in a plate of which 5 of 20 elements are in use have shape (5,). Where
    they are equal along the plate, one of them serves for all 20.

    Args:
        site: A trace node.

    Returns:
        The support, and whether it is steady: False where the bounds differ from element to
        element, so that another minibatch needs other bounds.
    """
    dims = [f.dim - site["fn"].event_dim for f in site["cond_indep_stack"] if is_subsampled(f)]
    steady = True

    def collapse(bound: Tensor) -> Tensor:
        nonlocal steady
        for dim in dims:
            if bound.dim() >= -dim and bound.shape[dim] > 1:
                first = bound.narrow(dim, 0, 1)
                steady = steady and bool((bound == first).all())
                bound = first
        return bound

    support = _map_tensors(site["fn"].support, collapse) if dims else site["fn"].support
    return (support, True) if steady else (site["fn"].support, False)


def _map_tensors(support: Any, change: Callable[[Tensor], Any]) -> Any:
    """A copy of a constraint in which each tensor has gone through a function."""

    def visit(part: Any) -> Any:
        if isinstance(part, Tensor):
            return change(part)
        if isinstance(part, constraints.Constraint):
            return _map_tensors(part, change)
        return [visit(member) for member in part] if isinstance(part, list | tuple) else part

    twin = copy.copy(support)
    for key, part in vars(support).items():
        setattr(twin, key, visit(part))
    return twin


def is_elementwise(transform: Any) -> bool:
    """Whether a bijection acts on each entry alone, and so is monotone in each."""
    while isinstance(transform, IndependentTransform):
        transform = transform.base_transform
    return bool(transform.domain.event_dim == 0 and transform.codomain.event_dim == 0)


def monotone_quantiles(support: Any, loc: Tensor, scale: Tensor, probabilities: Tensor) -> Tensor:
    """Quantiles of a Normal seen through the elementwise bijection of a support.

    Args:
        support: A support whose bijection is elementwise; it may be decreasing.
        loc: Locations in unconstrained space.
        scale: Scales in unconstrained space, of the same shape; zero for a point.
        probabilities: The Q probabilities, in any order.

    Returns:
        Shape (Q, *shape of the site).
    """
    transform = biject_to(support)
    probabilities = probabilities.reshape(-1, *[1] * loc.dim())
    rising = transform(loc + scale * torch.special.ndtri(probabilities))
    falling = transform(loc + scale * torch.special.ndtri(1 - probabilities))
    is_rising = transform(loc + scale) >= transform(loc - scale)
    return torch.where(is_rising, rising, falling)


def _sum_to_event_dim(log_density: Tensor, value: Tensor, event_dim: int) -> Tensor:
    return sum_rightmost(log_density, log_density.dim() - value.dim() + event_dim)


def _both(left: Tensor | bool | None, right: Tensor | bool | None) -> Tensor | bool | None:
    if left is None or right is None:
        return right if left is None else left
    return left & right
