"""The judgement of a run, and its threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autoguide_core.engine.convergence import Drift, judge
from autoguide_core.engine.threads import SMALL, suitable_threads


def test_verdicts_on_known_histories() -> None:
    noise = np.random.default_rng(0).normal(size=5000)
    steps = np.arange(5000.0)
    flat, rising = judge(noise, 0.2, None, 5000), judge(noise + steps * 0.002, 0.2, None, 5000)
    falling = judge(noise - steps * 0.002, 0.2, None, 5000)
    assert flat.converged
    assert not rising.converged
    assert "still rising by" in rising.sentence
    assert "steps = 10000" in rising.sentence
    assert "falling" in falling.sentence
    assert "too few" in judge(noise[:50], 0.1, None, 50).sentence
    assert "noise" in judge(1e4 * noise, 0.1, None, 5000).sentence


def test_drift_tells_travel_from_trembling() -> None:
    travelling, trembling = torch.zeros(2), torch.zeros(2)
    drift = Drift({"far": travelling, "near": trembling}, 1000)
    for step in range(1000):
        travelling += 0.01
        trembling += 0.01 * (-1) ** step
        drift.update(step, np.array([0.01]))
    assert drift.name == "far"
    assert drift.ratio == pytest.approx(1.0, abs=0.02)
    verdict = judge(np.random.default_rng(0).normal(size=1000) * 1e-3, 0.1, drift, 1000)
    assert "'far' was still travelling" in verdict.sentence


def test_small_fits_use_one_thread_and_leave_the_number_as_it_was() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with suitable_threads({"y": torch.zeros(10)}):
            assert torch.get_num_threads() == 1
        with suitable_threads([torch.zeros(SMALL)]):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
