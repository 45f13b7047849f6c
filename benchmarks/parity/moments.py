"""The ELBO and its gradient at the start of a fit, by our engine and by Pyro's estimators."""

from __future__ import annotations

from dataclasses import dataclass

import pyro
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceEnum_ELBO, TraceGraph_ELBO

from benchmarks.parity.case import Case
from fuzz.models.moments import elbo_apart, of_engine, of_stock, slopes_apart


@dataclass(frozen=True)
class Outcome:
    """How far both sides are apart, in standard errors.

    Attributes:
        elbo: The distance of the mean ELBOs.
        gradient: The greatest distance of an entry of the mean gradient.
        where: Where that is.
        entries: How many entries were compared.
    """

    elbo: float
    gradient: float
    where: str
    entries: int

    @property
    def is_alike(self) -> bool:
        """Whether chance explains the distances: a Normal one in some thousand."""
        return abs(self.elbo) < 4.5 and self.gradient < 5.5


def compare(case: Case, engine: str, draws: int, steps: int) -> Outcome:
    """Estimate both moments on both sides, in double precision.

    Args:
        case: The model and its guide.
        engine: The engine of ours.
        draws: How often Pyro's estimator is called.
        steps: How many steps ours makes.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        pyro.clear_param_store()
        pyro.set_rng_seed(7)
        model, guide = case.make()
        with torch.no_grad(), poutine.block():
            poutine.replay(model, trace=poutine.trace(guide).get_trace())()
        estimator = {
            "trace": Trace_ELBO(),
            "graph": TraceGraph_ELBO(),
            "enum": TraceEnum_ELBO(max_plate_nesting=case.depth),
        }[case.elbo]
        stock = of_stock(model, guide, estimator, draws)
        found = of_engine(model, guide, engine, 1, steps)
        assert found.slopes.keys() == stock.slopes.keys()
        entries = sum(slope.numel() for slope in stock.slopes.values())
        worst, where = slopes_apart(found, stock, (draws / steps) ** 0.5)
        return Outcome(elbo_apart(found, stock), worst, where, entries)
    finally:
        torch.set_default_dtype(before)
        pyro.clear_param_store()
