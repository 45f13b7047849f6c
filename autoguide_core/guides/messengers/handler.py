"""The handler inside a messenger: it replaces the latent sites of a run by their posteriors."""

from __future__ import annotations

import abc
from typing import Any

import pyro.distributions as dist
from pyro.poutine import Trace
from pyro.poutine.guide import GuideMessenger
from pyro.poutine.trace_messenger import TraceMessenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from autoguide_core.guides.messengers.runs import Choose
from autoguide_core.guides.supports import site_mask
from autoguide_core.initialization import Site

# Marks, among a message's "infer" options, what is drawn by a messenger.
_OF_GUIDE = "_is_of_guide"


def is_of_guide(msg: Site) -> bool:
    """Whether a message or trace node has been drawn by a messenger."""
    return bool(msg["type"] == "sample" and _OF_GUIDE in msg["infer"])


class SiteHandler(GuideMessenger):
    """Puts the distributions of `get_posterior` in the place of the priors of latent sites.

    Being a `GuideMessenger`, it makes Pyro's ELBOs take model and guide from one run.
    """

    def __init__(self) -> None:
        TraceMessenger.__init__(self)
        self._choose: Choose | None = None
        # The sites to replace; None for all.
        self._own_sites: frozenset[str] | None = None
        self._is_in_posterior = False

    @abc.abstractmethod
    def get_posterior(self, name: str, prior: Any) -> Any:
        """The guide's distribution at a site, or its value there.

        Args:
            name: The site.
            prior: Its distribution in the model, given the guide's draws upstream.

        Returns:
            A distribution of the prior's event shape, whose batch shape can be expanded to the
            prior's, or a tensor, which counts as a point.
        """
        raise NotImplementedError

    def _pyro_sample(self, msg: Site) -> None:
        name = msg["name"]
        if msg["is_observed"] or site_is_subsample(msg):
            return
        if self._is_in_posterior:
            # Drawn by get_posterior itself: a part of the guide, not a site of the model.
            msg["infer"] = {**msg["infer"], _OF_GUIDE: True}
            return
        if self._own_sites is not None and name not in self._own_sites:
            return
        prior = msg["fn"]
        posterior = self._posterior(name, prior)
        if self._choose is not None and msg["value"] is None:
            msg["value"] = self._choose(name, prior, posterior)
        if posterior.batch_shape != prior.batch_shape:
            posterior = posterior.expand(prior.batch_shape)
        mask = site_mask({"fn": prior, "mask": None}).batch
        if mask is not None:
            # What does not count in the model must not count in the guide either.
            posterior = posterior.mask(mask)
        msg["infer"] = {**msg["infer"], "prior": prior, _OF_GUIDE: True}
        msg["fn"] = posterior

    def _posterior(self, name: str, prior: Any) -> Any:
        self._is_in_posterior = True
        try:
            posterior = self.get_posterior(name, prior)
        except ValueError:
            self._tell_spoilt(name, prior)
            raise
        finally:
            self._is_in_posterior = False
        if isinstance(posterior, Tensor):
            return dist.Delta(posterior, event_dim=prior.event_dim)
        return posterior

    def _tell_spoilt(self, name: str, prior: Any) -> None:
        """Raise, naming the site, if a parameter of the site is not a number."""

    def get_traces(self) -> tuple[Trace, Trace]:
        """The latest run as two traces: ``(model_trace, guide_trace)``.

        Auxiliary sites, which `get_posterior` has drawn itself, are in the second one only.
        """
        model_trace = Trace(graph_type=self.graph_type)
        guide_trace = Trace(graph_type=self.graph_type)
        for name, site in self.trace.nodes.items():
            if is_of_guide(site):
                guide_trace.add_node(name, **site)
                if "prior" in site["infer"]:
                    model_trace.add_node(name, **{**site, "fn": site["infer"]["prior"]})
            elif site["type"] != "sample" or not site_is_subsample(site):
                model_trace.add_node(name, **site)
        return model_trace, guide_trace

    def _values(self) -> dict[str, Tensor]:
        """The values of all sample sites of the model in the latest run, observed ones too."""
        return {
            name: site["value"]
            for name, site in self.trace.nodes.items()
            if site["type"] == "sample"
            and not site_is_subsample(site)
            and ("prior" in site["infer"] or not is_of_guide(site))
        }

    def _latent_values(self) -> dict[str, Tensor]:
        """The values of the model's latent sites that the guide has drawn in the latest run."""
        return {site["name"]: site["value"] for site in self._latent_nodes()}

    def _guide_nodes(self) -> list[Site]:
        """The nodes of the latest run that the guide has drawn, its auxiliary sites included."""
        return [site for site in self.trace.nodes.values() if is_of_guide(site)]

    def _latent_nodes(self) -> list[Site]:
        """The nodes of the model's latent sites that the guide has drawn in the latest run."""
        return [site for site in self._guide_nodes() if "prior" in site["infer"]]
