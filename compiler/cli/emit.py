"""`pplc emit`: prints what a spec becomes, at each stage of the compiler."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import click

from compiler.cli.files import write_output
from compiler.cli.guard import Guarded
from compiler.cli.options import guide_name, output, silence
from compiler.cli.sources import source, syntax_errors
from compiler.cli.specs import program

if TYPE_CHECKING:
    from compiler.diagnostics import Diagnostics
    from compiler.ir import Program

STAGES = ("ast", "ir", "model", "guide", "module")


@click.command(
    "emit",
    cls=Guarded,
    short_help="Print the Pyro code, or another stage, of a spec.",
    examples=(
        "pplc emit module model.ppl -o model.py",
        "pplc emit guide model.ppl --guide quick --guides pyro",
        "pplc emit ir model.ppl -o model.json && pplc check model.json",
    ),
)
@click.argument("stage", type=click.Choice(STAGES), metavar="STAGE")
@click.argument("spec", metavar="SPEC")
@click.option(
    "--guides",
    type=click.Choice(["core", "pyro"]),
    default="core",
    show_default=True,
    help="Whose guide classes the code uses: autoguide_core's or Pyro's own.",
)
@guide_name
@silence
@output
def command(
    stage: str,
    spec: str,
    guides: Literal["core", "pyro"],
    guide: str | None,
    silenced: frozenset[str],
    output: str | None,
) -> None:
    """Print what a spec becomes.

    STAGE is one of: ast, the syntax tree with the place of each node; ir, the intermediate
    representation as JSON (see `pplc schema`); model, the Pyro model; guide, the composition of
    parts over its latent sites; module, the whole Python module, which needs torch, pyro and
    autoguide_core, but not this compiler.
    """
    if stage not in ("guide", "module") and (guide is not None or guides == "pyro"):
        raise click.UsageError(f"--guide and --guides say nothing about the stage {stage}.")
    ast = stage == "ast"
    write_output(_ast(spec) if ast else _emitted(stage, spec, guides, guide, silenced), output)


def _ast(path: str) -> str:
    from compiler.cli.syntax_tree import print_tree
    from grammar.parse import parse

    spec = source(path)
    with syntax_errors(spec):
        return print_tree(parse(spec.text, spec.path))


def _check(
    stage: str,
    chosen: str | None,
    library: Literal["core", "pyro"],
    program: Program,
    diagnostics: Diagnostics,
) -> None:
    """Check the guides that are to be emitted against the classes that they are to use."""
    if library == "pyro":
        from compiler.checks.pyro_guides import check_pyro_guides

        guides = program.guides[:1] if stage == "guide" and chosen is None else program.guides
        check_pyro_guides(program, [g for g in guides if chosen in (None, g.name)], diagnostics)


def _emitted(
    stage: str,
    spec: str,
    guides: Literal["core", "pyro"],
    guide: str | None,
    silenced: frozenset[str],
) -> str:
    compiled = program(spec, silenced, check=partial(_check, stage, guide, guides))
    if guide is not None and guide not in (names := [g.name for g in compiled.guides]):
        raise click.BadParameter(
            f"the spec has no guide {guide!r}, only {', '.join(names)}", param_hint="--guide"
        )
    if stage == "ir":
        from compiler.ir.text import to_json

        return to_json(compiled)

    from compiler.emit import emit_guide, emit_model, emit_module

    if stage == "model":
        return emit_model(compiled)
    emit = emit_guide if stage == "guide" else emit_module
    return emit(compiled, guides=guides, guide=guide)
