"""The command `pplc`: a group that loads a command's file only when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from compiler.cli.guard import Guarded
from compiler.diagnostics import did_you_mean
from compiler.version import VERSION

COMMANDS = {
    "check": "check",
    "fmt": "fmt",
    "emit": "emit",
    "fit": "compile_and_fit",
    "compare": "compare",
    "report": "write_report",
    "diff": "diff",
    "cache": "cache",
    "explain": "explain",
    "schema": "schema",
    "new": "new",
}
"""Each command, with the module of this package that defines it as `command`."""


class LazyGroup(Guarded, click.Group):
    """A group of the commands of `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which one meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, its module imported."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"compiler.cli.{COMMANDS[cmd_name]}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names; a wrong name gets the nearest one."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            guess = did_you_mean(args[0], COMMANDS)
            if guess is None and args[0].endswith((".ppl", ".json")):
                guess = f"check {args[0]}"
            hint = f" Did you mean `pplc {guess}`?" if guess else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


def _print_version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    del parameter
    if wanted:
        click.echo(f"pplc {VERSION}")
        context.exit()


@click.group(
    "pplc",
    cls=LazyGroup,
    examples=(
        "pplc new model.ppl                   a spec to start from",
        "pplc check model.ppl                 is it right?",
        "pplc emit module model.ppl           the Pyro code that it becomes",
        "pplc fit model.ppl --data data.csv   compile it, fit it, save the posterior",
        "pplc compare model.ppl --data …      the same posterior by NUTS, beside the fit's",
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Completion for your shell: eval "$(_PPLC_COMPLETE=bash_source pplc)" '
    "(or zsh_source, fish_source).",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit.",
)
def pplc() -> None:
    """Compile declarative probabilistic model specs to Pyro, and fit them."""
