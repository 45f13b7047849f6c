"""Which latents meet in which factor of a model: the pattern behind a sparse precision.

The log joint of a model is a sum of terms, one for each sample site, and each term looks at a few
latents only. A Gaussian whose log density is a sum of quadratic terms over the same latents can
hold every posterior dependence that the model can make, and nothing more (Webb et al. 2018,
https://arxiv.org/abs/1712.00287, for the general case).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from pyro import poutine
from pyro.infer.inspect import get_dependencies, is_sample_site
from pyro.poutine.messenger import Messenger

from autoguide_core.guides.base import Model, is_not_latent
from autoguide_core.initialization import Site


@dataclass(frozen=True)
class Variable:
    """A latent site in unconstrained space.

    Attributes:
        plates: The names of its plates.
        numel: The number of unconstrained entries in one element of its plates.
    """

    plates: frozenset[str]
    numel: int


@dataclass(frozen=True)
class Factor:
    """A term of the log joint.

    Attributes:
        plates: The plates over which the term is replicated.
        variables: The latents that it looks at; for a latent's own term, that latent first.
        numel: How many observed numbers one replicate has; None for a latent's own term.
    """

    plates: frozenset[str]
    variables: tuple[str, ...]
    numel: int | None


@dataclass(frozen=True)
class Pattern:
    """All factors of a model.

    Attributes:
        frames: The plate frames of the model by name.
        factors: The factors by the name of their site, in the model's order.
        dependencies: For each site with a factor the latents that it looks at, itself included, in
            the form of Pyro's `get_dependencies`.
    """

    frames: dict[str, Any]
    factors: dict[str, Factor]
    dependencies: dict[str, dict[str, set[str]]]


def find_pattern(
    model: Model, args: tuple[Any, ...], kwargs: dict[str, Any], latents: Iterable[str]
) -> Pattern:
    """Run a model and see which of the given latents each of its terms looks at.

    Latents that are not given (those of other parts of a list, or enumerated ones) are looked
    through: what depends on them depends on what they depend on. Observations outside the model
    that a part was restricted to count all the same, so ``model`` should be the whole one.

    Args:
        model: A Pyro model.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        latents: The names of the latents of interest.

    Raises:
        ValueError: The dependencies cannot be traced, or a site has batch dims outside of plates.
    """
    latents = frozenset(latents)

    def hide(msg: Site) -> bool:
        return not is_not_latent(msg) and msg["name"] not in latents

    recorder = _Recorder()
    visible = recorder(poutine.block(model, hide_fn=hide))
    try:
        found = poutine.block(get_dependencies)(visible, args, kwargs)["prior_dependencies"]
    except Exception as error:
        raise ValueError(
            "AutoGaussian could not trace which sites of the model depend on which "
            f"({type(error).__name__}: {error}). Use AutoMultivariateNormal, which does not need "
            "to know, or keep latent values in tensors throughout the model."
        ) from error
    for name in found:
        _check_batch_shape(name, recorder.sites[name])
    # An observation that looks at no latent says nothing about the posterior.
    dependencies = {name: deps for name, deps in found.items() if not latents.isdisjoint(deps)}
    plates = {name: frozenset(_frames(recorder.sites[name])) for name in dependencies}
    frames = {key: f for name in plates for key, f in _frames(recorder.sites[name]).items()}
    factors = {}
    for name, deps in dependencies.items():
        variables = tuple(dep for dep in deps if dep in latents)
        if name in latents:
            factors[name] = Factor(plates[name], variables, None)
            continue
        # Replicates over a plate that no latent is in look at the same latents: one factor.
        kept = plates[name] & frozenset().union(*(plates[v] for v in variables))
        numel = math.prod(recorder.sites[name]["fn"].event_shape)
        for plate in plates[name] - kept:
            numel *= frames[plate].size
        factors[name] = Factor(kept, variables, numel)
    return Pattern(frames, factors, dependencies)


def batch_shape_of(plates: Iterable[str], frames: Mapping[str, Any]) -> torch.Size:
    """The shape of a tensor with one entry for each element of some plates.

    Args:
        plates: Plate names.
        frames: Plate frames by name.
    """
    plates = list(plates)
    shape = [1] * max((-frames[name].dim for name in plates), default=0)
    for name in plates:
        shape[frames[name].dim] = frames[name].size
    return torch.Size(shape)


def _frames(site: Site) -> dict[str, Any]:
    return {f.name: _sized(f, site) for f in site["cond_indep_stack"] if f.vectorized}


def _sized(frame: Any, site: Site) -> Any:
    """The frame of a plate, which has the size of what is in it where none was given."""
    if frame.size >= 0:
        return frame
    batch_shape = site["fn"].batch_shape
    return frame._replace(size=batch_shape[frame.dim] if len(batch_shape) >= -frame.dim else 1)


def _check_batch_shape(name: str, site: Site) -> None:
    frames = _frames(site)
    expected, actual = batch_shape_of(frames, frames), site["fn"].batch_shape
    if actual != expected:
        raise ValueError(
            f"Site '{name}' has batch shape {tuple(actual)}, but its plates have shape "
            f"{tuple(expected)}: AutoGaussian cannot tell which of its elements are independent. "
            "Put it in a pyro.plate() or declare the dims an event by .to_event()."
        )


class _Recorder(Messenger):
    """Keeps the random sites of a run, without their values."""

    def __init__(self) -> None:
        super().__init__()
        self.sites: dict[str, Site] = {}

    def _pyro_post_sample(self, msg: Site) -> None:
        if is_sample_site(msg):
            self.sites[msg["name"]] = {key: msg[key] for key in ("fn", "cond_indep_stack")}
