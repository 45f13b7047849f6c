"""Pareto-smoothed importance sampling: how far the draws may be trusted, and their weights."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from autoguide_core.arviz_module import arviz_module

GOOD, USABLE = 0.5, 0.7
_EVEN_SPREAD, _EVEN_MAXIMUM = 0.05, 2.0


@dataclass(frozen=True)
class Psis:
    """The smoothed weights of a set of draws.

    Attributes:
        khat: Estimated shape of the weights' tail; infinite where it cannot be estimated.
        weights: Smoothed, normalised weights, shape (S,), summing to 1.
        ess: Effective number of draws, ``1 / sum(weights ** 2)``.
        level: ``good``, ``usable`` or ``not reliable``.
        verdict: The level and its reason, in one sentence.
    """

    khat: float
    weights: torch.Tensor
    ess: float
    level: str
    verdict: str


def psis(log_weights: torch.Tensor) -> Psis:
    """Smooth importance weights and judge them.

    Below 0.5 the weights have a finite variance and re-weighted summaries are accurate; up to 0.7
    they are usable with more error; above, neither the draws nor the re-weighted draws can be
    relied on. Weights that are all but equal (relative sd below 5 %, none above twice the mean) are
    good whatever their k-hat, which then measures the shape of a negligible remainder.

    Source: Vehtari, Simpson, Gelman, Yao and Gabry, "Pareto smoothed importance sampling" (2024);
    Yao et al., "Yes, but did it work?" (2018). Smoothing by ``arviz.psislw``.

    Args:
        log_weights: ``log p(z_s, data) - log q(z_s)``, shape (S,); -inf and NaN mean weight 0.

    Returns:
        The smoothed weights with their verdict.

    Raises:
        ValueError: If there is no draw with a finite weight, or the shape is not (S,).
    """
    if log_weights.dim() != 1:
        raise ValueError(f"log_weights must have shape (S,), not {tuple(log_weights.shape)}")
    raw = log_weights.detach().cpu().double().numpy()
    finite = np.isfinite(raw)
    if not finite.any():
        raise ValueError("no draw has a finite importance weight")
    shifted = np.where(finite, raw - raw[finite].max(), -1e10)
    if np.ptp(shifted[finite]) < 1e-9:
        smoothed, khat = shifted, -np.inf
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            arviz = arviz_module()

            smoothed, shape = arviz.psislw(shifted)
        khat = float(shape)
    weights = np.where(finite, np.exp(smoothed - np.max(smoothed)), 0.0)
    weights /= weights.sum()
    khat = khat if not np.isnan(khat) else np.inf
    level, reason = _judge(khat, weights * len(weights))
    lost = f"; {int((~finite).sum())} draws have no density" if not finite.all() else ""
    return Psis(
        khat=khat,
        weights=torch.as_tensor(weights),
        ess=float(1.0 / np.square(weights).sum()),
        level=level,
        verdict=f"{level}: {reason}{lost}",
    )


def _judge(khat: float, relative: npt.NDArray[np.float64]) -> tuple[str, str]:
    """Level and reason, from k-hat and the weights over their mean."""
    if relative.std() < _EVEN_SPREAD and relative.max() < _EVEN_MAXIMUM:
        return "good", f"the weights are equal within {relative.std():.1%} (k-hat {khat:.2f})"
    if khat < GOOD:
        return "good", f"k-hat {khat:.2f} is below {GOOD}, re-weighted summaries are accurate"
    if khat < USABLE:
        return (
            "usable",
            f"k-hat {khat:.2f} is below {USABLE}, re-weighted summaries have more error",
        )
    return (
        "not reliable",
        f"k-hat {khat:.2f} is above {USABLE}, the guide is too far from the posterior for its "
        "draws, re-weighted or not",
    )
