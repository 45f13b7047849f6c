"""Finding the site or parameter to blame when a log density is not a finite number."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from pyro import poutine
from pyro.distributions import constraints
from pyro.poutine import Trace
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample

from autoguide_core.engine.errors import Fault, FitError
from autoguide_core.engine.refusals import details_of, is_refusal, summary_of
from autoguide_core.engine.structure import Model, parameters
from autoguide_core.validation import Validation

_BOUNDED = (
    constraints.boolean,
    constraints.corr_cholesky,
    constraints.one_hot,
    constraints.simplex,
    constraints.unit_interval,
)


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
    fault = first_fault(model, guide, args, kwargs)
    if fault is None:
        return FitError(where + "no single site explains it; try a lower learning rate")
    error = FitError(where + fault.whole, site=fault.site)
    error.__cause__ = fault.error
    return error


def first_fault(
    model: Model, guide: Model, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Fault | None:
    """The first thing wrong in a run of guide and model with validation on, or None.

    Args:
        model: The model.
        guide: The guide, already set up.
        args: Positional arguments of both.
        kwargs: Keyword arguments of both.

    Raises:
        Exception: What the model raises wherever it is evaluated.
    """
    reached = Reached()
    with Validation(True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with poutine.block():
                guide_trace = poutine.trace(guide).get_trace(*args, **kwargs)
                with reached:
                    replayed = poutine.replay(model, trace=guide_trace)
                    model_trace = poutine.trace(replayed).get_trace(*args, **kwargs)
        except Exception as error:
            if not is_refusal(error):
                raise
            return reached.fault(error)
        return _fault_in(guide_trace, "guide", reached) or _fault_in(model_trace, "model", reached)


class Reached(Messenger):
    """The sample sites that a run of a model has come to, before it ended or failed."""

    def __init__(self) -> None:
        super().__init__()
        self._last: str | None = None
        self._unbounded: list[str] = []

    def fault(self, error: Exception) -> Fault:
        """What the error that ended the run tells."""
        near = f" (just after site {self._last!r})" if self._last else ""
        return Fault(
            summary_of(error), self._last, error, self.unbounded(), details_of(error) + near
        )

    def unbounded(self) -> tuple[str, ...]:
        """The latents so far whose support has no bound on one side at least."""
        return tuple(self._unbounded)

    def _pyro_sample(self, msg: Any) -> None:
        if site_is_subsample(msg):
            return
        self._last = msg["name"]
        if not msg["is_observed"] and not _is_bounded(msg["fn"]):
            self._unbounded.append(msg["name"])


def _is_bounded(fn: Any) -> bool:
    """Whether no value of a distribution can run away."""
    try:
        support = fn.support
    except (AttributeError, NotImplementedError):
        return False
    base = getattr(support, "base_constraint", support)
    return (hasattr(base, "upper_bound") and hasattr(base, "lower_bound")) or base in _BOUNDED


def _fault_in(trace: Trace, whose: str, reached: Reached) -> Fault | None:
    # What is summed out is drawn here, and a value that the data rule out is no fault of theirs.
    summing = any("enumerate" in site.get("infer", ()) for site in trace.nodes.values())
    for name, site in trace.nodes.items():
        if site["type"] != "sample":
            continue
        try:
            log_prob = site["fn"].log_prob(site["value"], *site["args"], **site["kwargs"])
        except Exception as error:
            if not is_refusal(error):
                raise
            where = f"site {name!r} of the {whose}: "
            summary, whole = where + summary_of(error), where + details_of(error)
            return Fault(summary, name, error, reached.unbounded(), whole)
        if site["mask"] is not None:
            log_prob = torch.where(torch.as_tensor(site["mask"]), log_prob, 0.0)
        bad = torch.isnan(log_prob) | (log_prob == math.inf)
        if not summing:
            bad = bad | (log_prob == -math.inf)
        if bool(bad.any()):
            what = f"{float(log_prob[bad].flatten()[0])}"
            message = f"the log density of site {name!r} of the {whose} is {what}"
            count = f" ({int(bad.sum())} of {bad.numel()} entries)" if bad.numel() > 1 else ""
            return Fault(message, name, None, reached.unbounded(), message + count)
    return None
