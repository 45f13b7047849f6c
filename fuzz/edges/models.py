"""Conjugate models: a spec, random data at the edge of what there may be, the exact posterior."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

Moments = dict[str, tuple[float, float]]
"""Posterior mean and standard deviation, by the name that the summary has."""


@dataclass(frozen=True)
class Edge:
    """A fit whose posterior is known.

    Attributes:
        spec: The text.
        data: The data.
        exact: The posterior.
    """

    spec: str
    data: Mapping[str, Any]
    exact: Moments


_REGRESSION = """\
data {
  dim obs, pred
  X[obs, pred] : real
  y[obs] : real
}
model m {
  a ~ Normal(0, 10)
  b[pred] ~ Normal(0, 5)
  plate obs { y ~ Normal(a + dot(X, b), 1) }
}
"""
_POISSON = """\
data {
  dim obs
  y[obs] : int >= 0
}
model m {
  rate ~ Gamma(1, 0.001)
  plate obs { y ~ Poisson(rate) }
}
"""
_COIN = """\
data {
  dim obs
  n[obs] : int >= 0
  y[obs] : int >= 0
}
model m {
  p ~ Beta(1, 1)
  plate obs { y ~ Binomial(n, p) }
}
"""
_CLASSES = """\
data {
  dim obs
  dim k = 3
  y[obs] : int in 0 .. 2
}
model m {
  p[k] ~ Dirichlet(ones(k))
  plate obs { y ~ Categorical(p) }
}
"""
_MEAN = """\
data {
  dim obs
  y[obs] : real
}
model m {
  mu ~ Normal(0, PRIOR)
  plate obs { y ~ Normal(mu, NOISE) }
}
"""


def _regression(random: Random, generator: Any) -> Edge:
    rows, predictors = random.choice([0, 1, 2, 3, 10, 60]), random.choice([1, 2, 3, 20])
    x = generator.normal(size=(rows, predictors))
    match random.randrange(5):
        case 0:
            x[:] = x[:, :1]  # collinear
        case 1:
            x[:, 0] = random.choice([0.0, 1.0])
        case 2:
            x *= random.choice([1e-12, 1e-6, 1e6, 1e12])
    y = generator.normal(size=rows)
    design = np.column_stack([np.ones(rows), x])
    precision = design.T @ design + np.diag([1 / 100] + [1 / 25] * predictors)
    covariance = np.linalg.inv(precision)
    means, sds = covariance @ design.T @ y, np.sqrt(np.diag(covariance))
    names = ["a", *(f"b[{place}]" for place in range(predictors))]
    return Edge(_REGRESSION, {"X": x, "y": y}, _moments(names, means, sds))


def _poisson(random: Random, generator: Any) -> Edge:
    choices: list[list[int]] = [
        [0] * 20,
        [1, 2, 3],
        [10**9, 10**9 + 5],
        [2**53 - 1],
        [10**15, 1, 2],
    ]
    counts = random.choice([[], *choices, generator.poisson(3, 200).tolist()])
    shape, rate = 1 + sum(counts), 0.001 + len(counts)
    exact = {"rate": (shape / rate, math.sqrt(shape) / rate)}
    return Edge(_POISSON, {"y": np.array(counts, int)}, exact)


def _coin(random: Random, generator: Any) -> Edge:
    n = np.array(random.choice([[0, 0, 5], [10**9, 10**9], [1], [], [7] * 100]), int)
    y = (n * random.choice([0.0, 0.3, 1.0])).astype(int)
    a, b = 1 + int(y.sum()), 1 + int((n - y).sum())
    sd = math.sqrt(a * b / (a + b) ** 2 / (a + b + 1))
    return Edge(_COIN, {"n": n, "y": y}, {"p": (a / (a + b), sd)})


def _classes(random: Random, generator: Any) -> Edge:
    count = random.choice([0, 1, 30, 1000])
    y = generator.integers(0, random.choice([1, 2, 3]), count)
    seen = 1 + np.bincount(y, minlength=3)
    total = seen.sum()
    sds = np.sqrt(seen * (total - seen) / total**2 / (total + 1))
    return Edge(_CLASSES, {"y": y}, _moments([f"p[{k}]" for k in range(3)], seen / total, sds))


def _mean(random: Random, generator: Any) -> Edge:
    scale, rows = 10.0 ** random.choice([-12, -6, 0, 6, 12]), random.choice([1, 2, 50])
    far = random.choice([0.0, 0.0, 1e3])
    y = scale * (far + generator.normal(size=rows))
    prior, noise = 10 * scale * (1 + far), scale
    precision = rows / noise**2 + 1 / prior**2
    exact = {"mu": (float(y.sum()) / noise**2 / precision, precision**-0.5)}
    spec = _MEAN.replace("PRIOR", f"{prior!r}").replace("NOISE", f"{noise!r}")
    return Edge(spec, {"y": y}, exact)


def _moments(names: list[str], means: Any, sds: Any) -> Moments:
    return {n: (float(m), float(s)) for n, m, s in zip(names, means, sds, strict=True)}


KINDS: tuple[Callable[[Random, Any], Edge], ...] = (_regression, _poisson, _coin, _classes, _mean)


def edge(random: Random) -> Edge:
    """Return a random one."""
    return random.choice(KINDS)(random, np.random.default_rng(random.randrange(2**31)))
