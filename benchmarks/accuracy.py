"""Fits public posteriors with default settings and compares them with their references.

    python benchmarks/accuracy.py [POSTERIOR …] [--references DIR] [--seed N]

Prints, for each posterior, the worst difference of a mean in reference standard deviations, the
range of the ratios of standard deviations, k-hat, the verdict and the seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import pplc

ROOT = Path(__file__).resolve().parents[1]
SPECS = ROOT / "examples" / "posteriors"

POSTERIORS = {
    "earnings-earn_height": "earn_height",
    "earnings-logearn_height": "logearn_height",
    "earnings-logearn_height_male": "logearn_height_male",
    "earnings-logearn_interaction": "logearn_interaction",
    "mesquite-mesquite": "mesquite",
    "mesquite-logmesquite": "logmesquite",
    "mesquite-logmesquite_logvolume": "logmesquite_logvolume",
    "nes1972-nes": "nes",
    "nes1980-nes": "nes",
    "nes1992-nes": "nes",
    "nes2000-nes": "nes",
    "kidiq-kidscore_momiq": "kidscore_momiq",
    "kidiq-kidscore_momhs": "kidscore_momhs",
    "kidiq-kidscore_interaction": "kidscore_interaction",
    "kidiq_with_mom_work-kidscore_interaction_c": "kidscore_interaction_c",
    "kidiq_with_mom_work-kidscore_mom_work": "kidscore_mom_work",
    "kilpisjarvi_mod-kilpisjarvi": "kilpisjarvi",
    "sblrc-blr": "blr",
    "eight_schools-eight_schools_noncentered": "eight_schools_noncentered",
    "gp_pois_regr-gp_regr": "gp_regr",
    "low_dim_gauss_mix-low_dim_gauss_mix": "low_dim_gauss_mix",
    "wells_data-wells_dist": "wells_dist",
    "GLM_Poisson_Data-GLM_Poisson_model": "GLM_Poisson",
    "radon_mn-radon_hierarchical_intercept_noncentered": "radon_hierarchical_intercept_noncentered",
    "dogs-dogs": "dogs",
    "surgical_data-surgical_model": "surgical_model",
    "rats_data-rats_model": "rats_model",
    "M0_data-M0_model": "M0_model",
    "Rate_2_data-Rate_2_model": "Rate_2_model",
}
"""The spec of each posterior, by the posterior's name."""


def compare(posterior: str, references: Path, seed: int) -> dict[str, object]:
    """Return how far a default fit of one posterior is from its reference."""
    data = json.loads((references / f"{posterior.split('-')[0]}.data.json").read_text())
    started = time.perf_counter()
    fit = pplc.load(SPECS / f"{POSTERIORS[posterior]}.ppl").fit(data, seed=seed, progress=False)
    seconds = time.perf_counter() - started
    reference = json.loads((references / f"{posterior}.json").read_text())["parameters"]
    shifts, ratios = [], []
    for name, values in flat(fit.idata.posterior):
        if name in reference:
            told = reference[name]
            shifts.append(abs(values.mean() - told["mean"]) / told["sd"])
            ratios.append(values.std() / told["sd"])
    return {
        "compared": len(shifts),
        "shift": max(shifts),
        "least": min(ratios),
        "most": max(ratios),
        "khat": fit.khat,
        "seconds": seconds,
        "verdict": fit.verdict,
    }


def flat(posterior: object) -> list[tuple[str, np.ndarray]]:
    """Return every scalar of a posterior under its reference name (`beta[1]`, from 1)."""
    found = []
    for name, array in posterior.data_vars.items():  # type: ignore[attr-defined]
        values = array.values.reshape(-1, *array.shape[2:])
        for index in np.ndindex(*values.shape[1:]):
            label = f"[{','.join(str(i + 1) for i in index)}]" if index else ""
            found.append((f"{name}{label}", values[(slice(None), *index)]))
    return found


def main() -> None:
    """Run the comparison and print a line for each posterior."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("posteriors", nargs="*", help="names; all if none is given")
    parser.add_argument("--references", type=Path, default=ROOT.parent / "shared" / "posteriors")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{'posterior':50} {'n':>4} {'|Δ|/sd':>7} {'sd ratios':>13} {'k-hat':>6} {'s':>6}")
    for posterior in options.posteriors or POSTERIORS:
        try:
            found = compare(posterior, options.references, options.seed)
        except pplc.SpecError as error:
            print(f"{posterior:50} failed: {error}", flush=True)
            continue
        print(
            f"{posterior:50} {found['compared']:4} {found['shift']:7.3f} "
            f"{found['least']:6.3f}-{found['most']:.3f} {found['khat']:6.2f} "
            f"{found['seconds']:6.1f}  {'; '.join(found['verdict'])}",
            flush=True,
        )


if __name__ == "__main__":
    main()
