"""The generated page of functions is up to date."""

from __future__ import annotations

from compiler.tables import function_reference as functions
from compiler.tables.functions import FUNCTIONS


def test_functions_page_is_up_to_date() -> None:
    page = (functions.REFERENCE / "functions.md").read_text(encoding="utf-8")
    assert page == functions.functions_page(), "run `make docs`"


def test_every_function_is_there() -> None:
    page = functions.functions_page()
    for name in FUNCTIONS:
        assert f"| `{name}(" in page
