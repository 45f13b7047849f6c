"""Which estimator fits a pair of model and guide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoguide_core.engine.estimators.estimate import Estimator, Untraceable
from autoguide_core.engine.estimators.particles import Particles
from autoguide_core.engine.estimators.pathwise import Pathwise
from autoguide_core.engine.structure import Model, Structure


def make_estimator(
    structure: Structure,
    model: Model,
    guide: Model,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    particles: int,
    analytic_kl: bool = False,
) -> tuple[Estimator, list[str]]:
    """Choose the estimator for a pair, in the present parameter store.

    Args:
        structure: The facts of the pair.
        model: The model.
        guide: The guide, already set up.
        args: Positional arguments of both.
        kwargs: Keyword arguments of both.
        particles: Draws from the guide per estimate.
        analytic_kl: Whether divergences of a site's guide from its prior are taken in closed form
            where there is one.

    Returns:
        The estimator and notes for the user.

    Raises:
        Untraceable: If none fits; its ``reason`` says why.
    """
    if structure.enumerated:
        raise Untraceable("sites are enumerated")
    if structure.score_function:
        raise Untraceable("draws carry no gradient")
    draws, notes = Particles(model, guide, args, kwargs, particles), list[str]()
    if particles > 1:
        together = draws.vectorised(structure)
        if together is None:
            notes.append("the model does not broadcast over particles: they are drawn one by one")
        draws = together or draws
    return Pathwise(draws), notes
