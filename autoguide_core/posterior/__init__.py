"""The posterior: draws from a fitted guide, and how far they may be trusted."""

from autoguide_core.posterior.corrected import Corrected, draw_corrected
from autoguide_core.posterior.draws import Draws, draw_posterior
from autoguide_core.posterior.psis import Psis, psis
from autoguide_core.posterior.resample import resample

__all__ = [
    "Corrected",
    "Draws",
    "Psis",
    "draw_corrected",
    "draw_posterior",
    "psis",
    "resample",
]
