"""Time series, hidden Markov chains, differential equations and Gaussian processes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.special import logsumexp

from statements.statement import Statement, Values


def ar_k(d: Values, v: Values) -> Any:
    y, order = d["y"], len(v["beta"])
    found = stats.norm.logpdf([v["alpha"], *v["beta"]], 0, 10).sum()
    found += stats.cauchy.logpdf(v["sigma"], 0, 2.5)
    for t in range(order, len(y)):
        before = y[t - order : t][::-1]
        found += stats.norm.logpdf(y[t], v["alpha"] + v["beta"] @ before, v["sigma"])
    return found


def garch11(d: Values, v: Values) -> Any:
    found, spread = 0.0, d["sigma1"]
    for t, y in enumerate(d["y"]):
        if t:
            shock = d["y"][t - 1] - v["mu"]
            spread = np.sqrt(v["alpha0"] + v["alpha1"] * shock**2 + v["beta1"] * spread**2)
        found += stats.norm.logpdf(y, v["mu"], spread)
    return found


def forward(emitted: Any, v: Values) -> Any:
    """Return the log likelihood of a chain of two states, each of weight 1 at the start.

    Args:
        emitted: Log densities of the observations by state, (N, 2).
        v: `theta1` and `theta2`, the rows of the transition matrix.
    """
    moves = np.log([v["theta1"], v["theta2"]])
    weights = emitted[0]
    for density in emitted[1:]:
        weights = density + logsumexp(weights[:, None] + moves, axis=0)
    return logsumexp(weights)


def hmm_example(d: Values, v: Values) -> Any:
    emitted = stats.norm.logpdf(d["y"][:, None], v["mu"], 1)
    return stats.norm.logpdf(v["mu"], [3, 10], 1).sum() + forward(emitted, v)


def hmm_drive_1(d: Values, v: Values) -> Any:
    emitted = stats.norm.logpdf(d["u"][:, None], v["phi"], d["tau"])
    emitted = emitted + stats.norm.logpdf(d["v"][:, None], v["lambda"], d["rho"])
    return (
        stats.dirichlet.logpdf(v["theta1"], d["alpha"][0])
        + stats.dirichlet.logpdf(v["theta2"], d["alpha"][1])
        + stats.norm.logpdf(v["phi"], [0, 3], 1).sum()
        + stats.norm.logpdf(v["lambda"], [0, 3], 1).sum()
        + forward(emitted, v)
    )


def lotka_volterra(d: Values, v: Values) -> Any:
    a, b, c, e = v["theta"]

    def change(_: float, state: Any) -> Any:
        prey, predator = state
        return (a - b * predator) * prey, (-c + e * prey) * predator

    path = solve_ivp(
        change, (0, d["ts"][-1]), v["z_init"], t_eval=d["ts"], rtol=1e-11, atol=1e-11
    ).y.T
    return (
        stats.norm.logpdf([a, c], 1, 0.5).sum()
        + stats.norm.logpdf([b, e], 0.05, 0.05).sum()
        + stats.lognorm.logpdf(v["sigma"], 1, scale=np.exp(-1)).sum()
        + stats.lognorm.logpdf(v["z_init"], 1, scale=10).sum()
        + stats.lognorm.logpdf(d["y_init"], v["sigma"], scale=v["z_init"]).sum()
        + stats.lognorm.logpdf(d["y"], v["sigma"], scale=path).sum()
    )


def gp_regr(d: Values, v: Values) -> Any:
    gaps = d["x"][:, None] - d["x"]
    covariance = v["alpha"] ** 2 * np.exp(-(gaps**2) / (2 * v["rho"] ** 2))
    covariance += v["sigma"] * np.eye(len(d["x"]))
    return (
        stats.gamma.logpdf(v["rho"], 25, scale=1 / 4)
        + stats.norm.logpdf(v["alpha"], 0, 2)
        + stats.norm.logpdf(v["sigma"], 0, 1)
        + stats.multivariate_normal.logpdf(d["y"], np.zeros(len(d["x"])), covariance)
    )


PROCESSES = {
    "arK-arK": Statement(("alpha", "beta", "sigma"), ar_k),
    "garch-garch11": Statement(("mu", "alpha0", "alpha1", "beta1"), garch11),
    "hmm_example-hmm_example": Statement(("theta1", "theta2", "mu"), hmm_example),
    "bball_drive_event_1-hmm_drive_1": Statement(
        ("theta1", "theta2", "phi", "lambda"), hmm_drive_1
    ),
    "hudson_lynx_hare-lotka_volterra": Statement(
        ("theta", "z_init", "sigma"), lotka_volterra, tolerance=1e-4
    ),
    # The language's covariances have 1.5e-8 of the variance more on the diagonal.
    "gp_pois_regr-gp_regr": Statement(("rho", "alpha", "sigma"), gp_regr, tolerance=1e-6),
}
