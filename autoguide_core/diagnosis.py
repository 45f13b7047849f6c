"""Where an ELBO comes from: its terms site by site, and the first that is not a finite number."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from autoguide_core.validation import Validation


@dataclass(frozen=True)
class LossTerm:
    """One site's part of one draw's ELBO.

    Attributes:
        site: The site's name.
        term: What of it: ``log likelihood`` and ``log prior`` count with a plus in the ELBO,
            ``guide's log density`` (of a draw) and ``guide's log Jacobian`` (of the map onto the
            support) with a minus.
        value: Its value, in nats.
        gradient: Whether its derivatives by the latent values are finite numbers.
    """

    site: str
    term: str
    value: float
    gradient: bool

    @property
    def is_finite(self) -> bool:
        """Whether the value and its derivatives are finite numbers."""
        return math.isfinite(self.value) and self.gradient


@dataclass(frozen=True)
class LossTerms:
    """The terms of one draw's ELBO, those of the guide first; as text, a table.

    Attributes:
        terms: The terms.
    """

    terms: tuple[LossTerm, ...]

    @property
    def fault(self) -> LossTerm | None:
        """The first term that is not finite, or whose derivatives are not; None if all are."""
        return next((term for term in self.terms if not term.is_finite), None)

    def __str__(self) -> str:
        width = max([len(term.site) for term in self.terms], default=0)
        lines = []
        for term in self.terms:
            mark = ""
            if not math.isfinite(term.value):
                mark = "  <- not finite"
            elif not term.gradient:
                mark = "  <- its gradient is not finite"
            lines.append(f"{term.site:<{width}}  {term.term:<20}  {term.value:>12.4f}{mark}")
        return "\n".join(lines)


def explain_loss(
    model: Callable[..., Any], guide: Callable[..., Any], *args: Any, **kwargs: Any
) -> LossTerms:
    """Evaluate one draw's ELBO term by term.

    Use it when a loss is NaN or infinite, or larger than it should be::

        print(explain_loss(model, guide, data))

    Args:
        model: The model.
        guide: Any guide of it.
        *args: Positional arguments of both.
        **kwargs: Keyword arguments of both.
    """
    with Validation(False), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with poutine.block():
            guide_trace = poutine.trace(guide).get_trace(*args, **kwargs)
            leaves = {}
            for name, site in _samples(guide_trace):
                is_latent = not site["is_observed"] and not site["infer"].get("is_auxiliary")
                if is_latent and site["value"].is_floating_point():
                    leaves[name] = site["value"] = site["value"].detach().requires_grad_()
            replayed = poutine.replay(model, trace=guide_trace)
            model_trace = poutine.trace(replayed).get_trace(*args, **kwargs)
        terms = []
        for name, site in _samples(guide_trace):
            if site["is_observed"]:  # a guide that runs the model meets its observations, too
                continue
            is_map = type(site["fn"]).__mro__.__contains__(pyro.distributions.Delta)
            term = "guide's log Jacobian" if is_map else "guide's log density"
            if not (is_map and name not in model_trace):
                terms.append(_term(name, term, site, {}))
        for name, site in _samples(model_trace):
            term = "log likelihood" if site["is_observed"] else "log prior"
            terms.append(_term(name, term, site, leaves))
    return LossTerms(tuple(terms))


def _samples(trace: Any) -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, site)
        for name, site in trace.nodes.items()
        if site["type"] == "sample" and not site_is_subsample(site)
    ]


def _term(name: str, term: str, site: dict[str, Any], leaves: dict[str, Tensor]) -> LossTerm:
    value = site["fn"].log_prob(site["value"], *site["args"], **site["kwargs"])
    value = pyro.distributions.util.scale_and_mask(value, site["scale"], site["mask"]).sum()
    gradients: tuple[Tensor | None, ...] = ()
    if leaves and value.requires_grad:
        gradients = torch.autograd.grad(
            value, list(leaves.values()), retain_graph=True, allow_unused=True
        )
    is_finite = all(g is None or bool(torch.isfinite(g).all()) for g in gradients)
    return LossTerm(name, term, float(value.detach()), is_finite)
