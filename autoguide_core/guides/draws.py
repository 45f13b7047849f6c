"""Draws of a guide as tensors: their shape, and the quantiles taken over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

# Draws behind a quantile that has no closed form; the median's standard error is 1.3 % of a sd.
NUM_QUANTILE_DRAWS = 10_000


def quantiles_of_draws(draws: Tensor, quantiles: Tensor | Iterable[float]) -> Tensor:
    """Entrywise quantiles over the first dim, linear between order statistics.

    `torch.quantile` does the same, but refuses more than 16 million entries.

    Args:
        draws: Shape (N, ...).
        quantiles: Q probabilities.

    Returns:
        Shape (Q, ...).
    """
    probabilities = torch.as_tensor(quantiles, dtype=draws.dtype, device=draws.device)
    ordered = draws.sort(dim=0).values
    position = probabilities * (len(draws) - 1)
    below = position.floor().long()
    above = (below + 1).clamp(max=len(draws) - 1)
    weight = (position - below).reshape(-1, *[1] * (draws.dim() - 1))
    return torch.lerp(ordered[below], ordered[above], weight.expand_as(ordered[below]))


def align_draws(value: Tensor, num_samples: int, shape: torch.Size) -> Tensor:
    """Bring a value from inside a sample plate to the shape (num_samples, *shape).

    Args:
        value: A value with the sample dim on the far left, dims of size one between it and the
            site's own, and possibly no sample dim at all, if it does not vary over draws.
        num_samples: The size of the sample plate.
        shape: The site's full shape.
    """
    gap = value.dim() - 1 - len(shape)
    if gap < 0:
        return value.expand(num_samples, *shape)
    return value.reshape(value.shape[0], *value.shape[1 + gap :]).expand(num_samples, *shape)


def score_of_point(draws: Mapping[str, Tensor], point: Mapping[str, Tensor]) -> Tensor:
    """The log probability of draws under a point: 0 at the point, minus infinity elsewhere.

    The same value computed in another way is the same but for rounding, and counts as the point.

    Args:
        draws: By site, each of shape (S, *site shape).
        point: By site, each of the site's shape.

    Returns:
        Shape (S,).
    """
    hits = [
        _is_close(draws[name], value).reshape(len(draws[name]), -1).all(1)
        for name, value in point.items()
    ]
    at_point = torch.stack(hits).all(0)
    zeros = next(iter(draws.values())).new_zeros(len(at_point))
    if not zeros.is_floating_point():
        zeros = zeros.to(torch.get_default_dtype())
    return zeros.masked_fill(~at_point, -torch.inf)


def _is_close(draw: Tensor, value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return draw == value
    tolerance = 16 * torch.finfo(value.dtype).eps
    return torch.isclose(draw.to(value), value, rtol=tolerance, atol=tolerance)
