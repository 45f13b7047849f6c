"""Fits one posterior with NumPyro's defaults; run as a program by an interpreter that has NumPyro.

    python numpyro_worker.py MODELS REFERENCES POSTERIOR GUIDE…

Prints a line of JSON for each guide: the moments of every number of the posterior.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

GUIDES = ("AutoMultivariateNormal", "AutoLaplaceApproximation")
STEPS, RATE, DRAWS = 20_000, 0.01, 20_000


def main(models: str, references: str, posterior: str, *guides: str) -> None:
    """Fit and print."""
    sys.path.insert(0, models)
    found: dict[str, Any] = {}
    for file in sorted(Path(models).glob("*_models.py")):
        found |= importlib.import_module(file.stem).MODELS
    file = Path(references) / f"{posterior.split('-', 1)[0]}.data.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    for guide in guides:
        started = time.perf_counter()
        numbers = _fit(found[posterior], data, guide)
        seconds = time.perf_counter() - started
        told = {"guide": guide, "seconds": seconds, "numbers": numbers}
        print(json.dumps(told), flush=True)


def _fit(model: dict[str, Any], data: dict[str, Any], name: str) -> dict[str, list[float]]:
    import jax
    import numpy as np
    from numpyro.infer import SVI, Predictive, Trace_ELBO, autoguide
    from numpyro.optim import Adam

    fn = model["fn"]
    guide = getattr(autoguide, name)(fn)
    svi = SVI(fn, guide, Adam(RATE), Trace_ELBO())
    fit = svi.run(jax.random.PRNGKey(0), STEPS, data, progress_bar=False)
    key = jax.random.PRNGKey(1)
    draws = guide.sample_posterior(key, fit.params, sample_shape=(DRAWS,))
    absent = [site for site in model["sites"] if site not in draws]
    if absent:
        predict = Predictive(fn, posterior_samples=draws, return_sites=absent, batch_ndims=1)
        draws = {**draws, **predict(key, data)}
    numbers = {}
    for site in model["sites"]:
        values = np.asarray(draws[site])
        for place in np.ndindex(*values.shape[1:]):
            label = f"[{','.join(str(i + 1) for i in place)}]" if place else ""
            one = values[(slice(None), *place)]
            quantiles = np.quantile(one, (0.05, 0.5, 0.95))
            numbers[site + label] = [*map(float, (one.mean(), one.std(), *quantiles))]
    return numbers


if __name__ == "__main__":
    main(*sys.argv[1:])
