"""Random mixtures whose components run along a dim, with their densities by scipy."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import scipy.special as sp
import scipy.stats as st

from fuzz.semantics.expressions import Expression
from fuzz.semantics.values import Writer

_COMPONENTS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "Normal({loc}, {scale})": lambda y, a, b: st.norm.logpdf(y, a, b),
    "StudentT(4, {loc}, {scale})": lambda y, a, b: st.t.logpdf(y, 4, a, b),
    "Laplace({loc}, {scale})": lambda y, a, b: st.laplace.logpdf(y, a, b),
}

Density = Callable[[Any, Any, Any, Any], Any]
"""The log density at an outcome, from the values of all names, a location and a scale."""


def mixture(write: Writer, random: Random) -> tuple[str, Density]:
    """Return a mixture along the predictors, as text with `{eta}` and `{scale}`, and its density.

    Its locations are `eta` and an entry of a vector; its weights depend on the row, or do not.
    """
    component, density = random.choice(list(_COMPONENTS.items()))
    weights, locs = write.whole_vector(1), write.whole_vector(1)
    by_row = random.random() < 0.5
    factor = Expression("tanh(x)", lambda values: np.tanh(values["x"])) if by_row else None
    logits = weights.text if factor is None else f"{weights.text} * {factor.text}"
    drawn = component.format(loc=f"{locs.text} + {{eta}}", scale="{scale}")

    def log_density(values: Any, y: Any, eta: Any, scale: Any) -> Any:
        along = [_for_each(y, value) for value in (y, eta, scale)]
        logit = weights.value(values)
        if factor is not None:
            logit = logit * factor.value(values)[:, np.newaxis]
        terms = density(along[0], locs.value(values) + along[1], along[2])
        return sp.logsumexp(sp.log_softmax(logit, -1) + terms, -1)

    return f"Mixture(softmax({logits}), {drawn})", log_density


def _for_each(y: Any, value: Any) -> Any:
    """Return a number for each row with an axis for the components."""
    return np.broadcast_to(value, np.shape(y))[:, np.newaxis]
