"""The command line: `pplc`, a file a command, and `compile-and-fit`."""

import gc
import os


def main() -> None:
    """Run `pplc`."""
    _start_lightly()
    from compiler.cli.group import pplc

    pplc.main(prog_name="pplc")


def compile_and_fit_main() -> None:
    """Run `compile-and-fit`, which is `pplc fit`."""
    _start_lightly()
    from compiler.cli.compile_and_fit import command

    command.main(prog_name="compile-and-fit")


def _start_lightly() -> None:
    """Leave out what costs a short-lived process a quarter of its time.

    These are the garbage collector, which a fit turns on again, and the search of all installed
    packages for plugins of pydantic.
    """
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
