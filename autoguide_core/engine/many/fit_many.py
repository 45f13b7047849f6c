"""The front door of many fits: restarts of one, or one for each of several data sets."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoguide_core.engine.curvature.folding import is_joint_normal, is_laplace, only_part
from autoguide_core.engine.distributed import Workers
from autoguide_core.engine.errors import FitError, RequestError
from autoguide_core.engine.estimators import Untraceable
from autoguide_core.engine.fit import fit
from autoguide_core.engine.interrupts import Interrupts
from autoguide_core.engine.isolation import own_store
from autoguide_core.engine.many.data import DataSet, differing
from autoguide_core.engine.many.member import Member
from autoguide_core.engine.many.result import Many, failure
from autoguide_core.engine.many.starts import copied, restarts_of
from autoguide_core.engine.many.together import fit_together
from autoguide_core.engine.native.refusals import refusals, unsaid
from autoguide_core.engine.progress import Progress, ProgressCallback, Reporter
from autoguide_core.engine.result import FitResult, Run
from autoguide_core.engine.settings import FitSettings
from autoguide_core.engine.structure import Model
from autoguide_core.engine.threads import suitable_threads
from autoguide_core.validation import Validation

_DEFAULTS = FitSettings()
_SAME_START = (
    "all restarts begin at one point and differ in their noise only, since the guide has no "
    "starting strategy (init_loc_fn)"
)


def fit_many(
    model: Model,
    guide: Model,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    restarts: int = 20,
    data: Sequence[DataSet] | None = None,
    jitter: float = 1.0,
    settings: FitSettings = _DEFAULTS,
    progress: ProgressCallback | None = None,
) -> Many:
    """Fit one pair from many starts, or to many data sets of one shape, at once.

    **Restarts** are runs of the same fit with other noise and other starting points. The first is
    the plain fit. Restart r is the fit with seed ``settings.seed + r``, of a guide made anew: its
    starting strategy (``init_loc_fn``) draws under that seed, and sites that the strategy starts
    at the same point every time are moved from it by up to ``jitter`` in unconstrained space.
    Scales start as in the first. **Data sets** each get the plain fit, with the same seed.

    All steps are made together, by one graph that has an axis more; so each fit has the numbers
    that it would have alone, but for rounding. A fit leaves out the steps at which its ELBO is not
    a finite number, and has failed where these are too many; the others go on. The fits are made
    one after the other, and a note says why, where that cannot be: other steps for each of them,
    an operation that ``torch.func.vmap`` does not know, engine ``eager``, and guides
    that method ``auto`` fits by their curvature (one joint normal), which takes few steps anyway.

    Args:
        model: A Pyro model, conditioned on its data.
        guide: An automatic or hand-written guide of it; each fit takes a copy.
        args: Positional arguments of model and guide.
        kwargs: Keyword arguments of model and guide.
        restarts: Number of starts, where ``data`` is not given.
        data: Data sets, each as ``(args, kwargs)``. They may differ in the values of tensors only.
        jitter: How far a start that is always the same is moved at most.
        settings: How to fit each.
        progress: Called about ten times a second at most with a :class:`Progress`. Its ELBO is
            the mean over the fits.

    Returns:
        The fits.

    Raises:
        FitError: If an argument is out of range, the data sets are not of one shape, the guide
            cannot be made anew, or all fits fail.
    """
    started = time.monotonic()
    varying: dict[str, list[Tensor]] = {}
    if data is None:
        if restarts < 1:
            raise FitError(f"restarts must be at least 1, not {restarts}")
        if not (jitter >= 0.0 and math.isfinite(jitter)):
            raise FitError(f"jitter must be a number of at least 0, not {jitter}")
        kind, sets = "restart", [(tuple(args), dict(kwargs or {}))]
    else:
        if args or kwargs:
            raise FitError("give data sets in data, or one as args and kwargs, not both")
        varying = differing(data)
        kind, sets = "data set", [(tuple(one), dict(other)) for one, other in data]
    with (
        Interrupts() as interrupts,
        Validation(None),
        suitable_threads(sets),
        refusals() as told,
        interrupts.at_once(),
    ):
        if data is None:
            members = restarts_of(
                model, guide, *sets[0], count=restarts, seed=settings.seed, jitter=jitter
            )
        else:
            members = [Member(copied(guide), *one, settings.seed) for one in sets]
            for member in members:
                member.set_up(model)
        many = _fit_all(model, members, varying, kind, settings, progress, started)
    said = [*many.notes, *(note for result in many.results for note in result.notes)]
    return replace(many, notes=(*many.notes, *unsaid(told, said)))


def _fit_all(
    model: Model,
    members: Sequence[Member],
    varying: Mapping[str, Sequence[Tensor]],
    kind: str,
    settings: FitSettings,
    progress: ProgressCallback | None,
    started: float,
) -> Many:
    """Fit those that can start, at once if that can be."""
    able = [place for place, member in enumerate(members) if member.error is None]
    if not able and (error := members[0].error):
        raise error
    chosen = [members[place] for place in able]
    notes = _check_starts(chosen, kind)
    try:
        if obstacle := _obstacle(chosen, settings):
            raise Untraceable(obstacle)
        data = [[values[place] for place in able] for values in varying.values()]
        runs = fit_together(model, chosen, data, settings, Reporter(progress))
        seconds = time.monotonic() - started
        found = [
            _result(member, run, settings, seconds)
            for member, run in zip(chosen, runs, strict=True)
        ]
    except Untraceable as error:
        if len(chosen) > 1:
            notes.append(f"fitted one after the other: {error}")
        found = _one_by_one(model, chosen, settings, progress)
    results = dict(zip(able, found, strict=True))
    for place, member in enumerate(members):
        if member.error is not None:
            results[place] = _failed(member, member.error, settings)
    many = Many(
        tuple(results[place] for place in range(len(members))),
        kind,
        time.monotonic() - started,
        tuple(notes),
    )
    if len(many.failures) == len(members):
        raise FitError(f"all {len(members)} fits failed; the first: {many.failures[0]}")
    return many


def _check_starts(members: Sequence[Member], kind: str) -> list[str]:
    """Notes on where the fits start.

    Raises:
        FitError: If they have a parameter in common.
    """
    if len(members) == 1:
        return []
    first, second = (member.parameters() for member in members[:2])
    for name, parameter in first.items():
        if second.get(name) is parameter:
            raise FitError(
                f"parameter {name!r} belongs to a module outside of the guide, which all fits "
                "would change; fit one after the other, each time with a copy of that module",
                site=name,
            )
    alike = first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)
    return [_SAME_START] if alike and kind == "restart" else []


def _obstacle(members: Sequence[Member], settings: FitSettings) -> str | None:
    """Why the fits have to be made one after the other, or None."""
    part = only_part(members[0].guide)
    if is_laplace(part):
        return "the guide is a Laplace approximation"
    if settings.method == "curvature" or (settings.method == "auto" and is_joint_normal(part)):
        return "the guide is one joint normal, which is fitted by its curvature"
    if settings.engine == "eager":
        return "engine 'eager' makes them so"
    if Workers.present() is not None:
        return "several processes share out their minibatches"
    if len(members) == 1:
        return "there is only one"
    return None


def _one_by_one(
    model: Model,
    members: Sequence[Member],
    settings: FitSettings,
    progress: ProgressCallback | None,
) -> list[FitResult]:
    """Fit one after the other; a guide starts from where it has been set up."""
    results = []
    for number, member in enumerate(members, start=1):
        where = f"fit {number} of {len(members)}"
        own = replace(settings, seed=member.seed)
        report = None if progress is None else _told(progress, where)
        try:
            with own_store(member.store):  # from where it has been set up
                result = fit(
                    model, member.guide, member.args, member.kwargs, settings=own, progress=report
                )
        except RequestError:  # all have asked for it
            raise
        except FitError as error:
            result = _failed(member, error, settings)
        results.append(result)
    return results


def _told(progress: ProgressCallback, where: str) -> ProgressCallback:
    def report(made: Progress) -> None:
        progress(replace(made, phase=f"{where}: {made.phase}"))

    return report


def _failed(member: Member, error: FitError, settings: FitSettings) -> FitResult:
    """A fit that has no steps to show."""
    return _result(member, Run(np.empty(0), failure(error), "adam"), settings, 0.0)


def _result(member: Member, run: Run, settings: FitSettings, seconds: float) -> FitResult:
    own = replace(settings, seed=member.seed)
    return FitResult.of(run, member.guide, own, seconds, member.store)
