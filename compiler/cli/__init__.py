"""The command line: `pplc`, a file a command, and `compile-and-fit`."""

import gc
import io
import os
import sys

from compiler.cli import signals


def main() -> None:
    """Run `pplc`."""
    signals.run(_pplc)


def compile_and_fit_main() -> None:
    """Run `compile-and-fit`, which is `pplc fit`."""
    signals.run(_compile_and_fit)


def _pplc() -> None:
    _start()
    from compiler.cli.group import pplc

    pplc.main(prog_name="pplc")


def _compile_and_fit() -> None:
    _start()
    from compiler.cli.compile_and_fit import command

    command.main(prog_name="compile-and-fit")


def _start() -> None:
    """Prepare a process that is to end soon, and to print whatever a spec holds.

    The garbage collector, which a fit turns on again, and the search of all installed packages for
    plugins of pydantic would take a quarter of the time of `pplc check`. Characters that the
    terminal does not have, as in the name of a file, are printed as escapes.

    SciPy's OpenBLAS shares out even triangular systems of 20 rows, which L-BFGS solves at each of
    its steps: that takes many times as long, most of it waiting where other processes use the
    cores, and it is not safe in a process that was forked.
    """
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
