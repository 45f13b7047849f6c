"""Options of the whole test suite."""

import os

import pytest

os.environ.setdefault("PPLC_CHECKS", "1")  # of the native compiler's passes; workers inherit it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the expected blocks of tests/golden with what the compiler gives now",
    )
