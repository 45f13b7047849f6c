"""Where chains start: at random, apart from each other, and where the density is finite."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autoguide_core.engine.curvature.compiled import Vector
from autoguide_core.engine.errors import FitError

_RADII = (2.0, 1.0, 0.5, 0.1, 0.01)
_TRIES = 40


def random_start(evaluate: Callable[[Vector], tuple[float, Vector]], dim: int, seed: int) -> Vector:
    """Draw a point from the box (-2, 2)^D until its density is finite and has a slope, as Stan.

    After 40 tries the box shrinks towards 0.

    Args:
        evaluate: Log density and gradient (D,) at a point (D,).
        dim: D.
        seed: Seed of the tries.

    Returns:
        The point, shape (D,).

    Raises:
        FitError: If there is no such point.
    """
    generator = np.random.default_rng(seed)
    for radius in _RADII:
        for _ in range(_TRIES):
            point = generator.uniform(-radius, radius, dim)
            value, slope = evaluate(point)
            if np.isfinite(value) and np.isfinite(slope).all() and slope.all():
                return point
    raise FitError(
        "NUTS cannot start: no random point of the unconstrained space has a finite log density "
        "and a gradient without zeros"
    )
