"""Random programs: native code gives what torch gives, whatever is fused with what."""

from __future__ import annotations

import pytest
from native_programs import ROWS, disagreement


@pytest.mark.parametrize("seed", range(14))
def test_random_programs_agree(seed: int) -> None:
    assert not disagreement(seed)


@pytest.mark.parametrize("seed", range(4))
def test_large_random_programs_agree(seed: int) -> None:
    """Long enough to be grouped by rows, and shared among threads."""
    assert not disagreement(100 + seed, length=25, rows=ROWS[seed], threads=2)
