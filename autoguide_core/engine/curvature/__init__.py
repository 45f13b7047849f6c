"""The method that needs no tuning: mode, curvature, and a Gaussian fitted in whitened space."""

from autoguide_core.engine.curvature.laplace import run_laplace
from autoguide_core.engine.curvature.method import MAX_DIM, run_curvature

__all__ = ["MAX_DIM", "run_curvature", "run_laplace"]
