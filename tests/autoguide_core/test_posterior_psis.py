"""Weights: known tails, degenerate cases, and resampling."""

from __future__ import annotations

import math

import pytest
import torch

from autoguide_core import psis, resample


def normal_weights(scale: float, count: int = 20_000) -> torch.Tensor:
    """Log weights of N(0, 1) draws from N(0, scale): their tail has k = 1 - scale ** 2."""
    generator = torch.Generator().manual_seed(0)
    x = scale * torch.randn(count, generator=generator, dtype=torch.float64)
    return -0.5 * x**2 + 0.5 * (x / scale) ** 2


def test_khat_grows_as_the_proposal_narrows() -> None:
    good, usable, bad = (psis(normal_weights(s)) for s in (1.2, 0.67, 0.4))
    assert [p.level for p in (good, usable, bad)] == ["good", "usable", "not reliable"]
    assert bad.khat == pytest.approx(1.0 - 0.4**2, abs=0.2)
    assert bad.verdict.startswith("not reliable: k-hat")
    for judged in (good, usable, bad):
        assert float(judged.weights.sum()) == pytest.approx(1.0)
        assert judged.ess == pytest.approx(1.0 / float(judged.weights.square().sum()))
    assert good.ess > usable.ess > bad.ess


def test_smoothing_takes_the_edge_off() -> None:
    log_weights = normal_weights(0.4)
    raw = (log_weights - log_weights.logsumexp(0)).exp()
    assert float(psis(log_weights).weights.max()) <= float(raw.max()) + 1e-12


def test_equal_weights_are_good_whatever_their_tail() -> None:
    flat = psis(torch.full((100,), -3.0))
    assert flat.level == "good"
    assert flat.ess == pytest.approx(100.0)
    generator = torch.Generator().manual_seed(0)
    cubic = 1e-3 * torch.randn(10_000, generator=generator, dtype=torch.float64) ** 3
    assert psis(cubic).level == "good"


def test_impossible_draws_get_no_weight() -> None:
    log_weights = torch.zeros(100)
    log_weights[3], log_weights[5] = -math.inf, math.nan
    judged = psis(log_weights)
    assert float(judged.weights[3] + judged.weights[5]) == 0.0
    assert "2 draws have no density" in judged.verdict
    with pytest.raises(ValueError, match="no draw"):
        psis(torch.full((10,), -math.inf))
    with pytest.raises(ValueError, match="shape"):
        psis(torch.zeros(2, 2))


def test_resampling_follows_the_weights_and_keeps_rows_together() -> None:
    x = torch.arange(4.0)
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4])
    drawn = resample({"x": x, "y": torch.stack([x, -x], 1)}, weights, 1000, seed=1)
    assert [int((drawn["x"] == value).sum()) for value in x] == [100, 200, 300, 400]
    assert torch.equal(drawn["y"][:, 0], drawn["x"])
    assert torch.equal(drawn["y"][:, 1], -drawn["x"])
    assert torch.equal(drawn["x"], resample({"x": x}, weights, 1000, seed=1)["x"])
    with pytest.raises(ValueError, match="4 draws for 3 weights"):
        resample({"x": x}, weights[:3], 10, seed=0)
