"""`compile-and-fit`, or `pplc fit`: from a spec and data to a posterior in a folder."""

from __future__ import annotations

import gc
import json
from typing import Any

import click

from compiler.cli.guard import DOUBTFUL, OK, Guarded
from compiler.cli.options import (
    allow_callables,
    correction,
    data_options,
    guide_name,
    mapping_of,
    quiet_option,
    seed_option,
    silence,
)
from compiler.cli.report import show
from compiler.cli.specs import compilation
from compiler.cli.together import joined_processes
from compiler.tables.optimizers import SETTINGS


@click.command(
    "compile-and-fit",
    cls=Guarded,
    short_help="Compile a spec, fit it to data, save the posterior.",
    examples=(
        "compile-and-fit eight_schools.ppl --data schools.json",
        "compile-and-fit radon.ppl --data radon.csv --map y=log_radon --out radon-posterior",
        "compile-and-fit model.ppl --data X.npz --data y.csv --guide quick --steps 2000",
        "compile-and-fit eight_schools.ppl --data schools.json --report",
        "compile-and-fit model.ppl --data y.csv --checkpoint model.pt",
    ),
)
@click.argument("spec", metavar="SPEC")
@data_options
@guide_name
@seed_option
@click.option("--steps", type=click.IntRange(1), help="Gradient steps.")
@click.option("--draws", type=click.IntRange(2), help="Draws of the posterior to keep.")
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    metavar="NAME",
    help="Where to compute: cpu, cuda, cuda:1, ….",
)
@click.option(
    "--dtype",
    type=click.Choice(["float64", "float32"]),
    default="float64",
    show_default=True,
    help="Floating type of all values.",
)
@click.option(
    "--engine",
    type=click.Choice(SETTINGS["engine"].choices),
    help="What makes the steps: compiled code (native), a GPU's recording (cuda), torch (graph), "
    "Python (eager), or the fastest there is (auto).",
)
@click.option(
    "--analytic-kl/--no-analytic-kl",
    default=None,
    help="Take the divergence of a site's guide from its prior in closed form where there is one.",
)
@click.option(
    "--restarts",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    help="Fit from N starting points at once, keep the best, and tell how many came near it.",
)
@click.option(
    "--checkpoint",
    metavar="FILE",
    help="Keep the fit in this file as it goes; if the file is there, go on from it, to the same "
    "numbers.",
)
@click.option("--out", metavar="DIR", help="Folder of the results; SPEC's name + -fit by default.")
@correction
@click.option(
    "--write-guide",
    is_flag=True,
    help="Print what was chosen for the fit as guide and fit blocks, to paste into the spec; they "
    "are in the folder, too (chosen.ppl).",
)
@click.option(
    "--strict",
    is_flag=True,
    help="End with exit code 3 if the posterior is not reliable, or if that is not known.",
)
@click.option(
    "--report",
    is_flag=True,
    help="Write report.html, too: verdict, tables, figures, model graph and code in one page.",
)
@click.option(
    "--log-likelihood", is_flag=True, help="Save the pointwise log likelihood, for LOO and WAIC."
)
@allow_callables
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the summary is printed.",
)
@quiet_option
@silence
def command(
    spec: str,
    data: tuple[str, ...],
    mapped: tuple[str, ...],
    sizes: dict[str, int],
    guide: str | None,
    seed: int | None,
    steps: int | None,
    draws: int | None,
    device: str,
    dtype: str,
    engine: str | None,
    analytic_kl: bool | None,
    restarts: int,
    checkpoint: str | None,
    out: str | None,
    report: bool,
    correction: str | None,
    write_guide: bool,
    strict: bool,
    log_likelihood: bool,
    allow_callables: bool,
    form: str,
    quiet: bool,
    silenced: frozenset[str],
) -> int:
    """Compile SPEC, fit it to the data, and save the posterior to a folder.

    The folder holds the posterior for ArviZ (posterior.nc), the Pyro module that was run
    (module.py), the summary, the settings and the IR. SPEC is a .ppl file, an IR file (.json), or
    `-` for standard input. Options go over what the spec's fit block says.
    """
    with joined_processes() as processes:
        quiet = quiet or not processes.leads
        compiled = compilation(spec, silenced)
        compiled.diagnostics.raise_errors()  # before the heavy imports: a bad spec is told at once
        if not quiet:
            show([compiled.diagnostics])

        gc.enable()  # the command line turned it off, for the commands that end at once
        from compiler.run import compile_and_fit, fit_program
        from compiler.run.output import summary_record
        from compiler.run.show import show_fit

        mapping = mapping_of(mapped)
        assert compiled.program is not None
        program = compiled.program
        options: dict[str, Any] = {
            "guide": guide,
            "seed": seed,
            "steps": steps,
            "draws": draws,
            "device": processes.device(device),
            "dtype": dtype,
            "engine": engine,
            "analytic_kl": analytic_kl,
            "restarts": restarts,
            "checkpoint": checkpoint,
            "sizes": sizes,
            "mapping": mapping,
            "correction": correction,
            "log_likelihood": log_likelihood,
            "allow_callables": allow_callables,
            "progress": not quiet,
        }
        if not processes.leads:
            fit_program(program, list(data), diagnostics=compiled.diagnostics, **options)
            return OK
        fit = compile_and_fit(compiled, list(data), out=out or None, report=report, **options)
    if form == "json":
        click.echo(
            json.dumps(
                {"out": str(fit.folder), **summary_record(fit)}, indent=2, ensure_ascii=False
            )
        )
    elif not quiet:
        show_fit(fit, folder=fit.folder)
    if write_guide and form != "json":
        click.echo(fit.guide_block(), nl=False)
    return DOUBTFUL if strict and not fit.reliable else OK
