"""The posterior: draws from a fitted guide, and how far they may be trusted."""

from .draws import Draws, draw_posterior
from .psis import Psis, psis
from .resample import resample

__all__ = ["Draws", "Psis", "draw_posterior", "psis", "resample"]
