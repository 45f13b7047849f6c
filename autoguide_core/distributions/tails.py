"""Distribution functions and their inverses, in logarithms, that stay accurate in both tails.

A cdf close to 1 has lost the digits that a truncated density needs. Here each tail is computed by
itself: `log_cdf` for the lower one, `log_sf` (the survival function, 1 - cdf) for the upper one,
and each is inverted from its own logarithm.
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

from autoguide_core.functions.special import LOG_2, SQRT_2, log1m_exp, log_normal_cdf, log_sigmoid

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Tails:
    """The two tails of a continuous distribution of one real.

    Attributes:
        log_cdf: log P(X <= x), for x inside the support.
        log_sf: log P(X > x), for x inside the support.
        from_log_cdf: The x of a given `log_cdf`, asked for at most log(1/2).
        from_log_sf: The x of a given `log_sf`, asked for at most log(1/2).
        inside: Some point well inside the support; None: take the median.
    """

    log_cdf: Function
    log_sf: Function
    from_log_cdf: Function
    from_log_sf: Function
    inside: Tensor | None = None


def log_ndtri(log_p: Tensor) -> Tensor:
    """Return the z of log P(Z <= z) = log_p for a standard normal Z, for log_p <= log(1/2).

    Newton's method on `log_normal_cdf`, from the asymptotic inverse; being concave with a slope
    that tends to -z, it needs few steps at any depth of the tail.
    """
    with torch.no_grad():
        z = torch.where(log_p > -50, torch.special.ndtri(torch.exp(log_p)), -torch.sqrt(-2 * log_p))
        for _ in range(4):
            z = z - _newton_step(z, log_p)
    return z - _newton_step(z, log_p)  # carries the gradient with respect to log_p


def _newton_step(z: Tensor, log_p: Tensor) -> Tensor:
    log_density = -0.5 * z**2 - 0.5 * math.log(2 * math.pi)
    log_cdf = log_normal_cdf(z)
    return (log_cdf - log_p) * torch.exp(log_cdf - log_density)


def parameter_of(base: dist.Distribution) -> Tensor:
    """Return one of the distribution's parameters, for its dtype and device."""
    values = (getattr(base, name, None) for name in base.arg_constraints)
    return next((value for value in values if isinstance(value, Tensor)), torch.empty(()))


@singledispatch
def tails(base: dist.Distribution) -> Tails:
    """Return the tails of a distribution; from its own `cdf` and `icdf` if it is not known here.

    Raises:
        ValueError: If the distribution has no `cdf` or no `icdf`.
    """
    try:
        base.cdf(base.icdf(parameter_of(base).new_full(base.batch_shape, 0.5)))
    except NotImplementedError:
        raise ValueError(
            f"{type(base).__name__} cannot be truncated: "
            "it has no distribution function with an inverse"
        ) from None
    return Tails(
        log_cdf=lambda x: torch.log(base.cdf(x)),
        log_sf=lambda x: torch.log1p(-base.cdf(x)),
        from_log_cdf=lambda p: base.icdf(torch.exp(p)),
        from_log_sf=lambda p: base.icdf(-torch.expm1(p)),
    )


def _symmetric(base: dist.Distribution, log_cdf: Function, from_log_cdf: Function) -> Tails:
    """Return the tails of `loc + scale * Z` for a Z that is symmetric about zero."""
    loc, scale = base.loc, base.scale
    return Tails(
        log_cdf=lambda x: log_cdf((x - loc) / scale),
        log_sf=lambda x: log_cdf((loc - x) / scale),
        from_log_cdf=lambda p: loc + scale * from_log_cdf(p),
        from_log_sf=lambda p: loc - scale * from_log_cdf(p),
    )


@tails.register
def _(base: dist.Normal) -> Tails:
    return _symmetric(base, log_normal_cdf, log_ndtri)


@tails.register
def _(base: pyro_dist.Logistic) -> Tails:
    return _symmetric(base, log_sigmoid, lambda p: p - log1m_exp(p))


@tails.register
def _(base: dist.Laplace) -> Tails:
    def log_cdf(z: Tensor) -> Tensor:
        below = z < 0
        lower = torch.where(below, z, 0) - LOG_2
        upper = torch.log1p(-0.5 * torch.exp(-torch.where(below, 0, z)))
        return torch.where(below, lower, upper)

    return _symmetric(base, log_cdf, lambda p: p + LOG_2)


@tails.register
def _(base: dist.Cauchy) -> Tails:
    return _symmetric(
        base,
        lambda z: torch.log(torch.atan2(torch.ones_like(z), -z) / math.pi),
        lambda p: -1 / torch.tan(math.pi * torch.exp(p)),
    )


@tails.register
def _(base: pyro_dist.SoftLaplace) -> Tails:
    return _symmetric(
        base,
        lambda z: torch.log(2 / math.pi * torch.atan(torch.exp(z))),
        lambda p: torch.log(torch.tan(math.pi / 2 * torch.exp(p))),
    )


@tails.register
def _(base: dist.Gumbel) -> Tails:
    loc, scale = base.loc, base.scale
    return Tails(
        log_cdf=lambda x: -torch.exp((loc - x) / scale),
        log_sf=lambda x: log1m_exp(-torch.exp((loc - x) / scale)),
        from_log_cdf=lambda p: loc - scale * torch.log(-p),
        from_log_sf=lambda p: loc - scale * torch.log(-log1m_exp(p)),
    )


@tails.register
def _(base: dist.Exponential) -> Tails:
    return Tails(
        log_cdf=lambda x: log1m_exp(-base.rate * x),
        log_sf=lambda x: -base.rate * x,
        from_log_cdf=lambda p: -log1m_exp(p) / base.rate,
        from_log_sf=lambda p: -p / base.rate,
    )


@tails.register
def _(base: dist.HalfNormal) -> Tails:
    return Tails(
        log_cdf=lambda x: torch.log(torch.erf(x / base.scale / SQRT_2)),
        log_sf=lambda x: LOG_2 + log_normal_cdf(-x / base.scale),
        from_log_cdf=lambda p: base.scale * SQRT_2 * torch.erfinv(torch.exp(p)),
        from_log_sf=lambda p: -base.scale * log_ndtri(p - LOG_2),
    )


@tails.register
def _(base: dist.HalfCauchy) -> Tails:
    def log_cdf(z: Tensor) -> Tensor:
        return torch.log(2 / math.pi * torch.atan(z))

    return Tails(
        log_cdf=lambda x: log_cdf(x / base.scale),
        log_sf=lambda x: log_cdf(base.scale / x),
        from_log_cdf=lambda p: base.scale * torch.tan(math.pi / 2 * torch.exp(p)),
        from_log_sf=lambda p: base.scale / torch.tan(math.pi / 2 * torch.exp(p)),
    )


@tails.register
def _(base: dist.Uniform) -> Tails:
    width = base.high - base.low
    return Tails(
        log_cdf=lambda x: torch.log((x - base.low) / width),
        log_sf=lambda x: torch.log((base.high - x) / width),
        from_log_cdf=lambda p: base.low + width * torch.exp(p),
        from_log_sf=lambda p: base.high - width * torch.exp(p),
    )


@tails.register(dist.LogNormal)
@tails.register(dist.Weibull)
@tails.register(dist.Pareto)
def _(base: dist.TransformedDistribution) -> Tails:
    """Return the tails of an increasing function of another distribution."""
    inner = tails(base.base_dist)
    function = dist.ComposeTransform(base.transforms)
    return Tails(
        log_cdf=lambda x: inner.log_cdf(function.inv(x)),
        log_sf=lambda x: inner.log_sf(function.inv(x)),
        from_log_cdf=lambda p: function(inner.from_log_cdf(p)),
        from_log_sf=lambda p: function(inner.from_log_sf(p)),
    )
