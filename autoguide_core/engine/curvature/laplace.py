"""Fitting a Laplace approximation: the mode, then a normal with the inverse Hessian."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from autoguide_core.engine.convergence import Verdict
from autoguide_core.engine.curvature.folding import write_gaussian
from autoguide_core.engine.curvature.search import search_modes
from autoguide_core.engine.curvature.whitening import by_curvature
from autoguide_core.engine.errors import FitError
from autoguide_core.engine.progress import Reporter
from autoguide_core.engine.result import Run
from autoguide_core.engine.settings import FitSettings
from autoguide_core.engine.structure import Model


def run_laplace(
    model: Model,
    guide: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    settings: FitSettings,
    report: Reporter,
) -> Run:
    """Move the guide's ``loc`` to the mode.

    The run's ``guide`` is the normal that the guide's own ``laplace_approximation`` makes, with
    mean and covariance replaced by those of the double-precision mode and Hessian.

    Args:
        model: The model, without subsampled plates.
        guide: An ``AutoLaplaceApproximation``, already set up.
        args: The model's positional arguments.
        kwargs: The model's keyword arguments.
        settings: The settings of the fit.
        report: Where progress goes.

    Returns:
        The run; its history is the log density at the mode, once.

    Raises:
        FitError: If the log density is finite at none of the starts.
    """
    search = search_modes(model, guide, args, kwargs, settings.seed, report)
    mode = search.mode
    if mode is None:
        raise FitError("the log density is not a finite number at any starting point")
    with torch.no_grad():
        guide.loc.copy_(mode.point)
    verdict = Verdict(True, "converged: the search ended at a mode with proper curvature")
    if mode.fault is not None:
        verdict = Verdict(False, f"not converged: {mode.fault}")
    normal = guide.laplace_approximation(*args, **kwargs)
    normal(*args, **kwargs)
    write_gaussian(normal, mode.point, by_curvature(mode.point, mode.hessian).matrix)
    notes = (search.gradients.note,) if search.gradients.note else ()
    return Run(np.array([mode.log_density]), verdict, "laplace", notes, guide=normal)
