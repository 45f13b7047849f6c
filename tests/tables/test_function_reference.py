"""The generated pages of functions and of diagnostics are up to date."""

from __future__ import annotations

from compiler.diagnostics import reference as diagnostics
from compiler.diagnostics.codes import CODES
from compiler.tables import function_reference as functions
from compiler.tables.functions import FUNCTIONS


def test_functions_page_is_up_to_date() -> None:
    page = (functions.REFERENCE / "functions.md").read_text(encoding="utf-8")
    assert page == functions.functions_page(), "run `make docs`"


def test_every_function_is_there() -> None:
    page = functions.functions_page()
    for name in FUNCTIONS:
        assert f"| `{name}(" in page


def test_diagnostics_page_is_up_to_date() -> None:
    page = (diagnostics.REFERENCE / "diagnostics.md").read_text(encoding="utf-8")
    assert page == diagnostics.diagnostics_page(), "run `make docs`"


def test_every_code_is_there() -> None:
    page = diagnostics.diagnostics_page()
    for code in CODES:
        assert f"\n## {code}\n" in page
