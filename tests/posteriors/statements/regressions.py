"""Normal regressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from statements.statement import Statement, Values, design

Columns = Callable[[Values], tuple[Any, Any]]


def regression(columns: Columns, sigma_scale: float | None = None) -> Statement:
    """Return `y ~ Normal(X beta, sigma)`, flat in beta, sigma flat or half-Cauchy."""

    def log_density(d: Values, v: Values) -> Any:
        y, x = columns(d)
        prior = 0.0 if sigma_scale is None else stats.cauchy.logpdf(v["sigma"], 0, sigma_scale)
        return prior + stats.norm.logpdf(y, x @ v["beta"], v["sigma"]).sum()

    return Statement(("beta", "sigma"), log_density)


def logearn_interaction(d: Values) -> tuple[Any, Any]:
    return np.log(d["earn"]), design(d["height"], d["male"], d["height"] * d["male"])


def mesquite(d: Values) -> tuple[Any, Any]:
    sizes = ("diam1", "diam2", "canopy_height", "total_height", "density", "group")
    return d["weight"], design(*(d[name] for name in sizes))


def logmesquite(d: Values) -> tuple[Any, Any]:
    sizes = ("diam1", "diam2", "canopy_height", "total_height", "density")
    return np.log(d["weight"]), design(*(np.log(d[name]) for name in sizes), d["group"])


def logmesquite_logvolume(d: Values) -> tuple[Any, Any]:
    return np.log(d["weight"]), design(np.log(d["diam1"] * d["diam2"] * d["canopy_height"]))


def nes(d: Values) -> tuple[Any, Any]:
    ages = [d["age_discrete"] == level for level in (2, 3, 4)]
    others = [d[name] for name in ("educ1", "gender", "income")]
    return d["partyid7"], design(d["real_ideo"], d["race_adj"], *ages, *others)


def kidscore_interaction(d: Values) -> tuple[Any, Any]:
    return d["kid_score"], design(d["mom_hs"], d["mom_iq"], d["mom_hs"] * d["mom_iq"])


def kidscore_interaction_c(d: Values) -> tuple[Any, Any]:
    h, q = d["mom_hs"] - d["mom_hs"].mean(), d["mom_iq"] - d["mom_iq"].mean()
    return d["kid_score"], design(h, q, h * q)


def kidscore_mom_work(d: Values) -> tuple[Any, Any]:
    return d["kid_score"], design(*(d["mom_work"] == level for level in (2, 3, 4)))


def kilpisjarvi(d: Values, v: Values) -> Any:
    return (
        stats.norm.logpdf(v["alpha"], d["pmualpha"], d["psalpha"])
        + stats.norm.logpdf(v["beta"], d["pmubeta"], d["psbeta"])
        + stats.norm.logpdf(d["y"], v["alpha"] + v["beta"] * d["x"], v["sigma"]).sum()
    )


def blr(d: Values, v: Values) -> Any:
    return (
        stats.norm.logpdf(v["beta"], 0, 10).sum()
        + stats.norm.logpdf(v["sigma"], 0, 10)
        + stats.norm.logpdf(d["y"], d["X"] @ v["beta"], v["sigma"]).sum()
    )


REGRESSIONS = {
    "earnings-earn_height": regression(lambda d: (d["earn"], design(d["height"]))),
    "earnings-logearn_height": regression(lambda d: (np.log(d["earn"]), design(d["height"]))),
    "earnings-logearn_height_male": regression(
        lambda d: (np.log(d["earn"]), design(d["height"], d["male"]))
    ),
    "earnings-logearn_interaction": regression(logearn_interaction),
    "mesquite-mesquite": regression(mesquite),
    "mesquite-logmesquite": regression(logmesquite),
    "mesquite-logmesquite_logvolume": regression(logmesquite_logvolume),
    **{f"nes{year}-nes": regression(nes) for year in (1972, 1980, 1992, 2000)},
    "kidiq-kidscore_momiq": regression(lambda d: (d["kid_score"], design(d["mom_iq"])), 2.5),
    "kidiq-kidscore_momhs": regression(lambda d: (d["kid_score"], design(d["mom_hs"])), 2.5),
    "kidiq-kidscore_interaction": regression(kidscore_interaction, 2.5),
    "kidiq_with_mom_work-kidscore_interaction_c": regression(kidscore_interaction_c),
    "kidiq_with_mom_work-kidscore_mom_work": regression(kidscore_mom_work),
    "kilpisjarvi_mod-kilpisjarvi": Statement(("alpha", "beta", "sigma"), kilpisjarvi),
    "sblrc-blr": Statement(("beta", "sigma"), blr),
}
