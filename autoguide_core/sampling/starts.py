"""Where chains start: at random, apart from each other, and where the density is finite."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autoguide_core.engine.curvature.compiled import Vector
from autoguide_core.engine.errors import StartError
from autoguide_core.initialization import START_RADII


def random_start(evaluate: Callable[[Vector], tuple[float, Vector]], dim: int, seed: int) -> Vector:
    """Draw a point from the box (-2, 2)^D until its density is finite and has a slope, as Stan.

    After 40 tries the box shrinks towards 0; see ``START_RADII``.

    Args:
        evaluate: Log density and gradient (D,) at a point (D,).
        dim: D.
        seed: Seed of the tries.

    Returns:
        The point, shape (D,).

    Raises:
        StartError: If there is no such point.
    """
    generator = np.random.default_rng(seed)
    for radius in START_RADII:
        point = generator.uniform(-radius, radius, dim)
        value, slope = evaluate(point)
        if np.isfinite(value) and np.isfinite(slope).all() and slope.all():
            return point
    raise StartError(
        "NUTS cannot start: no random point of the unconstrained space has a finite log density "
        "and a gradient without zeros"
    )
