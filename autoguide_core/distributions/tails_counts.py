"""Tails of counts, in logarithms: through the incomplete gamma and beta functions.

A count of at most k is a waiting time for k + 1 events of more than the time observed: the
distribution function of a Poisson count is the survival function of a gamma variable, and that of
a binomial or negative binomial count that of a beta variable (M. Abramowitz and I. A. Stegun
(1964), "Handbook of Mathematical Functions", 26.4.21, 26.5.24 and 26.5.26).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch

import pyro.distributions as pyro_dist
import torch
import torch.distributions as dist
from torch import Tensor

from autoguide_core.distributions.quadrature import LogConcave, log_gamma, logit_beta
from autoguide_core.distributions.tails import Function


@dataclass(frozen=True)
class CountTails:
    """The two tails of a count.

    Attributes:
        log_cdf: log P(X <= k) for whole numbers k >= 0.
        log_sf: log P(X > k) for whole numbers k >= 0.
    """

    log_cdf: Function
    log_sf: Function

    def log_at_most(self, k: Tensor) -> Tensor:
        """Return log P(X <= k) for any whole number."""
        return torch.where(k < 0, -math.inf, self.log_cdf(k.clamp(min=0)))

    def log_above(self, k: Tensor) -> Tensor:
        """Return log P(X > k) for any whole number."""
        return torch.where(k < 0, 0.0, self.log_sf(k.clamp(min=0)))


@singledispatch
def count_tails(base: dist.Distribution) -> CountTails:
    """Return the tails of a distribution of counts.

    Raises:
        ValueError: If they are not known.
    """
    raise ValueError(f"{type(base).__name__} cannot be truncated: its tails are not known")


def _as_survival(density: LogConcave, u: Tensor) -> tuple[Tensor, Tensor]:
    cdf, sf = density.log_tails(u)
    return sf, cdf


def _together(both: Callable[[Tensor], tuple[Tensor, Tensor]]) -> CountTails:
    return CountTails(log_cdf=lambda k: both(k)[0], log_sf=lambda k: both(k)[1])


@count_tails.register
def _(base: dist.Poisson) -> CountTails:
    def both(k: Tensor) -> tuple[Tensor, Tensor]:
        k, rate = torch.broadcast_tensors(k, base.rate)
        positive = rate.clamp(min=torch.finfo(rate.dtype).tiny)
        return _as_survival(log_gamma(k + 1), torch.log(positive))

    return _together(both)


def _negative_binomial(failures: Tensor, logits: Tensor) -> CountTails:
    def both(k: Tensor) -> tuple[Tensor, Tensor]:
        k, r, u = torch.broadcast_tensors(k, failures, -logits)
        return logit_beta(r, k + 1).log_tails(u)

    return _together(both)


@count_tails.register
def _(base: dist.NegativeBinomial) -> CountTails:
    return _negative_binomial(base.total_count, base.logits)


@count_tails.register
def _(base: pyro_dist.GammaPoisson) -> CountTails:
    return _negative_binomial(base.concentration, -torch.log(base.rate))


@count_tails.register
def _(base: dist.Geometric) -> CountTails:
    def log_sf(k: Tensor) -> Tensor:
        return (k + 1) * torch.nn.functional.logsigmoid(-base.logits)

    return CountTails(log_cdf=lambda k: torch.log(-torch.expm1(log_sf(k))), log_sf=log_sf)


@count_tails.register
def _(base: dist.Binomial) -> CountTails:
    def both(k: Tensor) -> tuple[Tensor, Tensor]:
        k, n, u = torch.broadcast_tensors(k, base.total_count, -base.logits)
        last = k >= n
        cdf, sf = logit_beta(torch.where(last, 1.0, n - k), k + 1).log_tails(u)
        return torch.where(last, 0.0, cdf), torch.where(last, -math.inf, sf)

    return _together(both)
