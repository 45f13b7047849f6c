"""Distributions of Pyro by their mean and a precision, as regressions have them."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor


class NegativeBinomial2(dist.NegativeBinomial):
    """Counts with a mean, and the variance `mean + mean² / dispersion`.

    Args:
        mean: Mean of the counts.
        dispersion: The greater, the nearer to a Poisson distribution; shapes broadcast.
        validate_args: As in every distribution.
    """

    def __init__(
        self,
        mean: float | Tensor,
        dispersion: float | Tensor,
        validate_args: bool | None = None,
    ) -> None:
        mean, dispersion = _tensors(mean, dispersion)
        logits = torch.log(mean) - torch.log(dispersion)
        super().__init__(dispersion, logits=logits, validate_args=validate_args)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> NegativeBinomial2:
        """Return the distribution with a larger batch shape."""
        new = self._get_checked_instance(NegativeBinomial2, _instance)
        expanded: NegativeBinomial2 = super().expand(torch.Size(batch_shape), _instance=new)
        return expanded


class BetaProportion(dist.Beta):
    """A beta distribution with a mean, and the variance `mean (1 - mean) / (precision + 1)`.

    Args:
        mean: Mean, between 0 and 1.
        precision: The sum of the two concentrations; shapes broadcast.
        validate_args: As in every distribution.
    """

    def __init__(
        self,
        mean: float | Tensor,
        precision: float | Tensor,
        validate_args: bool | None = None,
    ) -> None:
        mean, precision = _tensors(mean, precision)
        super().__init__(mean * precision, (1 - mean) * precision, validate_args=validate_args)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> BetaProportion:
        """Return the distribution with a larger batch shape."""
        new = self._get_checked_instance(BetaProportion, _instance)
        expanded: BetaProportion = super().expand(torch.Size(batch_shape), _instance=new)
        return expanded


def _tensors(*values: float | Tensor) -> list[Tensor]:
    """Return the values as tensors of a floating type."""
    kind = next((v.dtype for v in values if isinstance(v, Tensor)), torch.get_default_dtype())
    return [torch.as_tensor(value, dtype=kind) for value in values]
