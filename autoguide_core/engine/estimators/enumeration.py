"""Enumerated sites: exact expectations over the guide's, exact sums over the model's own.

A draw without a gradient that is not enumerated gets the score function as its gradient, by a
weight that is one and has the derivative of its log probability.

Sources: Obermeyer et al., "Tensor variable elimination for plated factor graphs" (2019); Foerster
et al., "DiCE: the infinitely differentiable Monte-Carlo estimator" (2018), for the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pyro.infer.util import compute_site_dice_factor
from pyro.ops import packed
from pyro.ops.einsum import contract
from torch import Tensor

from autoguide_core.engine.errors import FitError
from autoguide_core.engine.estimators.elimination import Term, model_terms, plate_letters
from autoguide_core.engine.estimators.particles import Pair


@dataclass(frozen=True)
class _Weight(Term):
    """The log probability of a guide's site, at its draw or at each of its values.

    Attributes:
        site: The site's name.
        own: The letter of the site's values; None where it is drawn.
    """

    site: str
    own: str | None


def enumerated_bound(pair: Pair) -> Tensor:
    """The bound, in nats, of a pair of runs with enumerated sites; a scalar.

    Raises:
        FitError: If the sites of one sum have different scales, or something outside of a plate
            depends on a site that is enumerated inside of it.
        NotImplementedError: If a sum over a model's site cannot be done inside of its plates.
    """
    pair.pack()
    weights = _weights(pair)
    terms = list(model_terms(pair))
    for _, site in pair.guide_sites():
        log_q = packed.neg(site["packed"]["log_prob"])
        terms.append(Term(plate_letters(pair.guide, site), log_q))
    return torch.as_tensor(sum(_expectation(term, weights) for term in terms))


def _weights(pair: Pair) -> list[_Weight]:
    """The weights of the guide's draws in an expectation, in the order of drawing."""
    weights = []
    for name, site in pair.guide_sites():
        value, _ = compute_site_dice_factor(site)
        if isinstance(value, Tensor):  # else the draw is differentiable, and needs none
            own = site["infer"].get("_enumerate_symbol")
            weights.append(_Weight(plate_letters(pair.guide, site), value, name, own))
    return weights


def _expectation(term: Term, weights: Sequence[_Weight]) -> Tensor:
    """The sum of a term's entries, each times the probability of the guide's values there.

    Sites that the term does not depend on are left out: their probabilities add up to one.
    """
    factors: list[Any] = []
    needed = set(term.dims)
    for weight in reversed(weights):
        if weight.plates <= term.plates and (weight.own is None or weight.own in needed):
            factors.append(packed.exp(weight.value))
            needed |= weight.dims
        elif weight.own in needed:
            raise FitError(
                f"site {weight.site!r} is enumerated in the guide, inside of a plate, but "
                "something outside of the plate depends on it, or a site that the model "
                "enumerates there; enumerate it in the model too, not in the guide",
                site=weight.site,
            )
    if not factors:
        return torch.as_tensor(term.value.sum())
    dims = sorted({d for factor in factors for d in factor._pyro_dims} & (term.dims | term.plates))
    inputs = ",".join(factor._pyro_dims for factor in factors)
    probability: Any = contract(f"{inputs}->{''.join(dims)}", *factors, backend="torch")
    probability._pyro_dims = "".join(dims)
    value, probability = packed.broadcast_all(term.value, probability)
    # An impossible value may have an infinite log density, which must not become "not a number".
    possible = torch.where(probability > 0, value, torch.zeros_like(value))
    return (probability * possible).sum()
