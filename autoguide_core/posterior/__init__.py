"""The posterior: draws from a fitted guide, and how far they may be trusted."""

from autoguide_core.posterior.draws import Draws, draw_posterior
from autoguide_core.posterior.psis import Psis, psis
from autoguide_core.posterior.resample import resample

__all__ = ["Draws", "Psis", "draw_posterior", "psis", "resample"]
