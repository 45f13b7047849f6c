"""Pure update rules on one flat vector, learning-rate schedules, clipping and averaging.

A rule is split in two so that it can be compiled. What depends on the number of the step alone
(rates, bias corrections, weights of averages) is worked out beforehand by ``rows``, on the host
and in float64; what depends on the parameters is ``step``, a few elementwise operations without
branches, which are traced together with model and guide.

    rule = Averaged(make_optimiser("Adam", {"lr": 0.01}), total=5000)
    slots = rule.start(theta)
    steps = torch.arange(1, 5001)
    rows = rule.rows(steps, rates("cosine", rule.lr, steps, 5000)).to(theta.dtype)
    theta, slots = rule.step(theta, gradient, slots, rows[0])
"""

from autoguide_core.engine.optimisers.averaging import AVERAGE, Averaged
from autoguide_core.engine.optimisers.rule import Optimiser
from autoguide_core.engine.optimisers.schedules import SCHEDULES, rates
from autoguide_core.engine.optimisers.table import OPTIMISERS, make_optimiser

__all__ = [
    "AVERAGE",
    "OPTIMISERS",
    "SCHEDULES",
    "Averaged",
    "Optimiser",
    "make_optimiser",
    "rates",
]
