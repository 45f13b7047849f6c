"""Tails of distributions without a distribution function in closed form, by integration."""

from __future__ import annotations

from collections.abc import Callable

import pyro.distributions as pyro_dist
import torch
import torch.distributions as dist
from torch import Tensor

from autoguide_core.distributions.quadrature import (
    LogConcave,
    asinh_student_t,
    log_gamma,
    logit_beta,
)
from autoguide_core.distributions.tails import Function, Tails, tails


def _integrated(
    density: Callable[[Tensor], LogConcave],
    to_line: Function,
    from_line: Function,
    inside: Tensor,
) -> Tails:
    """Return the tails of an increasing function of a variable with a log-concave density.

    Args:
        density: Of the variable u on the line, its parameters expanded to a shape like the given.
        to_line: From x to u, increasing.
        from_line: Its inverse.
        inside: Some x well inside the support.
    """
    return Tails(
        log_cdf=lambda x: density(x).log_tails(to_line(x))[0],
        log_sf=lambda x: density(x).log_tails(to_line(x))[1],
        from_log_cdf=lambda p: from_line(density(p).quantile(p, upper=False)),
        from_log_sf=lambda p: from_line(density(p).quantile(p, upper=True)),
        inside=inside,
    )


def _log(x: Tensor) -> Tensor:
    return torch.log(x.clamp(min=torch.finfo(x.dtype).tiny))


def _like(parameter: Tensor, other: Tensor) -> Tensor:
    return parameter.expand(torch.broadcast_shapes(parameter.shape, other.shape))


@tails.register
def _(base: dist.Gamma) -> Tails:
    return _integrated(
        lambda x: log_gamma(_like(base.concentration, x)),
        to_line=lambda x: _log(base.rate * x),
        from_line=lambda u: torch.exp(u) / base.rate,
        inside=base.concentration / base.rate,
    )


@tails.register
def _(base: pyro_dist.InverseGamma) -> Tails:
    """Return the tails of the reciprocal of a gamma variable, which are those swapped."""
    gamma = tails(base.base_dist)
    assert gamma.inside is not None
    return Tails(
        log_cdf=lambda x: gamma.log_sf(1 / x),
        log_sf=lambda x: gamma.log_cdf(1 / x),
        from_log_cdf=lambda p: 1 / gamma.from_log_sf(p),
        from_log_sf=lambda p: 1 / gamma.from_log_cdf(p),
        inside=1 / gamma.inside,
    )


@tails.register
def _(base: dist.Beta) -> Tails:
    a, b = base.concentration1, base.concentration0
    return _integrated(
        lambda x: logit_beta(_like(a, x), _like(b, x)),
        to_line=lambda x: _log(x) - _log(1 - x),
        from_line=torch.sigmoid,
        inside=a / (a + b),
    )


@tails.register
def _(base: dist.StudentT) -> Tails:
    root = torch.sqrt(base.df)
    return _integrated(
        lambda x: asinh_student_t(_like(base.df, x)),
        to_line=lambda x: torch.asinh((x - base.loc) / (base.scale * root)),
        from_line=lambda u: base.loc + base.scale * root * torch.sinh(u),
        inside=base.loc,
    )


@tails.register
def _(base: dist.FisherSnedecor) -> Tails:
    ratio = torch.log(base.df1) - torch.log(base.df2)
    return _integrated(
        lambda x: logit_beta(_like(base.df1 / 2, x), _like(base.df2 / 2, x)),
        to_line=lambda x: ratio + _log(x),
        from_line=lambda u: torch.exp(u - ratio),
        inside=torch.ones_like(ratio),
    )


@tails.register
def _(base: pyro_dist.AsymmetricLaplace) -> Tails:
    """Return the tails of a Laplace distribution that has a scale of its own on either side."""
    left, right = base.scale * base.asymmetry, base.scale / base.asymmetry
    log_below = torch.log(left) - torch.log(left + right)
    log_above = torch.log(right) - torch.log(left + right)

    def pieces(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        below = x < base.loc
        nothing = torch.zeros_like(x)
        lower = log_below + torch.where(below, x - base.loc, nothing) / left
        upper = log_above - torch.where(below, nothing, x - base.loc) / right
        return below, lower, upper

    def log_cdf(x: Tensor) -> Tensor:
        below, lower, upper = pieces(x)
        return torch.where(below, lower, torch.log1p(-torch.exp(upper)))

    def log_sf(x: Tensor) -> Tensor:
        below, lower, upper = pieces(x)
        return torch.where(below, torch.log1p(-torch.exp(lower)), upper)

    def distance(
        p: Tensor, log_own: Tensor, own: Tensor, log_other: Tensor, other: Tensor
    ) -> Tensor:
        """Return how far from loc, on the tail's own side, the quantile lies."""
        near = p > log_own
        beyond = torch.where(near, log_own, p)
        within = torch.where(near, p, log_own)
        rest = torch.log(-torch.expm1(within)) - log_other
        return torch.where(near, rest * other, (log_own - beyond) * own)

    return Tails(
        log_cdf=log_cdf,
        log_sf=log_sf,
        from_log_cdf=lambda p: base.loc - distance(p, log_below, left, log_above, right),
        from_log_sf=lambda p: base.loc + distance(p, log_above, right, log_below, left),
        inside=base.loc,
    )
