"""Random models through every engine, one after the other."""

from __future__ import annotations

import warnings
from random import Random
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceEnum_ELBO

from autoguide_core import FitError
from autoguide_core.engine.precision import double_precision
from fuzz.clock import Clock
from fuzz.compilers import quick_compilation
from fuzz.findings import Findings
from fuzz.models.generated import GeneratedModel, generated
from fuzz.models.moments import apart, of_engine, of_stock

ENGINES = ("eager", "graph", "native", "auto")
STOCK, STEPS = 200, 600
_FAR = 7.0
"""Standard errors beyond which means differ; they are known to some per cent only."""


def run(random: Random, clock: Clock, findings: Findings) -> None:
    """Compare random models."""
    with quick_compilation(), double_precision(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.set_num_threads(1)
        while clock.going():
            compare(generated(random), tuple(random.sample(ENGINES, 2)), findings)


def compare(model: GeneratedModel, engines: tuple[str, ...], findings: Findings) -> None:
    """Hold each engine's mean ELBO and gradient against stock Pyro's.

    Args:
        model: The model.
        engines: The engines.
        findings: Where to keep what is wrong.
    """
    findings.counts["inputs"] += 1
    names: dict[str, Any] = {}
    exec(compile(model.source, "model.py", "exec"), names)
    pyro.clear_param_store()
    pyro.set_rng_seed(1)
    kind = TraceEnum_ELBO if model.enumerated else Trace_ELBO
    try:
        _set_up(names["model"], names["guide"])
        elbo = kind(num_particles=model.particles, max_plate_nesting=1)
        stock = of_stock(names["model"], names["guide"], elbo, STOCK)
    except Exception:  # a model that Pyro itself cannot run is none
        findings.counts["not run by Pyro"] += 1
        return
    for engine in engines:
        try:
            found = of_engine(names["model"], names["guide"], engine, model.particles, STEPS)
        except FitError:
            findings.counts[f"refused by {engine}"] += 1
            continue
        except Exception as error:
            findings.crash(f"the engine {engine}", error, model_py=model.source)
            continue
        findings.counts["compared with Pyro"] += 1
        far, where = apart(found, stock, (STOCK / STEPS) ** 0.5)
        if not far < _FAR:
            detail = f"{where} by {far:.3g} standard errors\n{found}\nstock {stock}"
            what = where.partition(" of ")[0]
            findings.add(f"{engine} is not stock Pyro: {what}", detail, model_py=model.source)


def _set_up(model: Any, guide: Any) -> None:
    """Run a guide and its model once, so that all parameters are there."""
    with torch.no_grad():
        trace = poutine.trace(guide).get_trace()
        poutine.trace(poutine.replay(model, trace=trace)).get_trace()
