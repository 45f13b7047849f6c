"""Finding the site or parameter to blame when a log density is not a finite number."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.poutine import Trace

from autoguide_core.engine.errors import FitError
from autoguide_core.engine.structure import LastSite, Model, parameters, reason_of


def check_start(
    model: Model, guide: Model, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    """Evaluate guide and model once with validation on.

    Raises:
        FitError: If an argument of a distribution or an observed value is out of range, or a
            site's log density is not finite.
    """
    name = _first_fault(model, guide, args, kwargs)
    if name is not None:
        message, site = name
        raise FitError(f"the fit cannot start: {message}", site=site)


def explain_failure(
    model: Model, guide: Model, args: tuple[Any, ...], kwargs: Mapping[str, Any], step: int
) -> FitError:
    """Build the error for an ELBO that stopped being finite at ``step``.

    To be called with the random state of the failing step, so that its draws are made again.
    """
    where = f"the ELBO is not a finite number at step {step}: "
    for name, value in parameters().items():
        if not bool(torch.isfinite(value).all()):
            message = "its gradient was not finite at the step before; try a lower learning rate"
            return FitError(f"{where}parameter {name!r} is not finite ({message})", site=name)
    fault = _first_fault(model, guide, args, kwargs)
    if fault is None:
        return FitError(where + "no single site explains it; try a lower learning rate")
    return FitError(where + fault[0], site=fault[1])


def _first_fault(
    model: Model, guide: Model, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[str, str | None] | None:
    """The first thing wrong in a run of guide and model, as (sentence, site)."""
    last_site = LastSite()
    with pyro.validation_enabled(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with poutine.block():
                guide_trace = poutine.trace(guide).get_trace(*args, **kwargs)
                with last_site:
                    replayed = poutine.replay(model, trace=guide_trace)
                    model_trace = poutine.trace(replayed).get_trace(*args, **kwargs)
        except ValueError as error:
            near = f" (just after site {last_site.name!r})" if last_site.name else ""
            return f"{reason_of(error)}{near}", last_site.name
        return _fault_in(guide_trace, "guide") or _fault_in(model_trace, "model")


def _fault_in(trace: Trace, whose: str) -> tuple[str, str] | None:
    # What is summed out is drawn here, and a value that the data rule out is no fault of theirs.
    summing = any("enumerate" in site.get("infer", ()) for site in trace.nodes.values())
    for name, site in trace.nodes.items():
        if site["type"] != "sample":
            continue
        try:
            log_prob = site["fn"].log_prob(site["value"], *site["args"], **site["kwargs"])
        except ValueError as error:
            return f"site {name!r} of the {whose}: {reason_of(error)}", name
        if site["mask"] is not None:
            log_prob = torch.where(torch.as_tensor(site["mask"]), log_prob, 0.0)
        bad = torch.isnan(log_prob) | (log_prob == math.inf)
        if not summing:
            bad = bad | (log_prob == -math.inf)
        if bool(bad.any()):
            what = f"{float(log_prob[bad].flatten()[0])}"
            count = f" ({int(bad.sum())} of {bad.numel()} entries)" if bad.numel() > 1 else ""
            return f"the log density of site {name!r} of the {whose} is {what}{count}", name
    return None
