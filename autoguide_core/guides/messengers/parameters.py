"""The parameters of a messenger: made when a site is met for the first time, by name and group.

Site ``x`` has the parameters ``guide.locs.x``, ``guide.scales.x`` and so on. They cannot be made
beforehand, since a later call may bring new sites.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import pyro
import torch
from pyro.distributions import constraints
from pyro.nn.module import PyroModule, PyroParam
from pyro.ops.tensor_utils import periodic_repeat
from pyro.poutine.runtime import get_plates
from torch import Tensor, nn

from autoguide_core.guides.divergence import tell_spoilt
from autoguide_core.guides.messengers.base import AutoMessenger
from autoguide_core.guides.messengers.names import check_names
from autoguide_core.guides.naming import get_deep, set_deep
from autoguide_core.guides.scales import DEFAULT_SCALE, InitScale, checked_init_scale
from autoguide_core.guides.supports import bijection, full_size
from autoguide_core.initialization import (
    InitMessenger,
    InitStrategy,
    init_to_feasible,
    init_to_mean,
)

_UNCONSTRAINED = "_unconstrained"
_ESCAPE = "_site"
_RESERVED = frozenset(dir(PyroModule()))


class SiteParameters(AutoMessenger):
    """Base of the messengers with parameters of their own for each site.

    Args:
        model: A Pyro model.
        init_loc_fn: The initialisation strategy of the locations.
        init_scale: The initial scale in unconstrained space; or scales by site name, 0.1 for the
            rest.
        amortized_plates: As for `AutoMessenger`.
    """

    # The modules that hold the parameters of the sites.
    _groups: tuple[str, ...] = ("locs", "scales")

    def __init__(
        self,
        model: Any,
        *,
        init_loc_fn: InitStrategy = init_to_mean(fallback=init_to_feasible),  # noqa: B008
        init_scale: InitScale = DEFAULT_SCALE,
        amortized_plates: Iterable[str] = (),
    ) -> None:
        self._init_scale = checked_init_scale(init_scale)
        super().__init__(model, amortized_plates=amortized_plates)
        self.init_loc_fn = init_loc_fn
        self._paths: dict[str, str] = {}
        self._loaded: dict[str, Tensor] = {}
        self._has_warned = False

    def _get_params(self, name: str, prior: Any) -> tuple[Tensor, ...]:
        """The parameters of a site, those of the current minibatch, made if need be.

        Args:
            name: The site.
            prior: Its distribution in the model.

        Returns:
            One tensor from each group that the site is in, in the order of the groups.
        """
        if name not in self._paths:
            self._make_params(name, prior)
        path = self._paths[name]
        return tuple(get_deep(self, f"{group}.{path}") for group in self._site_groups(name))

    def _tell_spoilt(self, name: str, prior: Any) -> None:
        if name in self._paths:
            parameters = self._get_params(name, prior)
            for group, parameter in zip(self._site_groups(name), parameters, strict=True):
                tell_spoilt({group: parameter}, {name: 1})

    def _site_groups(self, name: str) -> tuple[str, ...]:
        """The groups in which a site has a parameter."""
        return self._groups

    def _make_params(self, name: str, prior: Any) -> None:
        with torch.no_grad():
            transform = bijection({"name": name, "fn": prior})
            params = self._init_params(name, prior, transform)
        path = _free_path(self._modules.get(self._groups[0]), name)
        self._warn_of_inherited_values(f"{group}.{path}" for group in self._site_groups(name))
        for group, param in zip(self._site_groups(name), params, strict=True):
            set_deep(self, f"{group}.{path}", param)
            self._take_loaded(f"{group}.{path}{_UNCONSTRAINED}", name)
        self._paths[name] = path

    def _warn_of_inherited_values(self, paths: Iterable[str]) -> None:
        """Warn, once, of parameters to be made that are in Pyro's store already."""
        prefix = self._pyro_name + "." if self._pyro_name else ""
        stored = [
            prefix + path
            for path in paths
            if prefix + path in pyro.get_param_store() and path + _UNCONSTRAINED not in self._loaded
        ]
        if stored and not self._has_warned and not pyro.settings.get("module_local_params"):
            self._has_warned = True
            warnings.warn(
                f"This {type(self).__name__} goes on with values that it did not make: "
                f"'{stored[0]}' was in Pyro's parameter store already, from another guide or from "
                "a file. Call pyro.clear_param_store() before making a guide that is to start "
                "afresh.",
                stacklevel=2,
            )

    def _init_params(self, name: str, prior: Any, transform: Any) -> list[PyroParam]:
        """A site's parameters as they start: a location and a positive scale.

        Args:
            name: The site.
            prior: Its distribution in the model.
            transform: The bijection onto its support.

        Returns:
            One parameter for each group that the site is in.
        """
        loc = self._init_loc(name, prior, transform)
        scale = torch.full_like(loc, self._scale_of(name))
        event_dim = transform.domain.event_dim
        return [
            PyroParam(loc, event_dim=event_dim),
            PyroParam(scale, constraints.positive, event_dim),
        ]

    def _scale_of(self, name: str) -> float:
        """The initial scale of a site."""
        if isinstance(self._init_scale, Mapping):
            return self._init_scale.get(name, DEFAULT_SCALE)
        return self._init_scale

    def _init_loc(self, name: str, prior: Any, transform: Any) -> Tensor:
        """The site's first value, unconstrained and at full size."""
        if self.init_loc_fn is None:
            raise RuntimeError(
                f"Site '{name}' is new to this {type(self).__name__}, which was saved without its "
                "init_loc_fn, since that cannot be pickled: set guide.init_loc_fn."
            )
        msg = {"name": name, "fn": prior, "value": None}
        InitMessenger(self.init_loc_fn)._pyro_sample(msg)
        value: Tensor = msg["value"].detach()
        return self._adjust_plates(transform.inv(value), transform.domain.event_dim)

    def _adjust_plates(self, value: Tensor, event_dim: int) -> Tensor:
        """Bring a value of a site to the shape of its parameters.

        Args:
            value: With the batch dims of the current plates and ``event_dim`` dims to their right.
            event_dim: The number of event dims of ``value``.

        Returns:
            The value, detached, with subsampled plates at full size, the mean over plates that
            parameters do not extend over, and no leading dims of size 1.
        """
        value = value.detach()
        shared = {*self._outer_plates, *self.amortized_plates}
        for frame in filter(lambda frame: frame.vectorized, get_plates()):
            dim = frame.dim - event_dim
            if frame.name in shared:
                if value.dim() >= -dim:
                    value = value.mean(dim, keepdim=True)
            elif frame.size != full_size(frame):
                value = periodic_repeat(value, full_size(frame), dim).contiguous()
        while value.dim() > event_dim and value.shape[0] == 1:
            value = value.squeeze(0)
        # Of its own memory: an optimizer cannot write to a value that is expanded along a plate.
        return value.contiguous()

    def _check_first_run(self) -> None:
        super()._check_first_run()
        if isinstance(self._init_scale, Mapping):
            names = {site["name"] for site in self._latent_nodes()}
            check_names(self, "init_scale", self._init_scale, names, kind="latent site")
        if self.init_loc_fn is None:
            return
        init = InitMessenger(self.init_loc_fn)
        nodes = self.trace.nodes.items()
        init.names_met = {name for name, site in nodes if site["type"] == "sample"}
        try:
            init.check_names()
        except ValueError as error:
            # Not refused, since a later call of a dynamic model may bring the site.
            warnings.warn(str(error), stacklevel=2)

    # --- State dicts --------------------------------------------------------------------------

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Keep values of parameters that are not made yet until their site is met."""
        for key in [key for key in state_dict if key.startswith(prefix)]:
            path = key[len(prefix) :]
            if path.split(".")[0] in self._groups and not _has_parameter(self, path):
                self._loaded[path] = state_dict.pop(key)
        # Not by way of AutoGuide, which keeps such values in a way of its own.
        nn.Module._load_from_state_dict(self, state_dict, prefix, *args, **kwargs)

    def _take_loaded(self, path: str, name: str) -> None:
        value = self._loaded.pop(path, None)
        if value is None:
            return
        *modules, leaf = path.split(".")
        # Not by attribute: inside a call that would read the parameter, and so register it.
        parameter = _module_at(self, modules)._parameters[leaf]
        if parameter.shape != value.shape:
            raise ValueError(
                f"The state dict has shape {tuple(value.shape)} for the parameter '{path}' of "
                f"{type(self).__name__}, but site '{name}' needs {tuple(parameter.shape)}: load a "
                "state dict of a guide for the same model and data."
            )
        with torch.no_grad():
            parameter.copy_(value)


def _module_at(owner: PyroModule, path: list[str]) -> PyroModule:
    for part in path:
        owner = owner._modules[part]
    return owner


def _has_parameter(guide: PyroModule, path: str) -> bool:
    *modules, leaf = path.split(".")
    for part in modules:
        if part not in guide._modules:
            return False
        guide = guide._modules[part]
    return leaf in guide._parameters


def _free_path(owner: PyroModule | None, name: str) -> str:
    """The attribute path for a new site: its name, escaped where that hides something.

    `naming.parameter_paths` does this for names that are all known at once.

    Args:
        owner: The module that holds the parameters of the sites met so far.
        name: The site.
    """
    parts = name.split(".")
    for depth, part in enumerate(parts):
        modules = {} if owner is None else owner._modules
        leaves = () if owner is None else owner._pyro_params
        blocked = modules if depth == len(parts) - 1 else leaves
        while part in _RESERVED or part in blocked:
            part += _ESCAPE
        parts[depth] = part
        owner = modules.get(part)
    return ".".join(parts)
