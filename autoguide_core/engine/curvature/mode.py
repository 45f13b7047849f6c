"""Finding the mode of a log density: L-BFGS from several starts, then Newton."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.optimize
import torch

from autoguide_core.distributions.circle import TURN
from autoguide_core.engine.curvature.gradients import Evaluator
from autoguide_core.engine.curvature.whitening import by_curvature

_HOPELESS = 1e30
_HOPELESSLY_BELOW = 30.0
_NEGLIGIBLE = 6.0
"""How many nats less of mass than the greatest make a mode that does not count."""
_SAME = 0.05
_LOG_TWO_PI = math.log(2.0 * math.pi)
_MOST_STEPS, _MOST_NEWTON_STEPS = 2000, 100
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

    @property
    def log_mass(self) -> float:
        """The log mass of the Gaussian that the density and its curvature here tell, in nats."""
        whitening = by_curvature(self.point, self.hessian)
        return self.log_density + whitening.log_det + 0.5 * len(self.point) * _LOG_TWO_PI

    def holds(self, point: torch.Tensor, circular: torch.Tensor | None = None) -> bool:
        """Whether a point is this one, by the curvature's measure, and but for turns of angles."""
        gap = point - self.point
        if circular is not None:
            gap = torch.where(circular, gap - TURN * torch.round(gap / TURN), gap)
        return bool(gap @ self.hessian @ gap < _SAME * len(gap))


def find_modes(
    gradients: Evaluator,
    starts: Sequence[torch.Tensor],
    report: Callable[[int, int, float], None],
    circular: torch.Tensor | None = None,
) -> list[Mode]:
    """Climb from each start, and keep the highest point and other proper modes that count.

    L-BFGS (Liu and Nocedal 1989) and then a trust-region Newton method with the exact Hessian
    (Conn, Gould and Toint 2000), both scipy's.

    Args:
        gradients: The log density.
        starts: Starting points, each (D,).
        report: Called with starts done, starts in all, and the best log density.
        circular: Which entries of a point are angles, bool (D,); a mode has copies at all turns,
            of which one is kept.

    Returns:
        The highest point found, then, in order of the mass that their curvature promises, other
        modes with more than a few thousandths of all. None if the density is finite at no start.
    """
    rough: list[tuple[float, Vector]] = []
    for index, start in enumerate(starts):
        reached = _rough_climb(gradients, start.numpy().copy(), _MOST_STEPS)
        if reached is not None:
            rough.append(reached)
        best = min((value for value, _ in rough), default=math.nan)
        report(index + 1, len(starts), -best)
    modes: list[Mode] = []
    for value, at in sorted(rough, key=lambda one: one[0]):
        known = any(mode.holds(torch.from_numpy(at), circular) for mode in modes)
        if known or (modes and -value < modes[0].log_density - _HOPELESSLY_BELOW):
            continue
        mode = _polished(gradients, value, at)
        if any(other.holds(mode.point, circular) for other in modes):
            continue
        if not modes or (mode.fault is None and modes[0].fault is None):
            modes.append(mode)
    modes.sort(key=lambda mode: -mode.log_density)
    most = max((mode.log_mass for mode in modes), default=0.0)
    return [*modes[:1], *(m for m in modes[1:] if m.log_mass > most - _NEGLIGIBLE)]


def climb(gradients: Evaluator, start: torch.Tensor, most: int) -> torch.Tensor:
    """Climb the log density by at most so many steps of L-BFGS.

    Args:
        gradients: The log density.
        start: Where to begin, shape (D,); it is given back where the density is not finite there.
        most: The greatest number of steps.

    Returns:
        The point reached, shape (D,).
    """
    rough = _rough_climb(gradients, start.numpy().copy(), most)
    return start if rough is None else torch.from_numpy(rough[1])


def _rough_climb(gradients: Evaluator, start: Vector, most: int) -> tuple[float, Vector] | None:
    if _descend(gradients, start)[0] >= _HOPELESS:
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        rough = scipy.optimize.minimize(
            lambda z: _descend(gradients, z),
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": most, "maxcor": 20},
        )
    return float(rough.fun), rough.x


def _polished(gradients: Evaluator, value: float, at: Vector) -> Mode:
    """The mode near a point: Newton's method in coordinates whitened there."""
    axes = by_curvature(
        torch.from_numpy(at), torch.from_numpy(_curvature(gradients, at))
    ).matrix.numpy()

    def whitened(u: Vector) -> tuple[float, Vector]:
        value, slope = _descend(gradients, at + axes @ u)
        return value, axes.T @ slope

    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            fine = scipy.optimize.minimize(
                whitened,
                np.zeros_like(at),
                jac=True,
                hess=lambda u: axes.T @ _curvature(gradients, at + axes @ u) @ axes,
                method="trust-exact",
                options={"maxiter": _MOST_NEWTON_STEPS, "gtol": _SMALL_SLOPE},
            )
        if fine.fun <= value:
            value, at = float(fine.fun), at + axes @ fine.x
    except (ValueError, np.linalg.LinAlgError):
        pass  # the point is as good as it was
    hessian = _curvature(gradients, at)
    fault = _fault(_descend(gradients, at)[1], hessian)
    return Mode(torch.from_numpy(at), -value, torch.from_numpy(hessian), fault)


def _descend(gradients: Evaluator, z: Vector) -> tuple[float, Vector]:
    """The negative log density and its gradient; a great number where it is not finite."""
    values, slopes = gradients.value_and_grad(torch.from_numpy(z)[None])
    value, slope = float(values[0]), slopes[0].numpy()
    if not np.isfinite(value) or not np.isfinite(slope).all():
        return _HOPELESS, np.zeros_like(z)
    return -value, -slope


def _curvature(gradients: Evaluator, z: Vector) -> Vector:
    matrix = -gradients.hessian(torch.from_numpy(z)).numpy()
    return np.where(np.isfinite(matrix), matrix, 0.0)


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
