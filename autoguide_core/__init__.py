"""Automatic guides, the engine that fits them, and the posterior they give: for any Pyro model."""

# Engine and posterior.
from .engine import FitError, FitResult, FitSettings, Progress, fit
from .posterior import Draws, Psis, draw_posterior, psis, resample

__all__ = [
    "Draws",
    "FitError",
    "FitResult",
    "FitSettings",
    "Progress",
    "Psis",
    "draw_posterior",
    "fit",
    "psis",
    "resample",
]
