"""Automatic guides, one family a file."""

from autoguide_core.guides.base import AutoGuide
from autoguide_core.guides.callable import AutoCallable
from autoguide_core.guides.continuous import AutoContinuous
from autoguide_core.guides.delta import AutoDelta
from autoguide_core.guides.diagonal import AutoDiagonalNormal
from autoguide_core.guides.discrete import AutoDiscreteParallel
from autoguide_core.guides.flow import AutoNormalizingFlow
from autoguide_core.guides.iaf import AutoIAFNormal
from autoguide_core.guides.laplace import AutoLaplaceApproximation
from autoguide_core.guides.list import AutoGuideList
from autoguide_core.guides.lowrank import AutoLowRankMultivariateNormal
from autoguide_core.guides.multivariate import AutoMultivariateNormal
from autoguide_core.guides.neutra import NeuTraReparam
from autoguide_core.guides.normal import AutoNormal

__all__ = [
    "AutoCallable",
    "AutoContinuous",
    "AutoDelta",
    "AutoDiagonalNormal",
    "AutoDiscreteParallel",
    "AutoGuide",
    "AutoGuideList",
    "AutoIAFNormal",
    "AutoLaplaceApproximation",
    "AutoLowRankMultivariateNormal",
    "AutoMultivariateNormal",
    "AutoNormal",
    "AutoNormalizingFlow",
    "NeuTraReparam",
]
