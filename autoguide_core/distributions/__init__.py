"""Distributions that Pyro does not have: truncated, censored, ordered and flat ones.

They are ordinary `pyro.distributions.TorchDistribution` classes, for hand-written models as well:

>>> import pyro.distributions as dist
>>> Truncated(dist.Normal(1.0, 2.0), lower=0.0).support
GreaterThanEq(lower_bound=0.0)
>>> Ordered(dist.Normal(0.0, 1.0).expand([3])).event_shape
torch.Size([3])
>>> Flat(upper=1.0).support
LessThan(upper_bound=1.0)
"""

from autoguide_core.distributions import tails_integrated  # registers tails
from autoguide_core.distributions.by_mean import BetaProportion, NegativeBinomial2
from autoguide_core.distributions.censored import Censored
from autoguide_core.distributions.discrete_uniform import DiscreteUniform
from autoguide_core.distributions.flat import Flat
from autoguide_core.distributions.gaps import Gaps
from autoguide_core.distributions.mixture import Mixture, Point
from autoguide_core.distributions.ordered import Ordered, PositiveOrdered
from autoguide_core.distributions.ordered_probit import OrderedProbit
from autoguide_core.distributions.sine_bivariate import SineBivariateVonMises
from autoguide_core.distributions.skew_normal import SkewNormal
from autoguide_core.distributions.truncated import Truncated
from autoguide_core.distributions.truncated_counts import Bounded, TruncatedCounts
from autoguide_core.distributions.von_mises import VonMises

__all__ = [
    "BetaProportion",
    "Bounded",
    "Censored",
    "DiscreteUniform",
    "Flat",
    "Gaps",
    "Mixture",
    "NegativeBinomial2",
    "Ordered",
    "OrderedProbit",
    "Point",
    "PositiveOrdered",
    "SineBivariateVonMises",
    "SkewNormal",
    "Truncated",
    "TruncatedCounts",
    "VonMises",
    "tails_integrated",
]
