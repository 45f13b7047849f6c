"""`pplc schema`: the JSON schema of IR files."""

from __future__ import annotations

import json

import click

from compiler.cli.files import write_output
from compiler.cli.guard import Guarded
from compiler.cli.options import output


@click.command(
    "schema",
    cls=Guarded,
    examples=("pplc schema -o pplc-ir.schema.json",),
    short_help="Print the JSON schema of the IR.",
)
@output
def command(output: str | None) -> None:
    """Print the JSON schema of the intermediate representation.

    `pplc emit ir` writes files of this form, and every command that takes a spec takes them, too:
    a program can thus write models without writing the language.
    """
    from compiler.ir import IR_VERSION, Program

    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Program.model_json_schema(),
        "title": f"pplc intermediate representation, version {IR_VERSION}",
    }
    write_output(json.dumps(schema, indent=2), output)
