"""What one run of guide and model shows: plates, latents, and how its ELBO must be made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.poutine import Trace
from pyro.poutine.util import prune_subsample_sites, site_is_subsample
from torch import nn

from autoguide_core.engine.errors import FitError, StartError

Model = Callable[..., Any]


@dataclass(frozen=True)
class Structure:
    """The static facts about a model and guide pair.

    Attributes:
        max_plate_nesting: The deepest vectorised plate, as a positive number of dimensions.
        latents: Model sites that the guide (or enumeration) must give, in model order.
        enumerated: Sites marked ``infer={"enumerate": …}``, in the model or the guide.
        score_function: Guide sites whose draws carry no gradient.
        subsampled: Names of the plates that draw minibatches.
        own_parameters: What the model asks for by ``pyro.param``, beside its modules.
    """

    max_plate_nesting: int
    latents: tuple[str, ...]
    enumerated: tuple[str, ...]
    score_function: tuple[str, ...]
    subsampled: tuple[str, ...]
    own_parameters: tuple[str, ...] = ()


def is_latent(site: Mapping[str, Any]) -> bool:
    """Whether a trace's site is a random variable that is not observed (nor a minibatch)."""
    return site["type"] == "sample" and not site["is_observed"] and not site_is_subsample(site)


def is_drawn(name: str, site: Mapping[str, Any]) -> bool:
    """Whether a guide draws a site: a guide that runs the model meets its observations, too."""
    return not site["is_observed"]


def is_enumerated(site: Mapping[str, Any]) -> bool:
    """Whether a latent site is marked for exact enumeration."""
    return is_latent(site) and site["infer"].get("enumerate") is not None


def inspect(
    model: Model, guide: Model, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Structure:
    """Run guide and model once, unvectorised, and look.

    The first run also sets up an automatic guide, so it must come before any particle plate.

    Args:
        model: The model.
        guide: The guide.
        args: Positional arguments of both.
        kwargs: Keyword arguments of both.

    Returns:
        The structure of the pair.

    Raises:
        FitError: If the guide refuses the model, leaves a latent uncovered, or samples what the
            model does not have.
    """
    with poutine.block():  # a model may take gradients of its own
        try:
            guide_trace = poutine.trace(guide).get_trace(*args, **kwargs)
        except (ValueError, NotImplementedError) as error:
            reason = reason_of(error)
            raise StartError(f"the guide cannot be run on this model: {reason}") from error
        model_trace = poutine.trace(poutine.replay(model, trace=guide_trace)).get_trace(
            *args, **kwargs
        )
    nodes = [n for t in (model_trace, guide_trace) for n in t.nodes.values()]
    depths = [
        -frame.dim
        for node in nodes
        if node["type"] == "sample"
        for frame in node["cond_indep_stack"]
        if frame.vectorized
    ]
    subsampled = {
        node["name"]
        for node in nodes
        if site_is_subsample(node) and (node["fn"].subsample_size or 0) not in (0, node["fn"].size)
    }
    model_sites = prune_subsample_sites(model_trace).nodes
    latents = tuple(n for n, s in model_sites.items() if is_latent(s) and not is_enumerated(s))
    guide_sites = {n: s for n, s in guide_trace.nodes.items() if is_latent(s)}
    check_coverage(latents, model_sites, guide_sites)
    return Structure(
        max_plate_nesting=max(depths, default=0),
        latents=latents,
        enumerated=tuple(dict.fromkeys(n["name"] for n in nodes if is_enumerated(n))),
        score_function=tuple(
            n
            for n, s in guide_sites.items()
            if not getattr(s["fn"], "has_rsample", False) and not is_enumerated(s)
        ),
        subsampled=tuple(sorted(subsampled)),
        own_parameters=tuple(_own_parameters(model_trace)),
    )


def _own_parameters(model_trace: Trace) -> Iterator[str]:
    stored = dict(pyro.get_param_store().named_parameters())
    for name, site in model_trace.nodes.items():
        if site["type"] == "param" and not isinstance(stored.get(name), nn.Parameter):
            yield name


def reason_of(error: Exception) -> str:
    """An exception's message in one line, without the trace that Pyro appends."""
    return " ".join(str(error).split("Trace Shapes:")[0].split())


def check_coverage(
    latents: tuple[str, ...], model_sites: Mapping[str, Any], guide_sites: Mapping[str, Any]
) -> None:
    """Raise FitError where the latents of a run of the model are not those that the guide draws."""
    for name in latents:
        if name not in guide_sites:
            raise FitError(f"the guide has no site for the latent variable {name!r}", site=name)
    for name, site in guide_sites.items():
        if site["infer"].get("is_auxiliary"):
            continue
        if name not in model_sites or not is_latent(model_sites[name]):
            raise FitError(
                f"the guide samples {name!r}, which is no latent variable of the model; "
                'mark it infer={"is_auxiliary": True} if that is meant',
                site=name,
            )


def parameters() -> dict[str, torch.Tensor]:
    """The unconstrained leaf parameters in the present store by name, shared ones once.

    What is frozen (its ``requires_grad`` is False) is not among them.
    """
    found: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, parameter in pyro.get_param_store().named_parameters():
        if parameter.requires_grad and id(parameter) not in seen:
            seen.add(id(parameter))
            found[name] = parameter
    return found
