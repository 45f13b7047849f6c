"""A minute of each campaign's inputs with a fixed seed; and faults that are planted are found."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pyro
import pytest
import torch

import fuzz.specs.checks
from fuzz.__main__ import main
from fuzz.campaigns import CAMPAIGNS
from fuzz.clock import Clock
from fuzz.faults import interrupts
from fuzz.findings import Findings
from fuzz.semantics import expressions
from fuzz.semantics.comparison import compare_model
from fuzz.semantics.model import RandomModel, Sizes

INPUTS = {
    "specs": 300,
    "ir": 150,
    "data": 150,
    "saved": 20,
    "semantics": 1,
    "models": 1,
    "edges": 2,
}
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def _own_surroundings() -> Iterator[None]:
    threads = torch.get_num_threads()
    with pyro.get_param_store().scope():
        yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", INPUTS)
def test_campaign(name: str, tmp_path: Path) -> None:
    findings = Findings(tmp_path)
    CAMPAIGNS[name].run(Random(1), Clock(limit=INPUTS[name]), findings)
    assert findings.counts["inputs"] >= 1
    assert not findings.found


def test_a_signal(tmp_path: Path) -> None:
    findings = Findings(tmp_path)
    interrupts.try_one(interrupts.SIGNALS[1], True, 5.0, findings)
    assert not findings.found


def test_a_wrong_meaning_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(expressions.UNARY, "tanh({})", np.sin)
    findings = Findings(tmp_path)
    random = Random(0)
    for _ in range(20):
        if not findings.found:
            compare_model(RandomModel(Sizes(5, 2, 3), random), (), findings)
    assert "the emitted density is not scipy's" in findings.found
    (folder,) = tmp_path.iterdir()
    assert {file.name for file in folder.iterdir()} == {"finding.txt", "spec.ppl", "data.json"}


def test_a_crash_is_found_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash(*words: object) -> None:
        raise KeyError("planted")

    asked = ["--only", "specs", "--limit", "3", "--seed", "2", "--out", str(tmp_path)]
    assert main(asked) == 0
    monkeypatch.setattr(fuzz.specs.checks, "compile_text", crash)
    assert main(asked) == 1
    told = capsys.readouterr().out
    assert "FOUND the compiler: KeyError at test_fuzz_campaigns.py" in told
    assert "1 faults" in told
