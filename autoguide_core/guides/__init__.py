"""Automatic guides, one family a file."""

from autoguide_core.guides.base import AutoGuide
from autoguide_core.guides.base import is_not_latent as prototype_hide_fn
from autoguide_core.guides.batched import (
    AutoBatchedLowRankMultivariateNormal,
    AutoBatchedMultivariateNormal,
)
from autoguide_core.guides.bnaf import AutoBNAFNormal
from autoguide_core.guides.callable import AutoCallable
from autoguide_core.guides.continuous import AutoContinuous
from autoguide_core.guides.dais import AutoDAIS, AutoSemiDAIS
from autoguide_core.guides.delta import AutoDelta
from autoguide_core.guides.diagonal import AutoDiagonalNormal
from autoguide_core.guides.discrete import AutoDiscreteParallel
from autoguide_core.guides.flow import AutoNormalizingFlow
from autoguide_core.guides.gaussian import AutoGaussian
from autoguide_core.guides.iaf import AutoIAFNormal
from autoguide_core.guides.laplace import AutoLaplaceApproximation
from autoguide_core.guides.list import AutoGuideList
from autoguide_core.guides.lowrank import AutoLowRankMultivariateNormal
from autoguide_core.guides.messengers import (
    AutoHierarchicalNormalMessenger,
    AutoMessenger,
    AutoNormalMessenger,
    AutoRegressiveMessenger,
)
from autoguide_core.guides.multivariate import AutoMultivariateNormal
from autoguide_core.guides.noncentered import AutoNoncenteredMultivariateNormal
from autoguide_core.guides.normal import AutoNormal
from autoguide_core.guides.posterior import GuidePosterior
from autoguide_core.guides.reparam import NeuTraReparam, StructuredReparam
from autoguide_core.guides.structured import AutoStructured

__all__ = [
    "AutoBNAFNormal",
    "AutoBatchedLowRankMultivariateNormal",
    "AutoBatchedMultivariateNormal",
    "AutoCallable",
    "AutoContinuous",
    "AutoDAIS",
    "AutoDelta",
    "AutoDiagonalNormal",
    "AutoDiscreteParallel",
    "AutoGaussian",
    "AutoGuide",
    "AutoGuideList",
    "AutoHierarchicalNormalMessenger",
    "AutoIAFNormal",
    "AutoLaplaceApproximation",
    "AutoLowRankMultivariateNormal",
    "AutoMessenger",
    "AutoMultivariateNormal",
    "AutoNoncenteredMultivariateNormal",
    "AutoNormal",
    "AutoNormalMessenger",
    "AutoNormalizingFlow",
    "AutoRegressiveMessenger",
    "AutoSemiDAIS",
    "AutoStructured",
    "GuidePosterior",
    "NeuTraReparam",
    "StructuredReparam",
    "prototype_hide_fn",
]
