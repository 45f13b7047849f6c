"""Options of the whole test suite."""

import os
from collections.abc import Iterator

import pyro
import pytest

os.environ.setdefault("PPLC_CHECKS", "1")  # of the native compiler's passes; workers inherit it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the expected blocks of tests/golden with what the compiler gives now",
    )


@pytest.fixture(autouse=True)
def _validation_is_put_back() -> Iterator[None]:
    """Whoever switches Pyro's checks off puts them back: a later test would see nothing wrong."""
    parts = (pyro.distributions, pyro.infer, pyro.poutine)
    before = [part.is_validation_enabled() for part in parts]
    yield
    after = [part.is_validation_enabled() for part in parts]
    for part, enabled in zip(parts, before, strict=True):
        part.enable_validation(enabled)
    assert after == before
