"""Automatic guides, the engine that fits them, and the posterior they give: for any Pyro model."""

# Distributions that Pyro does not have.
from autoguide_core.distributions import Flat, Ordered, PositiveOrdered, Truncated

# Engine and posterior.
from autoguide_core.engine import FitError, FitResult, FitSettings, Progress, fit

# Guides and their initialisation.
from autoguide_core.guides import (
    AutoCallable,
    AutoContinuous,
    AutoDelta,
    AutoDiagonalNormal,
    AutoDiscreteParallel,
    AutoGuide,
    AutoGuideList,
    AutoIAFNormal,
    AutoLaplaceApproximation,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    AutoNormal,
    AutoNormalizingFlow,
    NeuTraReparam,
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
    "Draws",
    "FitError",
    "FitResult",
    "FitSettings",
    "Flat",
    "InitMessenger",
    "NeuTraReparam",
    "Ordered",
    "PositiveOrdered",
    "Progress",
    "Psis",
    "Truncated",
    "draw_posterior",
    "fit",
    "init_to_feasible",
    "init_to_generated",
    "init_to_mean",
    "init_to_median",
    "init_to_sample",
    "init_to_uniform",
    "init_to_value",
    "psis",
    "resample",
]
