"""The specs that hostile data are given to."""

REGRESSION = """\
data {
  dim obs
  x[obs] : real
  y[obs] : real
}
model m {
  a ~ Normal(0, 1)
  s ~ HalfNormal(1)
  plate obs { y ~ Normal(a * x, s) }
}
fit { draws = 50 }
"""
COUNTS = REGRESSION.replace("y[obs] : real", "y[obs] : int >= 0").replace(
    "Normal(a * x, s)", "Poisson(exp(a + s * x))"
)
GROUPS = """\
data {
  dim g, obs
  x[g] : real
  i[obs] : index(g)
  y[obs] : real
}
model m {
  s ~ HalfNormal(1)
  plate g { a ~ Normal(x, 1) }
  plate obs { y ~ Normal(a[i], s) }
}
"""
GAPS = REGRESSION.replace("x[obs] : real", "x[obs] : real missing").replace(
    "plate obs {", "plate obs { x ~ Normal(0, 1);"
)

SPECS = (REGRESSION, COUNTS, GROUPS, GAPS)
GOOD = {"x": [1.0, 2.0, 3.0, 4.0], "y": [1.0, 2.0, 3.0, 4.0], "i": [0, 1, 2, 3]}
"""Data that each of them takes."""
