"""Fits of data with gaps, against what is known of their posteriors."""

from __future__ import annotations

import numpy as np
import pytest

import pplc

CONTINUOUS = """
data {
  dim obs
  x[obs] : real missing
  y[obs] : real missing
}
model {
  m ~ Normal(0, 5)
  b ~ Normal(0, 5)
  plate obs {
    x ~ Normal(m, 1)
    y ~ Normal(b * x, 0.5)
  }
}
"""

DISCRETE = """
data {
  dim obs
  z[obs] : int in 0 .. 1 missing
  y[obs] : real
}
model {
  p ~ Beta(1, 1)
  plate obs {
    z ~ Bernoulli(p)
    y ~ Normal(2 * z, 1)
  }
}
"""


def test_continuous_gaps_are_imputed() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(1, 1, size=40)
    y = 2 * x + rng.normal(0, 0.5, size=40)
    x[3], y[[5, 7]] = np.nan, np.nan
    posterior = pplc.loads(CONTINUOUS).fit({"x": x, "y": y}, seed=0, progress=False).idata.posterior
    assert posterior["x_gap"].values.tolist() == [3]
    assert posterior["y_gap"].values.tolist() == [5, 7]
    b, m = float(posterior["b"].mean()), float(posterior["m"].mean())
    precision = 1 + b**2 / 0.25
    expected = (m + b * y[3] / 0.25) / precision
    assert float(posterior["x_missing"].mean()) == pytest.approx(expected, abs=0.05)
    assert float(posterior["x_missing"].std()) == pytest.approx(precision**-0.5, rel=0.2)
    imputed = posterior["y_missing"].mean(("chain", "draw")).values
    np.testing.assert_allclose(imputed, b * x[[5, 7]], atol=0.08)


def test_discrete_gaps_are_summed_out() -> None:
    rng = np.random.default_rng(0)
    z = rng.binomial(1, 0.4, size=60).astype(float)
    y = rng.normal(2 * z)
    z[:10] = np.nan
    posterior = pplc.loads(DISCRETE).fit({"z": z, "y": y}, seed=0, progress=False).idata.posterior
    p = np.linspace(0.0005, 0.9995, 1000)
    one, none = np.exp(-((y[:10, None] - 2) ** 2) / 2), np.exp(-(y[:10, None] ** 2) / 2)
    seen = np.nansum(z), 50 - np.nansum(z)
    weight = p ** seen[0] * (1 - p) ** seen[1] * np.prod(p * one + (1 - p) * none, axis=0)
    weight /= weight.sum()
    assert float(posterior["p"].mean()) == pytest.approx((weight * p).sum(), abs=0.01)
    chance = (weight * p * one / (p * one + (1 - p) * none)).sum(1)
    found = posterior["z_missing"].mean(("chain", "draw")).values
    np.testing.assert_allclose(found, chance, atol=0.03)


PART = "  part a = AutoNormal(x_missing)\n"
GUIDES = ["", f"guide g {{\n{PART}  part b = AutoNormal(*)\n}}\n"]


@pytest.mark.parametrize("guide", GUIDES, ids=["auto", "by hand"])
def test_without_gaps_there_is_nothing_to_fill(guide: str) -> None:
    """The fit is the one of the same spec without `missing`, and a note says so."""
    data = {"x": [1.0, 0.4, 1.2], "y": [2.0, 0.9, 2.1]}
    fit = pplc.loads(CONTINUOUS + guide).fit(data, seed=0, progress=False)
    plain = (CONTINUOUS + guide).replace(" missing", "").replace(PART, "")
    expected = pplc.loads(plain).fit(data, seed=0, progress=False)
    assert "'x' is declared `missing`, and has no gaps" in fit.notes
    assert set(fit.idata.posterior) == set(expected.idata.posterior)
    for name, draws in expected.idata.posterior.items():
        np.testing.assert_allclose(fit.idata.posterior[name], draws, rtol=1e-6)


def test_a_latent_of_no_gap_that_is_read() -> None:
    reading = CONTINUOUS.replace("  b ~", "  factor f = -sum(square(x_missing))\n  b ~")
    with pytest.raises(pplc.SpecError, match=r"PPL094 .*'x_missing' is read here"):
        pplc.loads(reading).fit({"x": [1.0], "y": [2.0]}, progress=False)
