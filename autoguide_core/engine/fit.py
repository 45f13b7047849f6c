"""The front door: fit a guide to a model, in surroundings of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyro

from autoguide_core.engine.bound import bind, unbind
from autoguide_core.engine.curvature import MAX_DIM, run_curvature, run_laplace
from autoguide_core.engine.curvature.density import LogDensity
from autoguide_core.engine.curvature.folding import (
    flat_layout,
    is_joint_normal,
    is_laplace,
    only_part,
)
from autoguide_core.engine.errors import FitError
from autoguide_core.engine.interrupts import Interrupts
from autoguide_core.engine.isolation import StoreState, own_randomness, own_store
from autoguide_core.engine.kept import Buffers
from autoguide_core.engine.native.refusals import refusals, unsaid
from autoguide_core.engine.progress import ProgressCallback, Reporter
from autoguide_core.engine.result import FitResult, Run
from autoguide_core.engine.settings import FitSettings
from autoguide_core.engine.starting import set_up
from autoguide_core.engine.stepping.checkpoint import Checkpoint
from autoguide_core.engine.stepping.method import run_stepping
from autoguide_core.engine.structure import Model, Structure, parameters
from autoguide_core.engine.threads import suitable_threads
from autoguide_core.guides.full_size import full_size_model
from autoguide_core.validation import Validation

_DEFAULTS = FitSettings()


def fit(
    model: Model,
    guide: Model,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    settings: FitSettings = _DEFAULTS,
    progress: ProgressCallback | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 10.0,
) -> FitResult:
    """Fit ``guide`` to the posterior of ``model``.

    The fit runs in a parameter store and with random numbers of its own; both are put back as
    they were, after an error too. A guide that was fitted before starts from its present values,
    and what functions ask for by ``pyro.param`` from the value in Pyro's store, if it holds one.
    What is frozen (its ``requires_grad`` is False) stays as it is.

    Before the first step, model and guide are run several times to see what they do. The buffers of
    their modules (the running averages of a ``BatchNorm``, say) are put back then, so that the
    steps alone change them; what else Python code counts from call to call is not.

    Args:
        model: A Pyro model, conditioned on its data.
        guide: An automatic or hand-written guide of it.
        args: Positional arguments of model and guide.
        kwargs: Keyword arguments of model and guide.
        settings: How to fit.
        progress: Called about ten times a second at most with a :class:`Progress`.
        checkpoint: A file that method ``adam`` keeps its state in. If it is there, the fit goes
            on from it, to the very numbers of a fit that was never interrupted; a finished fit
            is there at once. The other methods take seconds and write no file; a fit by them is
            made again, to the very same numbers.
        checkpoint_seconds: Least time between two writes; the file is also written at the end
            and when the fit is interrupted.

    Returns:
        The result. ``result.guide`` runs with the fitted parameters; for a model with parameters
        of its own there are ``result.bound(model)`` and ``with result.parameters()``.

    Raises:
        FitError: If the fit cannot start or cannot go on; its ``site`` names the culprit. Also
            if the checkpoint is another fit's, or cannot be read or written.
    """
    started = time.monotonic()
    keywords = dict(kwargs or {})
    given = pyro.get_param_store().get_state()
    bare, former = unbind(guide)
    store: StoreState = {}
    try:
        with (
            Interrupts(including_default=checkpoint is not None) as interrupts,
            own_store(store),
            own_randomness(settings.seed),
            Validation(None),
            suitable_threads(args, keywords),
            refusals() as told,
            interrupts.at_once(),  # within these surroundings, not on the way in or out
        ):
            file = None if checkpoint is None else Checkpoint(Path(checkpoint), checkpoint_seconds)
            buffers = Buffers(model, bare, args, keywords)
            structure, notes = set_up(model, bare, tuple(args), keywords, (former, given))
            run = _run(
                model,
                bare,
                tuple(args),
                keywords,
                structure,
                settings,
                Reporter(progress),
                file,
                buffers,
            )
    except BaseException:
        if former["params"]:
            bind(bare, former)
        raise
    if structure.own_parameters:
        names = ", ".join(structure.own_parameters)
        notes.append(
            f"the model has parameters of its own ({names}): run it as result.bound(model), or "
            "inside result.parameters()"
        )
    notes += unsaid(told, [*run.notes, run.engine_reason])
    run = replace(run, notes=(*run.notes, *notes))
    if checkpoint is not None and run.method != "adam":
        note = f"method {run.method!r} keeps no checkpoint: made again, it is the same"
        run = replace(run, notes=(*run.notes, note))
    return FitResult.of(run, run.guide or bare, settings, time.monotonic() - started, store)


def _run(
    model: Model,
    guide: Model,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    structure: Structure,
    settings: FitSettings,
    report: Reporter,
    checkpoint: Checkpoint | None,
    buffers: Buffers,
) -> Run:
    """Choose the method and run it."""
    part = only_part(guide)
    if settings.method != "adam":
        obstacle = _obstacle(part, structure)
        if obstacle is None:
            with full_size_model():
                obstacle = LogDensity(model, args, kwargs).unrepeatable()
        if obstacle is None and is_laplace(part):
            with full_size_model():  # a mode of minibatches would move with each of them
                return run_laplace(model, part, args, kwargs, settings=settings, report=report)
        if obstacle is None:
            return run_curvature(
                model,
                part,
                args,
                kwargs,
                settings=settings,
                report=report,
                repeatable=checkpoint is not None,
            )
        if settings.method == "curvature":
            raise FitError(f"method 'curvature' cannot be used: {obstacle}")
    run = run_stepping(
        model,
        guide,
        args,
        kwargs,
        structure=structure,
        settings=settings,
        report=report,
        checkpoint=checkpoint,
        when_prepared=buffers.put_back,
    )
    if not is_laplace(part):
        return run
    with full_size_model():  # at the point that the steps have found
        normal = part.laplace_approximation(*args, **kwargs)
        normal(*args, **kwargs)
    return replace(run, guide=normal)


def _obstacle(part: Any, structure: Structure) -> str | None:
    """Why the methods that need the whole density do not apply, or None."""
    if not is_joint_normal(part) and not is_laplace(part):
        return "the guide is not one joint normal with a full covariance of all latent variables"
    if structure.subsampled and not is_laplace(part):
        return f"plate {structure.subsampled[0]!r} draws minibatches"
    if set(flat_layout(part)) != set(structure.latents):
        return "the guide's normal does not hold all latent variables"
    if part.loc.device.type != "cpu":
        return f"the guide is on {part.loc.device}, and the method works on the host"
    frozen = [name for name, parameter in part.named_parameters() if not parameter.requires_grad]
    if frozen:
        return f"the guide's parameter {frozen[0]!r} is frozen"
    own = {id(parameter) for parameter in part.parameters()}
    foreign = [name for name, parameter in parameters().items() if id(parameter) not in own]
    if foreign:
        return f"the model has a parameter of its own to be fitted, {foreign[0]!r}"
    if part.latent_dim > MAX_DIM:
        return f"there are more than {MAX_DIM} latent dimensions"
    return None
