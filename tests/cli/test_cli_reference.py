"""The generated reference pages of the command line and of diagnostics are up to date."""

import re

from compiler.cli import reference as command_line
from compiler.cli.group import COMMANDS
from compiler.diagnostics import CODES
from compiler.diagnostics import reference as diagnostics


def test_command_line_page_is_up_to_date() -> None:
    assert command_line.TARGET.read_text() == command_line.command_line_page(), (
        "run `python -m compiler.cli.reference`"
    )


def test_diagnostics_page_is_up_to_date() -> None:
    assert diagnostics.TARGET.read_text() == diagnostics.diagnostics_page(), (
        "run `python -m compiler.diagnostics.reference`"
    )


def test_pages_name_everything() -> None:
    commands = re.findall("^## pplc (.+)$", command_line.command_line_page(), re.MULTILINE)
    assert commands == list(COMMANDS)
    codes = re.findall("^### (.+)$", diagnostics.diagnostics_page(), re.MULTILINE)
    assert codes == list(CODES)
