"""The way from a checked program and data to a comparison of its guide with NUTS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoguide_core.sampling import NutsSettings
from compiler.compare.result import Comparison
from compiler.compare.sampled import check_samplable, sampled_posterior
from compiler.compare.table import comparison_table
from compiler.compare.verdict import judge
from compiler.diagnostics import Diagnostics
from compiler.ir import Program
from compiler.run.asked import asked_for, job_of, surroundings
from compiler.run.fitting import finished
from compiler.run.room import check_room_for_draws


def compare_program(
    program: Program,
    data: Any,
    *,
    diagnostics: Diagnostics,
    chains: int = 4,
    draws: int = 1000,
    tune: int = 1000,
    target_accept: float = 0.9,
    guide: str | None = None,
    seed: int | None = None,
    sizes: Mapping[str, int] | None = None,
    mapping: Mapping[str, str] | None = None,
    allow_callables: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Comparison:
    """Fit a program to data, draw from the same density by NUTS, and compare.

    Args:
        program: A resolved and checked program.
        data: Files or objects in memory: one, or a list of several; None for none.
        diagnostics: What was told of the program; more is told to it.
        chains: Chains of NUTS, at least 2.
        draws: Draws that each chain keeps.
        tune: Draws before them, which are thrown away.
        target_accept: Mean acceptance probability; nearer to 1, steps are shorter.
        guide: Name of the guide; the program's first by default.
        seed: Seed of every random number; the spec's, or 0.
        sizes: Sizes of dims.
        mapping: From a column or key of the data to the spec's name.
        allow_callables: Whether the spec may import Python code.
        progress: Whether to show a progress bar where there is a terminal.
        **settings: Settings of the `fit` block, over the spec's.

    Returns:
        The comparison.

    Raises:
        SpecError: If the data, a setting, the fit or the sampling is at fault.
    """
    _check_lengths(chains, draws, tune, target_accept, diagnostics)
    overrides = {**settings, "seed": seed}
    asked = asked_for(program, guide, overrides, "float64", "cpu", diagnostics)
    nuts = NutsSettings(chains, draws, tune, asked.run.engine.seed, target_accept)
    with surroundings(asked, allow_callables):
        job = job_of(asked, data, mapping, sizes)
        check_samplable(job)
        check_room_for_draws(job, "draws", (draws + tune) * chains)
        fit = finished(job, job.fit(progress), False, progress)
        sampled = sampled_posterior(job, nuts, progress, fit.record)
    effective = fit.posterior.ess or fit.record["settings"]["draws"]
    table = comparison_table(fit.idata["posterior"], sampled.idata["posterior"], effective)
    return Comparison(
        fit=fit,
        nuts=sampled.idata,
        run=sampled.run,
        table=table,
        judgement=judge(table, sampled.run),
        diagnostics=diagnostics,
    )


def _check_lengths(
    chains: int, draws: int, tune: int, target_accept: float, diagnostics: Diagnostics
) -> None:
    for name, value, least in (("chains", chains, 2), ("draws", draws, 4), ("tune", tune, 1)):
        if value < least:
            diagnostics.report("PPL089", None, f"{name} is {value}", f"ask for at least {least}")
    if not 0.0 < target_accept < 1.0:
        diagnostics.report(
            "PPL089", None, f"target_accept is {target_accept}", "give a number between 0 and 1"
        )
    diagnostics.raise_errors()
