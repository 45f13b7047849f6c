"""How every command ends: its exit code, and what is told when something goes wrong in it."""

from __future__ import annotations

import os
import platform
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from compiler.cli import signals
from compiler.cli.report import show
from compiler.diagnostics import SpecError
from compiler.memory import is_out_of_memory
from compiler.version import VERSION
from compiler.writing import write_whole

OK = 0
BAD_INPUT = 1
"""The spec, the data or an option's value is wrong; diagnostics tell how."""
USAGE = 2
"""The command line is wrong."""
DOUBTFUL = 3
"""All was done, but the result cannot be relied on; only where that was asked (`--strict`)."""
INTERNAL = 70
"""A mistake in pplc itself (`EX_SOFTWARE`)."""
INTERRUPTED = 130
PIPE_CLOSED = 141


class Guarded(click.Command):
    """A command whose exceptions all become a message and an exit code.

    A command's function returns its exit code, or None for `OK`.

    Args:
        *args: As for `click.Command`.
        examples: Command lines that its help shows.
        **kwargs: As for `click.Command`.
    """

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples below the options."""
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {example}\n" for example in self.examples))
        super().format_epilog(ctx, formatter)

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,
    ) -> None:
        """Run the command and exit with its code."""
        extra["standalone_mode"] = False
        try:
            code = super().main(args, prog_name, **extra)
        except SpecError as error:
            show([error.diagnostics])
            code = BAD_INPUT
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            code = USAGE
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except click.Abort:
            if not signals.came():
                click.echo("interrupted", err=True)
            code = INTERRUPTED
        except Exception as error:
            if signals.came():  # somebody has made another error of it
                sys.exit(INTERRUPTED)
            if os.environ.get("PPLC_TRACEBACK"):
                raise
            if is_out_of_memory(error):
                click.echo("pplc: there is not enough memory for this", err=True)
                sys.exit(BAD_INPUT)
            click.echo(_internal(error, args), err=True)
            code = INTERNAL
        sys.exit(code if isinstance(code, int) else OK)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command's function; a reader that went away ends it quietly."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return PIPE_CLOSED
        return result


def _internal(error: Exception, args: Sequence[str] | None) -> str:
    """Return what to tell of a mistake in pplc; writes a report where the user asked for one."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    message = [
        f"pplc: internal error: {type(error).__name__}: {error}",
        f"  at {Path(last.filename).name}:{last.lineno} in {last.name}",
        "This is a mistake in pplc, not in your spec. Please report it, with the spec.",
    ]
    report = os.environ.get("PPLC_CRASH_REPORT")
    if not report:
        message.append(
            "PPLC_CRASH_REPORT=FILE writes a report to send; PPLC_TRACEBACK=1 shows the traceback."
        )
        return "\n".join(message)
    arguments = sys.argv[1:] if args is None else list(args)
    lines = [
        f"pplc {VERSION}",
        f"Python {platform.python_version()} on {platform.platform()}",
        f"arguments: {arguments}",
        "",
        *traceback.format_exception(error),
    ]
    try:
        write_whole(Path(report), "\n".join(lines).encode())
        message.append(f"A report was written to {report}.")
    except OSError as refusal:
        message.append(f"The report could not be written to {report}: {refusal.strerror}.")
    return "\n".join(message)
