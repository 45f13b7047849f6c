"""Small helpers under the names that users of Pyro's automatic guides import."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from pyro import poutine
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from autoguide_core.guides.naming import get_deep, set_deep
from autoguide_core.initialization import helpful_support_errors
from autoguide_core.validation import Validation

__all__ = ["deep_getattr", "deep_setattr", "helpful_support_errors", "mean_field_entropy"]

deep_getattr = get_deep
deep_setattr = set_deep


def mean_field_entropy(
    model: Callable[..., Any], args: Sequence[Any], whitelist: Collection[str] | None = None
) -> Tensor:
    """The entropy of a model or guide whose sites are independent: the sum over its sites.

    Args:
        model: A model or guide.
        args: Its positional arguments.
        whitelist: The sites to count; None for all.

    Returns:
        The entropy in nats, without dimensions for sites without batch dims.

    Raises:
        NotImplementedError: The distribution of a site has no entropy in closed form.
        ValueError: A name of the whitelist is that of no site.
    """
    trace = poutine.trace(model).get_trace(*args)
    sites = {
        name: site["fn"]
        for name, site in trace.nodes.items()
        if site["type"] == "sample" and not site_is_subsample(site)
    }
    unknown = sorted(set(whitelist or ()) - sites.keys())
    if unknown:
        raise ValueError(
            f"There is no sample site '{unknown[0]}'; the sites are: {', '.join(sorted(sites))}."
        )
    total = torch.zeros(())
    for name, fn in sites.items():
        if whitelist is None or name in whitelist:
            with Validation(False):
                total = total + fn.entropy()
    return total
