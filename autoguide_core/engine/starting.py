"""Finding a place where a fit can start: the guide's own, or a random one, as samplers do."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyro
from torch import nn

from autoguide_core.engine.bound import adopt
from autoguide_core.engine.checks import Reached, first_fault
from autoguide_core.engine.errors import Fault, FitError, NoStart
from autoguide_core.engine.isolation import StoreState
from autoguide_core.engine.refusals import details_of, is_refusal, refused_numbers, summary_of
from autoguide_core.engine.structure import Model, Structure, inspect
from autoguide_core.initialization import START_RADII, redrawn_starts
from autoguide_core.validation import Validation

_GUIDES = frozenset({"guides", "autoguide"})
_ENOUGH = 3
"""How often the same numbers may be refused before no other start is tried."""


def set_up(
    model: Model,
    guide: Model,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    states: Sequence[StoreState] = (),
) -> tuple[Structure, list[str]]:
    """Set a guide up where the model has a density, in the present parameter store.

    The first try is where the guide's own strategy starts. Where the model refuses a draw of the
    guide there (see ``refusals``), or its density is not a finite number, the guide is set up
    again, up to 100 tries in all: sites without a value of the user's own start uniformly on
    (-2, 2) in unconstrained space, later ones nearer to 0. A guide without a strategy, or one that
    has been set up before, is tried with other draws.

    Args:
        model: The model.
        guide: The guide.
        args: Positional arguments of both.
        kwargs: Keyword arguments of both.
        states: Stores with values that parameters of functions begin with; see `adopt`.

    Returns:
        The facts of the pair, and notes for the user.

    Raises:
        NoStart: If no start is good.
        FitError: If guide and model do not go together.
    """
    stored = set(pyro.get_param_store())
    fresh = [part for part in _parts(guide) if part.prototype_trace is None]
    faults: list[Fault] = []
    kept: frozenset[str] = frozenset()
    for attempt, radius in enumerate((None, *START_RADII)):
        if attempt:
            _forget(fresh, stored)
        with redrawn_starts(radius) as redrawn:
            tried = _tried(model, guide, args, kwargs, states)
        kept |= redrawn.kept
        if not isinstance(tried, Fault):
            return tried
        faults.append(tried)
        if _is_everywhere(faults):
            break
    raise NoStart(faults, kept, everywhere=_is_everywhere(faults))


def _tried(
    model: Model,
    guide: Model,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    states: Sequence[StoreState],
) -> tuple[Structure, list[str]] | Fault:
    """One try: the facts of the pair and notes, or what is wrong."""
    try:
        # What a part of a guide draws from the prior of the other parts may be anything.
        with Validation(False), warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            structure = inspect(model, guide, args, kwargs)
    except Exception as error:
        cause = error.__cause__ if isinstance(error, FitError) else error
        if not isinstance(cause, Exception) or not is_refusal(cause) or _is_the_guides(cause):
            raise
        return _fault_of(model, args, kwargs, cause)
    notes = adopt(guide, states)
    fault = first_fault(model, guide, args, kwargs)
    if fault is not None:  # what was said of a start that is given up is of no use
        return fault
    for one in told:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return structure, notes


def _is_the_guides(error: Exception) -> bool:
    """Whether a guide, ours or Pyro's, has raised an error: it is about what it is given."""
    place = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    return place.stem == "initialization" or not _GUIDES.isdisjoint(place.parts)


def _fault_of(
    model: Model, args: tuple[Any, ...], kwargs: Mapping[str, Any], error: Exception
) -> Fault:
    """What an error in setting the guide up tells: of the model, if a draw of it fails alike."""
    reached = Reached()
    try:
        with reached, Validation(False):
            model(*args, **kwargs)
    except Exception as its_own:
        if is_refusal(its_own):
            return reached.fault(its_own)
    whole = f"the guide cannot be run on this model: {details_of(error)}"
    return Fault(summary_of(error), None, error, reached.unbounded(), whole)


def _is_everywhere(faults: list[Fault]) -> bool:
    """Whether the last starts were refused for the same numbers, so that others will be too."""
    last = [fault.error and refused_numbers(fault.error) for fault in faults[-_ENOUGH:]]
    return len(last) == _ENOUGH and last[0] is not None and last.count(last[0]) == _ENOUGH


def _parts(guide: Model) -> Iterator[Any]:
    """The automatic guides that a guide is made of, ours or Pyro's."""
    if isinstance(guide, nn.Module):
        yield from (part for part in guide.modules() if hasattr(part, "prototype_trace"))


def _forget(parts: list[Any], stored: set[str]) -> None:
    """Let guides set themselves up at their next call, with parameters of their own making."""
    for part in parts:
        part.prototype_trace = None
    store = pyro.get_param_store()
    for name in set(store) - stored:
        del store[name]
