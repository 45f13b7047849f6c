"""Wrong specs: every one gets exactly the diagnostics that its file shows."""

import pytest
from golden_cases import Case, cases, shown

CASES = cases("bad")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_diagnostics(case: Case, request: pytest.FixtureRequest) -> None:
    compilation = case.compiled()
    told = list(compilation.diagnostics)
    assert told, "nothing is told of this spec"
    case.check({"text": shown(told)}, request.config.getoption("--update-golden"))


def test_there_are_enough() -> None:
    assert len(CASES) >= 120
