"""Where blocks of steps end hangs on the clock; no number does, to the last bit."""

from __future__ import annotations

import itertools

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autoguide_core import AutoMultivariateNormal, FitResult, FitSettings, fit
from autoguide_core.engine.convergence import Drift
from autoguide_core.engine.optimisers import OPTIMISERS, SCHEDULES, Averaged, make_optimiser
from autoguide_core.engine.stepping.loop import Plan
from autoguide_core.engine.stepping.pace import Pace

TOTAL = 10_000


def ends(blocks: list[int]) -> list[tuple[int, int]]:
    """First step and number of steps of blocks of these lengths, again and again, up to TOTAL."""
    found, first = [], 0
    for length in itertools.cycle(blocks):
        found.append((first, min(length, TOTAL - first)))
        first += length
        if first >= TOTAL:
            return found
    raise AssertionError


@given(
    st.sampled_from(OPTIMISERS),
    st.sampled_from(SCHEDULES),
    st.booleans(),
    st.lists(st.integers(1, 6000), min_size=1, max_size=4),
)
@settings(max_examples=25, deadline=None)
def test_rates_and_rows_do_not_hang_on_blocks(
    name: str, schedule: str, averaged: bool, blocks: list[int]
) -> None:
    rule = make_optimiser(name, {"lr": 0.03})
    plan = Plan(Averaged(rule, TOTAL) if averaged else rule, schedule, TOTAL, 0)
    blocks = [*blocks, 5000]
    rows = torch.cat([plan.rows(*block) for block in ends(blocks)])
    assert torch.equal(rows, plan.rows(0, TOTAL))
    assert len(rows) == TOTAL
    records = []
    for split in (blocks, [1237]):
        parameter = torch.zeros(3)
        drift = Drift({"p": parameter}, TOTAL)
        first = 0
        for stop in (*(one + 1 for one in drift.stops), TOTAL):
            while first < stop:
                count = min(split[first % len(split)], stop - first)
                drift.update(first + count - 1, plan.rates(first, count).numpy())
                parameter += 0.5
                first += count
        records.append(drift.record()["path"])
    assert records[0] == records[1]


def regression(x: torch.Tensor, y: torch.Tensor) -> None:
    b = pyro.sample("b", dist.Normal(torch.zeros(x.shape[1]).to(x), 1.0).to_event(1))
    scale = pyro.sample("scale", dist.HalfNormal(torch.ones(()).to(x)))
    with pyro.plate("rows", len(x), subsample_size=len(x) // 2) as index:
        pyro.sample("y", dist.StudentT(4.0, x[index] @ b, scale), obs=y[index])


@pytest.mark.parametrize(
    ("engine", "dtype", "steps"),
    [("graph", torch.float32, 450), ("native", torch.float64, 900), ("eager", torch.float64, 40)],
)
def test_fits_do_not_hang_on_blocks(
    engine: str, dtype: torch.dtype, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of very different lengths; some meet the end of a chunk of noise, after 383 steps."""
    x = torch.randn(120, 110, dtype=dtype)
    y = x.sum(1)

    def made(size: int) -> FitResult:
        monkeypatch.setattr(Pace, "next", lambda self, **_: size)
        pyro.clear_param_store()
        pyro.set_rng_seed(0)
        options = FitSettings(steps=steps, method="adam", engine=engine, schedule="one_cycle")
        return fit(regression, AutoMultivariateNormal(regression), (x, y), settings=options)

    first, *others = (made(size) for size in (64, 7, 1))
    values = first.parameter_values()
    for other in others:
        assert np.array_equal(first.elbo, other.elbo)
        assert first.verdict == other.verdict
        found = other.parameter_values()
        assert all(np.array_equal(values[name], found[name]) for name in values)
