"""Entries that a mask takes the prior from, and that have a say in the model all the same.

A mask mostly marks what is not there: padding, say, whose children are masked too. A guide leaves
such entries out. Where a mask takes away a prior alone, as for estimates by maximum likelihood,
what the entries' children say of them is left, and the guide must count its own entropy there, as
under a flat prior.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from pyro import poutine
from pyro.poutine import Trace
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from pyro.util import get_rng_state, set_rng_state
from torch import Tensor
from torch.distributions import biject_to

from autoguide_core.guides.supports import SiteMask, is_subsampled, site_mask
from autoguide_core.initialization import Site, zero_of

_POINTS = 2
"""How often the model is looked at: an entry may lack a slope at one point by chance."""

Say: TypeAlias = Tensor | bool


def find_say(
    model: Any,
    sites: Mapping[str, Site],
    masks: Mapping[str, SiteMask],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> dict[str, Say]:
    """Which masked entries change what is left of the log density.

    Args:
        model: The model.
        sites: Trace nodes by name.
        masks: Their masks.
        args: Positional arguments of the model.
        kwargs: Keyword arguments of the model.

    Returns:
        For each site that has such entries: True where all of its masked entries are, or a boolean
        tensor of the shape of the mask's entries.

    Raises:
        ValueError: Some masked entries of a site in a minibatch are such, and others are not.
    """
    wanted = {name for name, mask in masks.items() if bool(_masked_out(sites[name], mask).any())}
    if not wanted:
        return {}
    out: dict[str, Tensor] = {}
    moved: dict[str, Tensor] = {}
    rng_state = get_rng_state()
    try:
        for _ in range(_POINTS):  # each may have a minibatch of its own
            for name, (site, one_moved) in _moving(model, wanted, args, kwargs).items():
                one_out = _masked_out(site, site_mask(site))
                out[name] = _either(out.get(name), one_out)
                moved[name] = _either(moved.get(name), one_moved & one_out)
    except Exception:  # the model ran before: it cannot be moved, at a random point at least
        return {}
    finally:
        set_rng_state(rng_state)
    result: dict[str, Say] = {}
    for name in moved:
        if not bool(moved[name].any()):
            continue
        result[name] = True if bool((moved[name] | ~out[name]).all()) else moved[name]
        for frame in sites[name]["cond_indep_stack"]:
            if result[name] is not True and is_subsampled(frame):
                raise ValueError(
                    f"Site '{name}' is masked in part, and of its masked entries some have "
                    "children that are not masked and others have not: a guide cannot follow that "
                    f"through minibatches of plate '{frame.name}'. Mask the children of all "
                    "masked entries, or of none."
                )
    return result


def counted(mask: SiteMask, say: Say | None) -> SiteMask:
    """The mask of what a guide leaves out: entries that have a say count."""
    if say is None:
        return mask
    if say is True:
        return SiteMask()
    if mask.elements is not None:
        return replace(mask, elements=mask.elements | say)
    return replace(mask, batch=None if mask.batch is None else mask.batch | say)


def _masked_out(site: Site, mask: SiteMask) -> Tensor:
    """The entries that a mask leaves out, in the shape of a batch, or of a batch of entries."""
    fn = site["fn"]
    keep = torch.as_tensor(True if mask.batch is None else mask.batch)
    shape = fn.batch_shape
    if mask.elements is not None:
        keep = keep.reshape(keep.shape + (1,) * mask.reinterpreted) & mask.elements
        shape = shape + fn.event_shape[: mask.reinterpreted]
    return ~keep.expand(torch.broadcast_shapes(keep.shape, shape))


def _moved(site: Site, slope: Tensor) -> Tensor:
    """Where a slope is not zero, in the same shape."""
    mask = site_mask(site)
    moved = torch.isfinite(slope) & (slope != 0)
    for _ in range(site["fn"].event_dim - (mask.reinterpreted if mask.elements is not None else 0)):
        moved = moved.any(-1)
    return moved


def _either(left: Tensor | None, right: Tensor) -> Tensor:
    return right if left is None else left | right


def _moving(
    model: Any, wanted: Collection[str], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, tuple[Site, Tensor]]:
    """Each wanted site in a run at a random point, and which entries move the log density there.

    By its gradient; or, for a discrete site, by another value of all entries.
    """
    point = _Point(wanted)
    with torch.enable_grad(), poutine.block(), poutine.trace() as tracer, point:
        model(*args, **kwargs)
    trace, leaves = tracer.trace, list(point.leaves.values())
    total = torch.as_tensor(trace.log_prob_sum())
    slopes = (
        torch.autograd.grad(total, leaves, allow_unused=True)
        if total.requires_grad
        else [None for _ in leaves]
    )
    found = {}
    for (name, leaf), slope in zip(point.leaves.items(), slopes, strict=True):
        site = trace.nodes[name]
        found[name] = site, _moved(site, torch.zeros_like(leaf) if slope is None else slope)
    for name in wanted:
        site = trace.nodes.get(name)
        if site is not None and site["fn"].has_enumerate_support:
            found[name] = site, _moved_by_value(model, trace, site, args, kwargs)
    return found


def _moved_by_value(
    model: Any, trace: Trace, site: Site, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Tensor:
    """Which entries of a discrete site change a log density with their values, (*batch_shape)."""
    other = trace.copy()
    other.nodes[site["name"]] = {**site, "value": _another_value(site)}
    replayed = poutine.replay(model, trace=other)
    with torch.no_grad(), poutine.block():
        changed = poutine.trace(replayed).get_trace(*args, **kwargs)
        trace.compute_log_prob()
        changed.compute_log_prob()
    moved = torch.zeros(site["fn"].batch_shape, dtype=torch.bool, device=site["value"].device)
    before, after = _scored(trace), _scored(changed)
    if before.keys() != after.keys():
        return ~moved
    for name, node in after.items():
        differs = node["log_prob"] != before[name]["log_prob"]
        moved = moved | _of_plates(differs, node, site)
    return moved


def _scored(trace: Trace) -> dict[str, Site]:
    return {name: node for name, node in trace.nodes.items() if node["type"] == "sample"}


def _another_value(site: Site) -> Tensor:
    """A possible value that differs from a site's own in each entry."""
    values = site["fn"].enumerate_support()  # (K, *batch_shape, *event_shape)
    first = int(torch.randint(len(values), ()))
    one, other = values[first], values[(first + 1) % len(values)]
    is_own = (one == site["value"]).reshape(*site["fn"].batch_shape, -1).all(-1)
    entries = is_own.reshape(is_own.shape + (1,) * site["fn"].event_dim)
    return torch.where(entries, other, one)


def _of_plates(flags: Tensor, node: Site, site: Site) -> Tensor:
    """Flags of a node's batch, brought to that of a site: any along the plates that it lacks."""
    plates = {frame.dim: frame.name for frame in site["cond_indep_stack"] if frame.vectorized}
    own = {frame.dim: frame.name for frame in node["cond_indep_stack"] if frame.vectorized}
    dims = len(site["fn"].batch_shape)
    for dim in range(-flags.dim(), 0):
        if dim not in plates or own.get(dim) != plates[dim]:
            flags = flags.any(dim, keepdim=True)
    return flags.reshape(flags.shape[max(0, flags.dim() - dims) :])


class _Point(Messenger):
    """Puts random values at continuous latent sites; those that are wanted become leaves."""

    def __init__(self, wanted: Collection[str]) -> None:
        super().__init__()
        self._wanted = wanted
        self.leaves: dict[str, Tensor] = {}

    def _pyro_sample(self, msg: Site) -> None:
        name, fn = msg["name"], msg["fn"]
        if msg["is_observed"] or msg["value"] is not None or site_is_subsample(msg):
            return
        if fn.support.is_discrete:
            return
        with torch.no_grad():
            transform = biject_to(fn.support)
            start = zero_of(fn).expand(transform.inverse_shape(fn.shape()))
            value = transform(start + 0.3 * torch.randn_like(start))
        if name in self._wanted:
            value = self.leaves[name] = value.detach().requires_grad_()
        msg["value"] = value
