"""Ordered classes by a normal variable between cutpoints."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor

from autoguide_core.functions.special import log1m_exp, log_normal_cdf


class OrderedProbit(dist.Categorical):
    """One of ordered classes: where a normal variable of variance 1 falls between cutpoints.

    The probability of class k is Phi(c[k] - predictor) - Phi(c[k - 1] - predictor), computed in
    logarithms from whichever tail of the normal distribution is the smaller.

    Args:
        predictor: The mean of the variable.
        cutpoints: Increasing along the last dim; one fewer than there are classes.
        validate_args: As in every distribution.
    """

    def __init__(
        self, predictor: Tensor, cutpoints: Tensor, validate_args: bool | None = None
    ) -> None:
        z = cutpoints - torch.as_tensor(predictor).unsqueeze(-1)
        below, above = log_normal_cdf(z), log_normal_cdf(-z)
        low, high = z[..., :-1], z[..., 1:]
        right = low + high > 0  # the class lies in the upper tail
        larger = torch.where(right, above[..., :-1], below[..., 1:])
        smaller = torch.where(right, above[..., 1:], below[..., :-1])
        between = larger + log1m_exp(smaller - larger)
        logits = torch.cat([below[..., :1], between, above[..., -1:]], -1)
        super().__init__(logits=logits, validate_args=validate_args)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> OrderedProbit:
        """Return the distribution with a larger batch shape."""
        new = self._get_checked_instance(OrderedProbit, _instance)
        expanded: OrderedProbit = super().expand(torch.Size(batch_shape), _instance=new)
        return expanded
