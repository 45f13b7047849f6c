"""Fits with nothing set: hierarchies as people write them, and what is said of them."""

from __future__ import annotations

import numpy as np
import pytest

import pplc
from compiler.pipeline import compile_text

SCHOOLS = {
    "y": [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0],
    "sigma": [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0],
}
CENTRED = """
data {
  dim school
  y[school] : real
  sigma[school] : real > 0
}
model schools {
  mu  ~ Normal(0, 5)
  tau ~ HalfCauchy(5)
  plate school {
    theta ~ Normal(mu, tau)
    y     ~ Normal(theta, sigma)
  }
}
"""
REFERENCE = {"mu": (4.39, 3.31), "tau": (3.62, 3.17), "theta[0]": (6.20, 5.59)}
"""Means and sds of long runs of NUTS."""


@pytest.fixture(scope="module")
def schools():
    return pplc.loads(CENTRED).fit(SCHOOLS, seed=2, progress=False)


def test_a_centred_funnel_is_right_and_said_to_be(schools):
    assert schools.guide.parts[0].family == "AutoNoncenteredMultivariateNormal"
    rows = schools.summary()
    for name, (mean, sd) in REFERENCE.items():
        assert rows.loc[name, "mean"] == pytest.approx(mean, abs=0.1 * sd), name
        assert rows.loc[name, "sd"] == pytest.approx(sd, rel=0.1), name
    assert schools.posterior.correction == "annealing"
    assert schools.reliable
    assert schools.verdict[0].startswith("good: the guide's draws (k-hat ")
    assert schools.posterior.ess > 5000


def test_flat_scales_of_a_varying_slopes_model_do_not_run_away():
    """The centred density of this model grows without bound as a scale goes to zero."""
    rng = np.random.default_rng(5)
    level, slope = rng.normal(240, 14, 20), rng.normal(6, 0.5, 20)
    who = np.repeat(np.arange(20), 5)
    day = np.tile([-14.0, -7.0, 0.0, 7.0, 14.0], 20)
    weight = rng.normal(level[who] + slope[who] * day, 6.0)
    text = """
    data {
      dim rat, obs
      who[obs] : index(rat)
      day[obs] : real
      y[obs]   : real
    }
    model rats {
      mu[2] ~ Normal(0, 100)
      sd_level ~ Flat(lower = 0)
      sd_slope ~ Flat(lower = 0)
      sigma    ~ Flat(lower = 0)
      plate rat {
        level ~ Normal(mu[0], sd_level)
        slope ~ Normal(mu[1], sd_slope)
      }
      plate obs { y ~ Normal(level[who] + slope[who] * day, sigma) }
    }
    """
    fit = pplc.loads(text).fit({"who": who, "day": day, "y": weight}, progress=False)
    assert fit.reliable
    rows = fit.summary()
    for name, truth in {"sd_level": 14.0, "sd_slope": 0.5, "sigma": 6.0}.items():
        assert abs(rows.loc[name, "mean"] - truth) < 4 * rows.loc[name, "sd"], name
        assert rows.loc[name, "sd"] < 0.5 * truth, name


def test_draws_are_left_alone_where_that_is_asked_for():
    fit = pplc.loads(CENTRED).fit(SCHOOLS, correction="none", draws=500, progress=False)
    assert fit.posterior.correction == "none"
    assert fit.idata.posterior.sizes["draw"] == 500


def test_what_was_chosen_can_be_pasted_into_the_spec(schools):
    blocks = schools.guide_block()
    compiled = compile_text(CENTRED + blocks, "schools.ppl")
    compiled.diagnostics.raise_errors()
    (guide,) = compiled.program.guides
    assert guide.parts[0].family == "AutoNoncenteredMultivariateNormal"
    assert compiled.program.fit["correction"] == "annealing"
    again = pplc.loads(CENTRED + blocks).fit(SCHOOLS, seed=2, progress=False)
    assert np.allclose(again.summary()["mean"], schools.summary()["mean"], atol=0.3)


def test_predictive_checks_find_what_the_model_does_not_make():
    text = (
        "data { dim o\n y[o] : real }\nmodel m {\n mu ~ Normal(0, 1)\n"
        " plate o { y ~ Normal(mu, 1) }\n}"
    )
    data = {"y": np.random.default_rng(0).normal(0, 5, 60)}
    checks = pplc.loads(text).fit(data, progress=False).predictive_checks()
    assert checks.loc["sd(y)", "p"] < 0.01
    assert checks.loc["sd(y)", "data"] == pytest.approx(np.std(data["y"]))
    assert 0.05 < checks.loc["mean(y)", "p"] < 0.95
