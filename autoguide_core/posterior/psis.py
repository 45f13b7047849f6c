"""Pareto-smoothed importance sampling: how far the draws may be trusted, and their weights."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch

GOOD, USABLE = 0.5, 0.7


@dataclass(frozen=True)
class Psis:
    """The smoothed weights of a set of draws.

    Attributes:
        khat: Estimated shape of the weights' tail; infinite where it cannot be estimated.
        weights: Smoothed, normalised weights, shape (S,), summing to 1.
        ess: Effective number of draws, ``1 / sum(weights ** 2)``.
        verdict: What ``khat`` means, in one sentence.
    """

    khat: float
    weights: torch.Tensor
    ess: float
    verdict: str


def psis(log_weights: torch.Tensor) -> Psis:
    """Smooth importance weights and judge them.

    Below 0.5 the weights have a finite variance and re-weighted summaries are accurate; up to 0.7
    they are usable with more error; above, neither the draws nor the re-weighted draws can be
    relied on.

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
            import arviz  # on first use only: it takes a second, and warns of its own future

            smoothed, shape = arviz.psislw(shifted)
        khat = float(shape)
    weights = np.where(finite, np.exp(smoothed - np.max(smoothed)), 0.0)
    weights /= weights.sum()
    khat = khat if not np.isnan(khat) else np.inf
    lost = f"; {int((~finite).sum())} draws have no density" if not finite.all() else ""
    return Psis(
        khat=khat,
        weights=torch.as_tensor(weights),
        ess=float(1.0 / np.square(weights).sum()),
        verdict=_verdict(khat) + lost,
    )


def _verdict(khat: float) -> str:
    if khat < GOOD:
        return f"good: k-hat {khat:.2f} is below {GOOD}, re-weighted summaries are accurate"
    if khat < USABLE:
        return f"usable: k-hat {khat:.2f} is below {USABLE}, re-weighted summaries have more error"
    return (
        f"not reliable: k-hat {khat:.2f} is above {USABLE}, the guide is too far from the "
        "posterior for its draws, re-weighted or not"
    )
