"""What may change between calls: supports, masks, given minibatches. Found at set-up, then reread.

A stock automatic guide takes each site's support from one run of the model and keeps it. That is
wrong where the support moves with another latent (``Uniform(0, 1 - a)``), with a trainable
parameter, or with the arguments. Such a support is *live* here: it is found once, by tracing where
the support's bounds come from, and each call of the guide then runs the model once more, with the
guide's own draws in place, to read the supports as they stand. Masks that are tensors are reread
in the same way, and so are the indices that a model itself gives to a plate (``subsample=index``),
which a guide must follow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
from autoguide_core.initialization import Site, zero_of

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
        sites, `PARAMETERS` or `ARGUMENTS`. Where this cannot be traced, every support that holds
        tensors counts as moving with the arguments.
    """
    bounded = [name for name, site in sites.items() if tensors_of(site["fn"].support)]
    if not bounded:
        return {}
    tracked_args, tracked_kwargs = track_provenance([args, kwargs], frozenset({ARGUMENTS}))
    finder = _SourceFinder({name: site["value"] for name, site in sites.items()})
    rng_state = get_rng_state()
    try:
        with torch.no_grad(), poutine.block(), finder:
            model(*tracked_args, **tracked_kwargs)
    except Exception:  # the model ran before: it does something that cannot be traced
        return dict.fromkeys(bounded, frozenset({ARGUMENTS}))
    finally:
        set_rng_state(rng_state)
    return {name: finder.sources[name] for name in bounded if finder.sources.get(name)}


def current_sites(
    model: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    plates: Mapping[str, Any],
    values: Mapping[str, Tensor],
    unconstrained: Mapping[str, Tensor],
    wanted: Collection[str] = (),
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
        wanted: The sites that are asked for: see `Substitute`.
    """
    return Substitute(plates, values, unconstrained, wanted).run(model, args, kwargs)


class ModelWatcher(Messenger):
    """Notes what a guide must know of a run beside the latent sites.

    Attributes:
        given_indices: The indices that the model itself gives to its plates, by plate name.
        plate_devices: Where plates have their indices, as far as the model says it.
        plate_depth: How many dims on the left of the events the plates take, observed sites' too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.given_indices: dict[str, Tensor] = {}
        self.plate_devices: dict[str, Any] = {}
        self.plate_depth = 0

    def _pyro_sample(self, msg: Site) -> None:
        dims = [-frame.dim for frame in msg["cond_indep_stack"] if frame.vectorized]
        self.plate_depth = max(self.plate_depth, *dims, 0)
        if not site_is_subsample(msg):
            return
        if msg["value"] is not None:
            self.given_indices[msg["name"]] = torch.as_tensor(msg["value"])
        elif msg["fn"].device is not None:
            self.plate_devices[msg["name"]] = msg["fn"].device


def given_indices(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Tensor]:
    """The indices that the model gives to its plates in this call, by plate name."""
    watcher = ModelWatcher()
    with torch.no_grad(), poutine.block(), Substitute({}, {}, {}), watcher:
        model(*args, **kwargs)
    return watcher.given_indices


class Substitute(Messenger):
    """Puts given values at latent sites and keeps the messages.

    Args:
        plates: The guide's plates; the model's subsampled plates take their indices.
        values: Constrained values by site name.
        unconstrained: Unconstrained values by site name, as a guide draws them.
        wanted: The sites that are asked for. A run ends after the last of them, before the model
            computes what it makes of them: that is most of its work. Empty for a whole run.

    Attributes:
        sites: The messages of the sites met in the run, by name.
    """

    def __init__(
        self,
        plates: Mapping[str, Any],
        values: Mapping[str, Tensor],
        unconstrained: Mapping[str, Tensor],
        wanted: Collection[str] = (),
    ) -> None:
        super().__init__()
        self.plates, self.values, self.unconstrained = plates, values, unconstrained
        self.sites: dict[str, Site] = {}
        self._to_come = set(wanted)

    def run(self, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Site]:
        """Run the model, unseen by handlers outside, and return the sites."""
        try:
            with poutine.block(), self:
                model(*args, **kwargs)
        except _AllMetError:
            pass
        return self.sites

    def image(self, name: str, fn: Any) -> Tensor:
        """The value that an unconstrained draw gives a site with the prior ``fn``."""
        value: Tensor = biject_to(fn.support)(self.unconstrained[name])
        return value

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
        elif name in self.unconstrained:
            msg["value"] = self.image(name, fn)
        else:
            msg["value"] = _fixed_point(fn)

    def _pyro_post_sample(self, msg: Site) -> None:
        self.sites[msg["name"]] = msg.copy()
        if msg["name"] in self._to_come:
            self._to_come.remove(msg["name"])
            if not self._to_come:
                raise _AllMetError


class _AllMetError(Exception):
    """Ends a run of the model in which all sites that were asked for have been met."""


class _SourceFinder(Messenger):
    """Marks each latent value and parameter with its name and reads the marks off supports."""

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.values = values
        self.sources: dict[str, frozenset[str]] = {}

    def _pyro_sample(self, msg: Site) -> None:
        if site_is_subsample(msg):
            return
        name = msg["name"]
        if name in self.values and msg["value"] is None:
            bounds = tensors_of(msg["fn"].support)
            self.sources[name] = frozenset().union(*map(get_provenance, bounds))
            msg["value"] = self.values[name].detach()

    def _pyro_post_sample(self, msg: Site) -> None:
        if not msg["is_observed"] and not site_is_subsample(msg):
            value = detach_provenance(msg["value"])
            msg["value"] = track_provenance(value, frozenset({msg["name"]}))

    def _pyro_post_param(self, msg: Site) -> None:
        msg["value"] = track_provenance(msg["value"], frozenset({PARAMETERS}))


def _fixed_point(fn: Any) -> Tensor | None:
    """The point of a prior's support that belongs to zero; None where there is no such point."""
    try:
        transform = biject_to(fn.support)
    except NotImplementedError:
        return None
    value: Tensor = transform(zero_of(fn).expand(transform.inverse_shape(fn.shape())))
    return value
