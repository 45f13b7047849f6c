"""Schedules, averaging, and the judgement of a run."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autoguide_core.engine.averaging import IterateAverage
from autoguide_core.engine.convergence import Drift, judge
from autoguide_core.engine.eager_optimiser import Optimiser
from autoguide_core.engine.schedules import rate_factor
from autoguide_core.engine.threads import SMALL, suitable_threads


@pytest.mark.parametrize("schedule", ["cosine", "exponential", "one_cycle"])
def test_schedules_end_at_a_hundredth(schedule: str) -> None:
    factors = [rate_factor(schedule, step, 101) for step in range(101)]
    assert factors[-1] == pytest.approx(0.01)
    assert max(factors) == pytest.approx(1.0)
    assert min(factors) > 0.0
    assert rate_factor("constant", 50, 101) == 1.0
    assert rate_factor(schedule, 0, 1) > 0.0
    with pytest.raises(ValueError, match="unknown"):
        rate_factor("linear", 0, 1)


def test_clipping_bounds_a_step_of_plain_descent() -> None:
    point = torch.zeros(3, requires_grad=True)
    optimiser = Optimiser("ClippedAdam", [point], {"clip_norm": 1.0, "lr": 0.5})
    point.grad = torch.full((3,), 1e6)
    optimiser.step(1.0)
    assert torch.allclose(point.detach(), torch.full((3,), -0.5))


def test_average_is_closer_than_the_last_iterate() -> None:
    generator = torch.Generator().manual_seed(0)
    point = torch.zeros(1000)
    average = IterateAverage([point], steps=2500)
    for _ in range(2500):
        point.normal_(generator=generator)
        average.update()
    average.write_back()
    assert float(point.std()) == pytest.approx((0.01 / 1.99) ** 0.5, rel=0.1)


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
        drift.update(step, 0.01)
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
