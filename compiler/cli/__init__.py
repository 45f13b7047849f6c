"""The command line: `pplc`, a file a command, and `compile-and-fit`."""


def main() -> None:
    """Run `pplc`."""
    from compiler.cli.group import pplc

    pplc.main(prog_name="pplc")


def compile_and_fit_main() -> None:
    """Run `compile-and-fit`, which is `pplc fit`."""
    from compiler.cli.compile_and_fit import command

    command.main(prog_name="compile-and-fit")
