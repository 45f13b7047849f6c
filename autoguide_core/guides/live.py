"""Sites whose support or mask is not fixed: found at set-up, looked up anew in each call.

A stock automatic guide takes each site's support from one run of the model and keeps it. That is
wrong where the support moves with another latent (``Uniform(0, 1 - a)``), with a trainable
parameter, or with the arguments. Such a support is *live* here: it is found once, by tracing where
the support's bounds come from, and each call of the guide then runs the model once more, with the
guide's own draws in place, to read the supports as they stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pyro import poutine
from pyro.ops.provenance import detach_provenance, get_provenance, track_provenance
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from pyro.util import get_rng_state, set_rng_state
from torch import Tensor
from torch.distributions import biject_to

from autoguide_core.guides.supports import tensors_of
from autoguide_core.initialization import Site

ARGUMENTS = "the model's arguments"
PARAMETERS = "a parameter"
MINIBATCH = "the minibatch"


def support_sources(
    model: Any, sites: Mapping[str, Site], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, frozenset[str]]:
    """What each site's support depends on.

    Args:
        model: The model whose run the sites come from.
        sites: Trace nodes by name; their values are used in the run.
        args: Positional arguments of the model.
        kwargs: Keyword arguments of the model.

    Returns:
        For each site with a moving support, where the support's bounds come from: names of latent
        sites, `PARAMETERS` or `ARGUMENTS`.
    """
    if not any(tensors_of(site["fn"].support) for site in sites.values()):
        return {}
    tracked_args, tracked_kwargs = track_provenance([args, kwargs], frozenset({ARGUMENTS}))
    finder = _SourceFinder({name: site["value"] for name, site in sites.items()})
    rng_state = get_rng_state()
    try:
        with torch.no_grad(), poutine.block(), finder:
            model(*tracked_args, **tracked_kwargs)
    finally:
        set_rng_state(rng_state)
    return {name: finder.sources[name] for name in sites if finder.sources.get(name)}


def current_sites(
    model: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    plates: Mapping[str, Any],
    values: Mapping[str, Tensor],
    unconstrained: Mapping[str, Tensor],
) -> dict[str, Site]:
    """Run the model with the guide's draws in place and return its sites as they stand.

    Args:
        model: The model.
        args: Positional arguments of the model.
        kwargs: Keyword arguments of the model.
        plates: The guide's plates; the model's subsampled plates take their indices.
        values: Constrained values by site name.
        unconstrained: Unconstrained values by site name, mapped through the support that the site
            has at that moment. Sites in neither mapping stay at a fixed point of their support.
    """
    with poutine.block(), _Substitute(plates, values, unconstrained) as handler:
        model(*args, **kwargs)
    sites: dict[str, Site] = handler.sites
    return sites


class _Substitute(Messenger):
    """Puts given values at latent sites and keeps the messages."""

    def __init__(
        self,
        plates: Mapping[str, Any],
        values: Mapping[str, Tensor],
        unconstrained: Mapping[str, Tensor],
    ) -> None:
        super().__init__()
        self.plates, self.values, self.unconstrained = plates, values, unconstrained
        self.sites: dict[str, Site] = {}

    def _pyro_sample(self, msg: Site) -> None:
        name, fn = msg["name"], msg["fn"]
        if msg["is_observed"] or msg["value"] is not None:
            return
        if site_is_subsample(msg):
            if name in self.plates:
                msg["value"] = self.plates[name].indices
            return
        if name in self.values:
            msg["value"] = self.values[name]
        elif not fn.support.is_discrete:
            transform = biject_to(fn.support)
            default = torch.zeros(()).expand(transform.inverse_shape(fn.shape()))
            msg["value"] = transform(self.unconstrained.get(name, default))

    def _pyro_post_sample(self, msg: Site) -> None:
        self.sites[msg["name"]] = msg.copy()


class _SourceFinder(Messenger):
    """Marks each latent value and parameter with its name and reads the marks off supports."""

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.values = values
        self.sources: dict[str, frozenset[str]] = {}

    def _pyro_sample(self, msg: Site) -> None:
        if site_is_subsample(msg):
            return
        name, fn = msg["name"], msg["fn"]
        self.sources[name] = frozenset().union(*map(get_provenance, tensors_of(fn.support)))
        if msg["value"] is None and name in self.values:
            msg["value"] = self.values[name].detach()

    def _pyro_post_sample(self, msg: Site) -> None:
        if not msg["is_observed"] and not site_is_subsample(msg):
            value = detach_provenance(msg["value"])
            msg["value"] = track_provenance(value, frozenset({msg["name"]}))

    def _pyro_post_param(self, msg: Site) -> None:
        msg["value"] = track_provenance(msg["value"], frozenset({PARAMETERS}))
