"""`AutoHierarchicalNormalMessenger`: Normals whose locations follow the prior means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from pyro.distributions import constraints
from pyro.nn.module import PyroParam
from torch import Tensor

from autoguide_core.guides.messengers.names import as_names, check_names
from autoguide_core.guides.messengers.normal import AutoNormalMessenger
from autoguide_core.guides.scales import DEFAULT_SCALE, InitScale
from autoguide_core.guides.supports import bijection
from autoguide_core.initialization import InitStrategy, init_to_feasible, init_to_mean

_WEIGHT_TYPES = ("element-wise", "scalar")


class AutoHierarchicalNormalMessenger(AutoNormalMessenger):
    """A Normal guide in which a site follows the sites that its prior depends on.

    The location of a hierarchical site is, in unconstrained space,

        ``loc + weight * inverse(prior.mean)``

    where ``prior.mean`` is the mean of the prior given the guide's own draws upstream, and
    ``inverse`` the map from the support. So the draws of a group's members move with the draw of
    its mean. With the weight fixed at 0 this is `AutoNormalMessenger`.

    Site ``theta`` has ``guide.locs.theta``, ``guide.scales.theta`` and, if hierarchical,
    ``guide.weights.theta``, which is positive.

    Args:
        model: A Pyro model.
        init_loc_fn: The initialisation strategy of the (total) locations.
        init_scale: The initial scale in unconstrained space; or scales by site name, 0.1 for the
            rest.
        amortized_plates: Names of plates along which the parameters are shared.
        init_weight: The initial weight, a number above 0.
        hierarchical_sites: The names of the hierarchical sites; all sites if None.

    Attributes:
        weight_type: ``"element-wise"`` for a weight of each entry, ``"scalar"`` for one of each
            site; to be set in a derived class.
    """

    weight_type = "element-wise"

    _groups = ("locs", "scales", "weights")

    def __init__(
        self,
        model: Any,
        *,
        init_loc_fn: InitStrategy = init_to_mean(fallback=init_to_feasible),  # noqa: B008
        init_scale: InitScale = DEFAULT_SCALE,
        amortized_plates: Iterable[str] = (),
        init_weight: float = 1.0,
        hierarchical_sites: Iterable[str] | None = None,
    ) -> None:
        if not 0 < init_weight < float("inf"):
            raise ValueError(f"Expected a number init_weight > 0, but got {init_weight!r}.")
        if self.weight_type not in _WEIGHT_TYPES:
            raise ValueError(
                f"weight_type must be one of {', '.join(map(repr, _WEIGHT_TYPES))}, "
                f"but is {self.weight_type!r}."
            )
        super().__init__(
            model,
            init_loc_fn=init_loc_fn,
            init_scale=init_scale,
            amortized_plates=amortized_plates,
        )
        self._init_weight = init_weight
        self._hierarchical_sites = (
            None if hierarchical_sites is None else as_names(hierarchical_sites)
        )

    def get_posterior(self, name: str, prior: Any) -> Any:
        """A Normal around the weighted prior mean, mapped onto the support of this call."""
        if not self._is_hierarchical(name):
            return super().get_posterior(name, prior)
        loc, scale, weight = self._get_params(name, prior)
        mean = self._prior_mean(name, prior, bijection({"name": name, "fn": prior}))
        return self._normal(name, prior, loc + mean * weight, scale)

    def _is_hierarchical(self, name: str) -> bool:
        return self._hierarchical_sites is None or name in self._hierarchical_sites

    def _site_groups(self, name: str) -> tuple[str, ...]:
        return self._groups if self._is_hierarchical(name) else self._groups[:2]

    def _init_params(self, name: str, prior: Any, transform: Any) -> list[PyroParam]:
        params = super()._init_params(name, prior, transform)
        if not self._is_hierarchical(name):
            return params
        loc, event_dim = params[0].init_value, transform.domain.event_dim
        mean = self._prior_mean(name, prior, transform)
        if not torch.isfinite(mean).all():
            raise ValueError(self._no_mean(name, prior))
        if self.weight_type == "scalar":
            weight = PyroParam(loc.new_full((), self._init_weight), constraints.positive)
        else:
            weights = torch.full_like(loc, self._init_weight)
            weight = PyroParam(weights, constraints.positive, event_dim)
        # What the prior mean brings is taken off, so that the total is as init_loc_fn says.
        loc = loc - self._init_weight * self._adjust_plates(mean, event_dim)
        return [PyroParam(loc, event_dim=event_dim), params[1], weight]

    def _prior_mean(self, name: str, prior: Any, transform: Any) -> Tensor:
        try:
            mean: Tensor = transform.inv(prior.mean)
        except NotImplementedError as error:
            raise ValueError(self._no_mean(name, prior)) from error
        return mean

    def _no_mean(self, name: str, prior: Any) -> str:
        return (
            f"{type(self).__name__} cannot treat site '{name}' as hierarchical: its prior "
            f"({type(prior).__name__}) has no finite mean inside its support. Give the names of "
            f"the sites that follow others as hierarchical_sites, without '{name}'."
        )

    def _check_first_run(self) -> None:
        super()._check_first_run()
        names = {site["name"] for site in self._latent_nodes()}
        wanted = self._hierarchical_sites or ()
        check_names(self, "hierarchical_sites", wanted, names, kind="latent site")
