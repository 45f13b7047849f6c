"""Distributions for a site whose prior masks entries with ``.mask()``, below ``.to_event()`` too.

Entries that the prior masks must not count in the guide: otherwise the entropy of the guide widens
them without bound. A mask over a batch is easily put on top. A mask below a ``to_event`` has to lie
below it in the guide as well, on the single entries of an event.
"""

from __future__ import annotations

from typing import Any

from pyro.distributions.torch import Independent
from pyro.distributions.torch_distribution import MaskedDistribution
from torch.distributions.transforms import IndependentTransform

from autoguide_core.guides.supports import SiteMask


def unmasked(fn: Any) -> Any:
    """The distribution without any mask in it; the very same where it has none."""
    if isinstance(fn, MaskedDistribution):
        return unmasked(fn.base_dist)
    if isinstance(fn, Independent):
        base = unmasked(fn.base_dist)
        return fn if base is fn.base_dist else base.to_event(fn.reinterpreted_batch_ndims)
    return fn


def unmasked_entries(fn: Any) -> Any:
    """The distribution of what a mask below a ``to_event`` selects from, without that mask."""
    while not isinstance(fn, MaskedDistribution):
        fn = fn.base_dist
    return unmasked(fn)


def entry_transform(transform: Any, mask: SiteMask) -> Any:
    """The part of a site's bijection that acts on what the elements of a mask select.

    Args:
        transform: The bijection onto the site's support.
        mask: The mask of the site.
    """
    left = mask.reinterpreted
    while left and isinstance(transform, IndependentTransform):
        dims = transform.reinterpreted_batch_ndims
        if dims > left:
            return IndependentTransform(transform.base_transform, dims - left)
        transform, left = transform.base_transform, left - dims
    return transform


def mask_entries(fn: Any, mask: SiteMask) -> Any:
    """Put the elements of a mask on a distribution of entries, and make the entries one event."""
    return fn.mask(mask.elements).to_event(mask.reinterpreted)
