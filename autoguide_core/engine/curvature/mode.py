"""Finding the mode of a log density: L-BFGS from several starts, then Newton."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.optimize
import torch

from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.curvature.whitening import by_curvature

_HOPELESS = 1e30
_SMALL_SLOPE = 1e-6
_SMALL_DECREMENT = 1e-3
_FLAT = 1e-9
_NO_MODE = "the density has no proper mode (its curvature vanishes or has the wrong sign)"

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mode:
    """A (local) maximum of a log density.

    Attributes:
        point: Where, shape (D,), float64.
        log_density: The value there, in nats.
        hessian: Second derivatives of the *negative* log density there, (D, D).
        fault: Why the point is no proper maximum, or None.
    """

    point: torch.Tensor
    log_density: float
    hessian: torch.Tensor
    fault: str | None


def find_mode(
    gradients: Gradients,
    starts: Sequence[torch.Tensor],
    report: Callable[[int, int, float], None],
) -> Mode | None:
    """Climb from each start, and keep the highest point.

    L-BFGS (Liu and Nocedal 1989) and then a trust-region Newton method with the exact Hessian
    (Conn, Gould and Toint 2000), both scipy's.

    Args:
        gradients: The log density.
        starts: Starting points, each (D,).
        report: Called with starts done, starts in all, and the best log density.

    Returns:
        The best point found, or None if the density is finite at no start.
    """

    def climb(z: Vector) -> tuple[float, Vector]:
        values, slopes = gradients.value_and_grad(torch.from_numpy(z)[None])
        value, slope = float(values[0]), slopes[0].numpy()
        if not np.isfinite(value) or not np.isfinite(slope).all():
            return _HOPELESS, np.zeros_like(z)
        return -value, -slope

    def curvature(z: Vector) -> Vector:
        matrix = -gradients.hessian(torch.from_numpy(z)).numpy()
        return np.where(np.isfinite(matrix), matrix, 0.0)

    best: tuple[float, Vector] | None = None
    for index, start in enumerate(starts):
        found = _climb_once(climb, curvature, start.numpy().copy())
        if found is not None and (best is None or found[0] < best[0]):
            best = found
        report(index + 1, len(starts), -best[0] if best else float("nan"))
    if best is None:
        return None
    point = torch.from_numpy(best[1])
    hessian = torch.from_numpy(curvature(best[1]))
    return Mode(point, -best[0], hessian, _fault(climb(best[1])[1], hessian.numpy()))


def _climb_once(
    climb: Callable[[Vector], tuple[float, Vector]],
    curvature: Callable[[Vector], Vector],
    start: Vector,
) -> tuple[float, Vector] | None:
    """One start's way up: L-BFGS, then Newton in coordinates whitened where L-BFGS ended."""
    if climb(start)[0] >= _HOPELESS:
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        rough = scipy.optimize.minimize(
            climb, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000, "maxcor": 20}
        )
        axes = by_curvature(
            torch.from_numpy(rough.x), torch.from_numpy(curvature(rough.x))
        ).matrix.numpy()

        def whitened(u: Vector) -> tuple[float, Vector]:
            value, slope = climb(rough.x + axes @ u)
            return value, axes.T @ slope

        try:
            fine = scipy.optimize.minimize(
                whitened,
                np.zeros_like(start),
                jac=True,
                hess=lambda u: axes.T @ curvature(rough.x + axes @ u) @ axes,
                method="trust-exact",
                options={"maxiter": 100, "gtol": _SMALL_SLOPE},
            )
        except (ValueError, np.linalg.LinAlgError):
            return float(rough.fun), rough.x
    if fine.fun > rough.fun:
        return float(rough.fun), rough.x
    return float(fine.fun), rough.x + axes @ fine.x


def _fault(slope: Vector, hessian: Vector) -> str | None:
    """Why a point is no proper maximum of the density, in terms that no scale enters."""
    diagonal = np.diag(hessian)
    if (diagonal <= 0).any():
        return _NO_MODE
    scale = np.sqrt(diagonal)
    eigenvalues, axes = np.linalg.eigh(hessian / np.outer(scale, scale))
    if eigenvalues[0] <= _FLAT:
        return _NO_MODE
    decrement = 0.5 * float(np.sum((axes.T @ (slope / scale)) ** 2 / eigenvalues))
    if decrement > _SMALL_DECREMENT:
        return "the density has no mode within reach (it was still rising when the search ended)"
    return None
