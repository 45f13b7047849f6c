"""Which estimator fits a pair of model and guide."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pyro import poutine
from pyro.poutine.messenger import Messenger

from autoguide_core.engine.errors import FitError
from autoguide_core.engine.estimators.divergence import ClosedForm, entangled
from autoguide_core.engine.estimators.downstream import Dependences, without_gradient
from autoguide_core.engine.estimators.enumeration import enumerated_bound
from autoguide_core.engine.estimators.estimate import Estimator, Untraceable
from autoguide_core.engine.estimators.particles import Pair, Particles
from autoguide_core.engine.estimators.pathwise import Pathwise
from autoguide_core.engine.estimators.score import ScoreFunction
from autoguide_core.engine.estimators.vectorised import vectorises
from autoguide_core.engine.refusals import at_a_good_draw
from autoguide_core.engine.structure import Model, Structure, is_enumerated, reason_of
from autoguide_core.validation import Validation

_Make = Callable[[Particles], Estimator]


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

    The estimator is tried once; so is whether the pair broadcasts over particles.

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
        FitError: If the sites that are marked for enumeration cannot be enumerated.
    """
    draws = Particles(model, guide, args, kwargs, structure.max_plate_nesting)
    with _quiet():
        make, notes = at_a_good_draw(lambda: _kind(draws, structure, analytic_kl=analytic_kl))
    draws = replace(draws, count=particles, enumerated=bool(structure.enumerated))
    if particles > 1:
        together = replace(draws, together=True)
        try:
            with _quiet():
                is_sound = together.well_shaped() and vectorises(together)
            if is_sound:
                return _tried(make(together)), notes
        except Exception:  # a model may fail in as many ways as it has operations
            pass
        notes.append("the model does not broadcast over particles: they are drawn one by one")
    try:
        return at_a_good_draw(lambda: _tried(make(draws))), notes
    except (ValueError, NotImplementedError) as error:
        raise FitError(f"the ELBO of this pair cannot be estimated: {reason_of(error)}") from error


def _kind(draws: Particles, structure: Structure, *, analytic_kl: bool) -> tuple[_Make, list[str]]:
    """The kind of estimator, and notes for the user."""
    pair = next(draws.pairs())
    without_draw = without_gradient(pair)
    if structure.enumerated:
        _check_enumeration(draws.guide, pair)
        make: _Make = partial(Pathwise, bound=enumerated_bound)
        obstacle = f"site {structure.enumerated[0]!r} is enumerated"
    elif without_draw:
        make = partial(ScoreFunction, dependences=Dependences(draws, without_draw))
        obstacle = f"the draws of site {without_draw[0]!r} have no pathwise gradient"
    elif analytic_kl:
        return partial(Pathwise, bound=ClosedForm(sampled=entangled(draws))), []
    else:  # later runs may meet draws that this one has not
        return partial(ScoreFunction, dependences=Dependences(draws)), []
    return make, [f"analytic_kl has no effect: {obstacle}"] if analytic_kl else []


def _check_enumeration(guide: Model, pair: Pair) -> None:
    """Refuse the kinds of enumeration that are left to Pyro."""
    if isinstance(poutine.unwrap(guide), Messenger):
        raise Untraceable("a guide that is a messenger cannot enumerate sites")
    for trace in (pair.guide, pair.model):
        for name, site in trace.nodes.items():
            if site["type"] != "sample" or not is_enumerated(site):
                continue
            if site["infer"]["enumerate"] != "parallel":
                raise Untraceable(f"site {name!r} is enumerated one value after the other")
            if name not in pair.guide and site["infer"].get("num_samples") is not None:
                raise Untraceable(f"site {name!r} is drawn several times in the model")


def _tried(estimator: Estimator) -> Estimator:
    """The estimator, after one estimate."""
    with _quiet():
        estimator(estimator.start())
    return estimator


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No warnings, and no errors where a draw is one that the model has no density for."""
    with Validation(False), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
