"""Every input that once showed a fault shows none."""

from collections.abc import Iterator
from pathlib import Path

import pyro
import pytest
import torch

import fuzz.models.campaign
import fuzz.regressions
from fuzz.findings import Findings
from fuzz.regressions import Regression, regressions

QUICK = [one for kind in ("specs", "ir", "data") for one in regressions(kind)]
SLOW = [one for kind in ("semantics", "models") for one in regressions(kind)]
COMMANDS = list(regressions("faults"))[:3]
by_name = {"ids": lambda one: one[0]}


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fuzz.regressions, "ENGINES", ("auto",))
    monkeypatch.setattr(fuzz.regressions, "AT_A_TIME", (4,))
    monkeypatch.setattr(fuzz.models.campaign, "STOCK", 80)
    monkeypatch.setattr(fuzz.models.campaign, "STEPS", 300)
    threads = torch.get_num_threads()
    with pyro.get_param_store().scope():
        yield
    torch.set_num_threads(threads)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("regression", [*QUICK, *SLOW, *COMMANDS], **by_name)
def test_regression(regression: Regression, tmp_path: Path) -> None:
    findings = Findings(tmp_path)
    regression[1](findings)
    assert findings.counts
    assert not findings.found
