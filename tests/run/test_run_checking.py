"""Posterior predictive checks: which sites have them."""

from __future__ import annotations

import numpy as np
import xarray as xr

import pplc
from compiler.run.checking import checks

SPEC = """
data {
  dim patient
  t[patient] : real > 0
  seen[patient] : bool
  u[patient] : real
}
model {
  rate ~ LogNormal(0, 1)
  plate patient {
    t ~ Exponential(rate) censored(right = not seen)
    u ~ Normal(rate, 1) censored(lower = 0)
  }
}
"""


def test_replicates_that_flags_do_not_censor_are_not_compared() -> None:
    observed = xr.Dataset({name: ("patient", np.ones(3)) for name in ("t", "u")})
    drawn = observed.expand_dims(chain=1, draw=50)
    groups = {"observed_data": observed, "posterior_predictive": drawn}
    assert [check.name for check in checks(pplc.loads(SPEC).program, groups)] == ["u"]
