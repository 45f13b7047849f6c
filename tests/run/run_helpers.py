"""The specs and data that the tests of a fit share; all fits are short."""

from __future__ import annotations

from typing import Any

EIGHT_SCHOOLS = """\
data {
  dim school
  y[school]     : real
  sigma[school] : real > 0
}
model eight_schools {
  mu  ~ Normal(0, 5)
  tau ~ HalfCauchy(5)
  plate school {
    theta ~ Normal(mu, tau) reparam noncentered
    y     ~ Normal(theta, sigma)
  }
}
predict {
  plate school { y_rep ~ Normal(theta, sigma) }
}
guide quick {
  part all = AutoNormal(*)
}
guide point {
  part all = AutoDelta(*)
}
"""

SCHOOLS: dict[str, Any] = {
    "school": ["Choate", "Deerfield", "Andover", "Exeter"],
    "y": [28, 8, -3, 7],
    "sigma": [15, 10, 16, 11],
}

MIXTURE = """\
data {
  dim obs
  dim k = 2
  y[obs] : real
}
model mixture {
  mu[k] : ordered ~ Normal(0, 10)
  plate obs {
    z ~ Categorical([0.5, 0.5]) marginalize
    record centre = mu[z]
    y ~ Normal(mu[z], 1)
  }
}
"""

CROSSED = """\
data {
  dim row, col, cell
  r[cell] : index(row)
  c[cell] : index(col)
  y[cell] : real
}
model crossed {
  plate row { a ~ Normal(0, 1) }
  plate col {
    b ~ Normal(0, 1)
    record doubled = 2 * b
  }
  plate col {
    plate row { w ~ Normal(0, 1) }
  }
  S ~ LKJCholesky(2, 1)
  plate cell minibatch 3 { y ~ Normal(a[r] + b[c] + w[c, r], 1) }
}
guide {
  part all = AutoNormal(*)
}
"""

QUICK: dict[str, Any] = {"steps": 60, "method": "adam", "draws": 50, "progress": False}
"""Settings of a fit that only has to run."""
