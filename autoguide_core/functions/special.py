"""Functions of single numbers that torch lacks, or cannot batch or differentiate everywhere."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOG_2 = math.log(2)
SQRT_2 = math.sqrt(2)


def log1m_exp(x: Tensor) -> Tensor:
    """Return log(1 - exp(x)) for negative x, accurately at both ends.

    After M. Mächler (2012), "Accurately computing log(1 - exp(-|a|))", CRAN package Rmpfr.
    """
    near = x > -LOG_2
    inner = torch.where(near, x, -LOG_2)
    outer = torch.where(near, -LOG_2, x)
    return torch.where(near, torch.log(-torch.expm1(inner)), torch.log1p(-torch.exp(outer)))


def log_sigmoid(x: Tensor) -> Tensor:
    """Return log(1 / (1 + exp(-x))), accurately in both tails.

    As torch's `logsigmoid`, whose second derivatives warn where they are batched by `vmap`.
    """
    return -torch.logaddexp(torch.zeros_like(x), -x)


def logit(p: Tensor) -> Tensor:
    """Return log(p / (1 - p)), accurate near 0.

    As torch's `logit`, which has no second derivatives.
    """
    return torch.log(p) - torch.log1p(-p)


def log_normal_cdf(z: Tensor) -> Tensor:
    """Return log P(Z <= z) of a standard normal Z.

    As `torch.special.log_ndtr`, which `vmap` cannot batch.
    """
    far = z < -1
    tail, body = torch.where(far, z, -1), torch.where(far, -1, z)
    return torch.where(
        far,
        torch.log(torch.special.erfcx(-tail / SQRT_2) / 2) - tail**2 / 2,
        torch.log1p(-torch.special.erfc(body / SQRT_2) / 2),
    )
