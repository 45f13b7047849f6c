"""The way from a checked program and data to a fit, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import xarray as xr

from autoguide_core import FitResult
from autoguide_core.engine.native.refusals import refusals, unsaid
from autoguide_core.engine.threads import suitable_threads
from compiler.binding import BoundData
from compiler.diagnostics import Diagnostics
from compiler.files import shown
from compiler.ir import Program
from compiler.run.asked import asked_for, job_of, surroundings
from compiler.run.inference_data import inference_data
from compiler.run.job import Job
from compiler.run.posterior import Posterior
from compiler.run.record import machine, now, text_hash, versions
from compiler.run.result import Fit
from compiler.run.room import check_room_for_fit


def fit_program(
    program: Program,
    data: Any,
    *,
    diagnostics: Diagnostics,
    guide: str | None = None,
    seed: int | None = None,
    steps: int | None = None,
    draws: int | None = None,
    device: str = "cpu",
    dtype: str = "float64",
    sizes: Mapping[str, int] | None = None,
    mapping: Mapping[str, str] | None = None,
    log_likelihood: bool = False,
    allow_callables: bool = False,
    progress: bool = True,
    checkpoint: str | Path | None = None,
    restarts: int = 1,
    **settings: Any,
) -> Fit:
    """Fit a program to data.

    Args:
        program: A resolved and checked program.
        data: Files or objects in memory: one, or a list of several; None for none.
        diagnostics: What was told of the program; more is told to it.
        guide: Name of the guide; the program's first by default.
        seed: Seed of every random number; the spec's, or 0.
        steps: Gradient steps; the spec's, or the engine's default.
        draws: Draws of the posterior to keep; the spec's, or the default.
        device: Where to compute.
        dtype: `float64` or `float32`.
        sizes: Sizes of dims.
        mapping: From a column or key of the data to the spec's name.
        log_likelihood: Whether to keep the pointwise log likelihood, for model comparison.
        allow_callables: Whether the spec may import Python code.
        progress: Whether to show a progress bar where there is a terminal.
        checkpoint: A file that the fit is kept in, and goes on from where it is there.
        restarts: From how many starting points to fit; the best is kept.
        **settings: Other settings of the `fit` block, over the spec's.

    Returns:
        The fit.

    Raises:
        SpecError: If the data, a setting or the fit itself is at fault.
    """
    _check_restarts(restarts, checkpoint, diagnostics)
    overrides = {**settings, "seed": seed, "steps": steps, "draws": draws}
    asked = asked_for(program, guide, overrides, dtype, device, diagnostics)
    with surroundings(asked, allow_callables):
        job = job_of(asked, data, mapping, sizes)
        check_room_for_fit(job, restarts)
        if restarts == 1:
            return finished(job, job.fit(progress, checkpoint), log_likelihood, progress)
        many = job.fit_many(progress, kwargs=job.arguments, restarts=restarts)
        notes = (many.verdict, *many.notes)
        fit = finished(job, many.best, log_likelihood, progress, notes)
    return replace(fit, restarts=pd.DataFrame(many.summary()).set_index(many.kind))


def fit_data_sets(
    program: Program,
    data_sets: Sequence[Any],
    *,
    diagnostics: Diagnostics,
    guide: str | None = None,
    device: str = "cpu",
    dtype: str = "float64",
    sizes: Mapping[str, int] | None = None,
    mapping: Mapping[str, str] | None = None,
    log_likelihood: bool = False,
    allow_callables: bool = False,
    progress: bool = True,
    **settings: Any,
) -> list[Fit]:
    """Fit a program to several sets of data of the same sizes, by the same steps.

    Each fit is the one that `fit_program` makes of its data, but for rounding. Where the guide's
    first values depend on the data, the fits are made one after the other.

    Args:
        program: A resolved and checked program.
        data_sets: For each fit its data, as `fit_program` takes them.
        diagnostics: What was told of the program; more is told to it.
        guide: Name of the guide; the program's first by default.
        device: Where to compute.
        dtype: `float64` or `float32`.
        sizes: Sizes of dims, the same for all.
        mapping: From a column or key of the data to the spec's name.
        log_likelihood: Whether to keep the pointwise log likelihoods.
        allow_callables: Whether the spec may import Python code.
        progress: Whether to show a progress bar where there is a terminal.
        **settings: Settings of the `fit` block, over the spec's.

    Returns:
        The fits, in the order of the data.

    Raises:
        SpecError: If a setting, some data or one of the fits is at fault.
    """
    asked = asked_for(program, guide, settings, dtype, device, diagnostics)
    if not data_sets:
        return []
    with surroundings(asked, allow_callables):
        jobs = [job_of(asked, data_sets[0], mapping, sizes)]
        jobs += [job_of(asked, data, mapping, sizes, like=jobs[0]) for data in data_sets[1:]]
        _check_sizes(jobs, diagnostics)
        check_room_for_fit(jobs[0], len(jobs))
        notes: tuple[str, ...] = ()
        if all(_same(job.start, jobs[0].start) for job in jobs[1:]):
            many = jobs[0].fit_many(progress, data=[((), job.arguments) for job in jobs])
            for place, reason in many.failures.items():
                message = f"data set {place}: {reason}"
                diagnostics.report("PPL099", None, message, "fit it alone, or leave it out")
            diagnostics.raise_errors()
            results, notes = many.results, many.notes
        else:
            results = tuple(job.fit(progress) for job in jobs)
        return [
            finished(job, result, log_likelihood, progress, notes)
            for job, result in zip(jobs, results, strict=True)
        ]


def finished(
    job: Job,
    fitted: FitResult,
    log_likelihood: bool,
    progress: bool,
    notes: Sequence[str] = (),
) -> Fit:
    """Draw from a fitted guide, and put everything together."""
    bound, diagnostics = job.data, job.diagnostics
    _check_unchanged(bound, diagnostics)
    with suitable_threads(bound.values), refusals() as told:
        posterior = job.draw(fitted, progress)
        groups = job.groups(posterior, log_likelihood)
    record = {
        "spec": shown(diagnostics.path),
        "model": job.program.name,
        "fitted": now(),
        "settings": job.settings.as_record(),
        "method": fitted.method,
        "engine": fitted.engine,
        "engine_reason": fitted.engine_reason or None,
        "sizes": bound.sizes,
        "versions": versions(),
        "machine": machine(),
        "hashes": {
            "spec": text_hash(diagnostics.text),
            "module": text_hash(job.source),
            "data": dict(bound.hashes),
        },
    }
    elbo = xr.Dataset({"elbo": ("step", fitted.elbo)}, coords={"step": fitted.elbo_steps})
    return Fit(
        program=job.program,
        source=job.source,
        data=bound,
        engine=fitted,
        posterior=posterior,
        idata=inference_data({**groups, "fit": elbo}, _attributes(record, fitted, posterior)),
        record=record,
        diagnostics=diagnostics,
        notes=(
            *notes,
            *bound.notes,
            *map(_note, sorted(bound.streamed)),
            *(n for n in fitted.notes if n not in fitted.verdict and n not in fitted.engine_reason),
            *unsaid(told, [*fitted.notes, fitted.engine_reason]),
        ),
    )


def _check_unchanged(bound: BoundData, diagnostics: Diagnostics) -> None:
    for file in bound.watched:
        if file.changed:
            diagnostics.report(
                "PPL090",
                None,
                f"{shown(file.path)} was changed while the fit read it: a part of the steps saw "
                "other data than the rest",
                "fit again, and leave the file alone until the fit is done",
            )
    diagnostics.raise_errors()


def _check_restarts(restarts: int, checkpoint: str | Path | None, diagnostics: Diagnostics) -> None:
    if restarts < 1:
        diagnostics.report("PPL081", None, f"restarts is {restarts}", "ask for at least 1")
    if restarts > 1 and checkpoint is not None:
        diagnostics.report(
            "PPL081", None, "restarts are not kept in a checkpoint", "leave one of the two out"
        )


def _check_sizes(jobs: Sequence[Job], diagnostics: Diagnostics) -> None:
    first = jobs[0].data.sizes
    for place, job in enumerate(jobs):
        for dim, size in job.data.sizes.items():
            if size != first[dim]:
                diagnostics.report(
                    "PPL095",
                    None,
                    f"data set {place} has another size than the first: {dim} is {size}, "
                    f"not {first[dim]}",
                    "fit data of one size together, and others apart",
                )
                break
    diagnostics.raise_errors()


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two sets of arguments have the same values."""
    return all(
        torch.equal(value, other[name]) if isinstance(value, torch.Tensor) else value == other[name]
        for name, value in one.items()
    )


def _attributes(
    record: Mapping[str, Any], fitted: FitResult, posterior: Posterior
) -> dict[str, Any]:
    return {
        "inference_library": "pplc",
        "inference_library_version": record["versions"]["pplc"],
        "spec": record["spec"],
        "model": record["model"],
        "seed": record["settings"]["seed"],
        "settings": record["settings"],
        "versions": record["versions"],
        "converged": fitted.converged,
        "verdict": fitted.verdict,
        "khat": "unknown" if posterior.khat is None else posterior.khat,
        "khat_meaning": posterior.trust,
        "correction": posterior.correction,
    }


def _note(dim: str) -> str:
    return (
        f"the data over {dim!r} are large: they are neither copied into the output nor predicted, "
        "and the draws are the guide's own"
    )
