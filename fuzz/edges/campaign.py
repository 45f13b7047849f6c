"""Fits at the edges, one after the other."""

from __future__ import annotations

import warnings
from random import Random

import pplc
from fuzz.clock import Clock
from fuzz.compilers import quick_compilation
from fuzz.edges.models import Edge, edge
from fuzz.findings import Findings, tables

_FAR = 0.35
"""By how many posterior standard deviations a mean may be off."""
_RATIO = 1.5
"""By which factor a standard deviation may be off; most posteriors here are not normal."""


def run(random: Random, clock: Clock, findings: Findings) -> None:
    """Fit models to data at the edges."""
    with quick_compilation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while clock.going():
            check(edge(random), findings)


def check(one: Edge, findings: Findings) -> None:
    """Fit, and hold a fit that is trusted against the exact posterior.

    Args:
        one: What to fit.
        findings: Where to keep what is wrong.
    """
    findings.counts["inputs"] += 1
    files = {"spec_ppl": one.spec, "data_json": tables(one.data)}
    name = one.spec.split("~")[-1].split("(")[0].strip()
    try:
        fit = pplc.loads(one.spec).fit(dict(one.data), progress=False, seed=1, draws=2000)
        summary = fit.summary()
    except pplc.SpecError as error:
        findings.counts["refused"] += 1
        if "PPL09" in str(error) and "PPL095" not in str(error) and "PPL029" not in str(error):
            findings.add(f"a fit of {name} to good data is refused", str(error), **files)
        return
    except Exception as error:
        findings.crash(f"a fit of {name}", error, **files)
        return
    if not fit.trusted:
        findings.counts["not trusted"] += 1
        return
    findings.counts["trusted"] += 1
    for site, (mean, sd) in one.exact.items():
        found = (float(summary.loc[site, "mean"]), float(summary.loc[site, "sd"]))
        ratio = found[1] / sd
        if not (abs(found[0] - mean) < _FAR * sd and 1 / _RATIO < ratio < _RATIO):
            detail = f"{site}: {found}, exact {(mean, sd)}\n{fit.verdict}"
            findings.add(f"a trusted fit of {name} is wrong", detail, **files)
            return
