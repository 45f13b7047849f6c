"""`pplc compare`: a fit beside the same posterior by NUTS."""

from __future__ import annotations

import gc
import json
from functools import partial
from pathlib import Path

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


@click.command(
    "compare",
    cls=Guarded,
    short_help="Fit, and hold the posterior against NUTS.",
    examples=(
        "pplc compare eight_schools.ppl --data schools.json",
        "pplc compare model.ppl --data y.csv --guide quick --chains 4 --draws 2000 --tune 2000",
        "pplc compare model.ppl --data y.csv --quiet --strict && echo the guide agrees with NUTS",
    ),
)
@click.argument("spec", metavar="SPEC")
@data_options
@guide_name
@click.option(
    "--chains",
    type=click.IntRange(2),
    default=4,
    show_default=True,
    help="Chains of NUTS, each from a random start.",
)
@click.option(
    "--draws",
    type=click.IntRange(4),
    default=1000,
    show_default=True,
    help="Draws that each chain keeps.",
)
@click.option(
    "--tune",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Draws before them, from which step size and mass matrix are learnt.",
)
@click.option(
    "--target-accept",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    default=0.9,
    show_default=True,
    metavar="P",
    help="Acceptance probability; nearer to 1, steps are shorter and fewer diverge.",
)
@seed_option
@click.option(
    "--out", metavar="DIR", help="Folder of the results; SPEC's name + -compare by default."
)
@click.option(
    "--strict",
    is_flag=True,
    help="End with exit code 3 if the guide disagrees with NUTS, or NUTS has not converged.",
)
@correction
@allow_callables
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the table is printed.",
)
@quiet_option
@silence
def command(
    spec: str,
    data: tuple[str, ...],
    mapped: tuple[str, ...],
    sizes: dict[str, int],
    guide: str | None,
    chains: int,
    draws: int,
    tune: int,
    target_accept: float,
    seed: int | None,
    out: str | None,
    strict: bool,
    correction: str | None,
    allow_callables: bool,
    form: str,
    quiet: bool,
    silenced: frozenset[str],
) -> int:
    """Fit SPEC to the data, draw from the same posterior by NUTS, and show both side by side.

    The folder holds what a fit's does, and beside it the draws of NUTS for ArviZ (nuts.nc), the
    table (compare.csv), the verdict (compare.json) and a picture (compare.png). Needs nutpie:
    `pip install 'pplc[sampling]'`.
    """
    compiled = compilation(spec, silenced)
    compiled.diagnostics.raise_errors()  # before the heavy imports: a bad spec is told at once
    if not quiet:
        show([compiled.diagnostics])

    gc.enable()  # the command line turned it off, for the commands that end at once
    from compiler.compare import compare_program, show_comparison
    from compiler.compare.output import comparison_record, write_comparison
    from compiler.run.folder import OutputFolder, default_folder

    mapping = mapping_of(mapped)
    program = compiled.program
    assert program is not None, "a compilation without errors has a program"
    folder = Path(out) if out else default_folder(program.path, program.name, "compare")
    with OutputFolder(folder, compiled.diagnostics) as output:
        comparison = compare_program(
            program,
            list(data),
            diagnostics=compiled.diagnostics,
            chains=chains,
            draws=draws,
            tune=tune,
            target_accept=target_accept,
            guide=guide,
            seed=seed,
            sizes=sizes,
            mapping=mapping,
            correction=correction,
            allow_callables=allow_callables,
            progress=not quiet,
        )
        folder = output.write(partial(write_comparison, comparison))
    if not quiet:
        for note in output.notes:
            click.echo(note, err=True)
    if form == "json":
        record = {"out": str(folder), **comparison_record(comparison)}
        click.echo(json.dumps(record, indent=2, ensure_ascii=False))
    elif not quiet:
        show_comparison(comparison, folder=folder)
    return DOUBTFUL if strict and not comparison.agrees else OK
