"""Automatic guides, the engine that fits them, and the posterior they give: for any Pyro model."""

# What an ELBO is made of.
from autoguide_core.diagnosis import LossTerm, LossTerms, explain_loss

# Distributions that Pyro does not have.
from autoguide_core.distributions import Flat, Ordered, PositiveOrdered, Truncated

# Engine and posterior.
from autoguide_core.engine import FitError, FitResult, FitSettings, Progress, fit

# Guides and their initialisation.
from autoguide_core.guides import (
    AutoBatchedLowRankMultivariateNormal,
    AutoBatchedMultivariateNormal,
    AutoBNAFNormal,
    AutoCallable,
    AutoContinuous,
    AutoDAIS,
    AutoDelta,
    AutoDiagonalNormal,
    AutoDiscreteParallel,
    AutoGaussian,
    AutoGuide,
    AutoGuideList,
    AutoHierarchicalNormalMessenger,
    AutoIAFNormal,
    AutoLaplaceApproximation,
    AutoLowRankMultivariateNormal,
    AutoMessenger,
    AutoMultivariateNormal,
    AutoNormal,
    AutoNormalizingFlow,
    AutoNormalMessenger,
    AutoRegressiveMessenger,
    AutoSemiDAIS,
    AutoStructured,
    GuidePosterior,
    NeuTraReparam,
    StructuredReparam,
)
from autoguide_core.initialization import (
    InitMessenger,
    init_to_feasible,
    init_to_generated,
    init_to_mean,
    init_to_median,
    init_to_sample,
    init_to_uniform,
    init_to_value,
)
from autoguide_core.posterior import Draws, Psis, draw_posterior, psis, resample
from autoguide_core.utils import mean_field_entropy

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
    "AutoNormal",
    "AutoNormalMessenger",
    "AutoNormalizingFlow",
    "AutoRegressiveMessenger",
    "AutoSemiDAIS",
    "AutoStructured",
    "Draws",
    "FitError",
    "FitResult",
    "FitSettings",
    "Flat",
    "GuidePosterior",
    "InitMessenger",
    "LossTerm",
    "LossTerms",
    "NeuTraReparam",
    "Ordered",
    "PositiveOrdered",
    "Progress",
    "Psis",
    "StructuredReparam",
    "Truncated",
    "draw_posterior",
    "explain_loss",
    "fit",
    "init_to_feasible",
    "init_to_generated",
    "init_to_mean",
    "init_to_median",
    "init_to_sample",
    "init_to_uniform",
    "init_to_value",
    "mean_field_entropy",
    "psis",
    "resample",
]
