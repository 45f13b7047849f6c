"""Tail probabilities by integration, for densities that are log-concave in some coordinate.

The gamma, beta, t and F distributions have no distribution function in closed form, and PyTorch's
incomplete gamma function has no gradient with respect to the shape. But in a suitable coordinate u
(the logarithm, the logit, the inverse hyperbolic sine) each has a smooth log-concave density on the
whole line. From any point, the density then falls in one direction at least, and its integral that
way is computed by the double-exponential rule of H. Takahasi and M. Mori (1974), "Double
exponential formulas for numerical integration", with a fixed number of nodes. It is done in
logarithms, so that it holds arbitrarily far out, and everything is a plain sum that autograd
differentiates with respect to all parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from autoguide_core.functions.special import LOG_2, log1m_exp

_STEP = 0.1
_FIRST, _LAST = -3.5, 4.5
_BISECTIONS = 45
_FARTHEST = 700.0
"""The largest |u| looked at for a quantile: its exponential is still a number."""


@dataclass(frozen=True)
class LogConcave:
    """A log-concave density in a coordinate u on the whole line.

    Attributes:
        log_density: log p(u), not normalised, where u has one more dim on the right than the
            parameters: that of the nodes.
        slope: Its first derivative at u, of the parameters' shape.
        curvature: Its second derivative at u, which is negative.
        log_normaliser: The logarithm of the integral of exp(log_density).
    """

    log_density: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    curvature: Callable[[Tensor], Tensor]
    log_normaliser: Tensor

    def log_tails(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return log P(U <= u) and log P(U > u).

        The tail on which the density falls is integrated; the other is what is left to one.
        """
        with torch.no_grad():
            slope = self.slope(u)
            direction = torch.where(slope < 0, 1.0, -1.0).to(u.dtype)
            width = 1 / (slope.abs() + torch.sqrt(-self.curvature(u)) + 1e-30)
            nodes, log_weights = _rule(u.dtype)
            steps = (direction * width).unsqueeze(-1) * nodes.to(u.device)
        values = self.log_density(u.unsqueeze(-1) + steps) + log_weights.to(u.device)
        tail = torch.logsumexp(values, -1) + torch.log(width) - self.log_normaliser
        tail = tail.clamp(max=-torch.finfo(u.dtype).eps)
        rest = log1m_exp(tail)
        above = direction > 0
        return torch.where(above, rest, tail), torch.where(above, tail, rest)

    def quantile(self, log_p: Tensor, upper: bool) -> Tensor:
        """Return the u with log P(U <= u) = log_p; of log P(U > u) for the `upper` tail.

        By bisection, which carries no gradient, and one step of Newton's method, which does.
        """
        side = int(upper)
        with torch.no_grad():
            low, high = torch.full_like(log_p, -_FARTHEST), torch.full_like(log_p, _FARTHEST)
            for _ in range(_BISECTIONS):
                middle = (low + high) / 2
                below = (self.log_tails(middle)[side] < log_p) != upper
                low, high = torch.where(below, middle, low), torch.where(below, high, middle)
            u = (low + high) / 2
        found = self.log_tails(u)[side]
        log_density = self.log_density(u.unsqueeze(-1)).squeeze(-1) - self.log_normaliser
        with torch.no_grad():
            rate = torch.exp(found - log_density)
        step = (found - log_p) * rate
        return u + step if upper else u - step


@cache
def _rule(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the nodes s > 0 and the logarithms of the weights of the rule for the half-line."""
    t = torch.arange(_FIRST, _LAST, _STEP, dtype=torch.float64, device="cpu")
    log_nodes = t - torch.exp(-t)
    log_weights = log_nodes + torch.log1p(torch.exp(-t)) + math.log(_STEP)
    return torch.exp(log_nodes).to(dtype), log_weights.to(dtype)


def log_gamma(concentration: Tensor) -> LogConcave:
    """Return the density of the logarithm of a gamma variable of rate 1."""

    def exp(u: Tensor) -> Tensor:  # held to what is finite, whose gradient a zero weight annuls
        return torch.exp(u.clamp(max=0.9 * math.log(torch.finfo(u.dtype).max)))

    return LogConcave(
        log_density=lambda u: concentration.unsqueeze(-1) * u - exp(u),
        slope=lambda u: concentration - exp(u),
        curvature=lambda u: -exp(u),
        log_normaliser=torch.lgamma(concentration),
    )


def logit_beta(concentration1: Tensor, concentration0: Tensor) -> LogConcave:
    """Return the density of the log odds of a beta variable."""
    total = concentration1 + concentration0
    logsigmoid = torch.nn.functional.logsigmoid
    return LogConcave(
        log_density=lambda u: (
            concentration1.unsqueeze(-1) * logsigmoid(u)
            + concentration0.unsqueeze(-1) * logsigmoid(-u)
        ),
        slope=lambda u: concentration1 * torch.sigmoid(-u) - concentration0 * torch.sigmoid(u),
        curvature=lambda u: -total * torch.sigmoid(u) * torch.sigmoid(-u),
        log_normaliser=torch.lgamma(concentration1)
        + torch.lgamma(concentration0)
        - torch.lgamma(total),
    )


def asinh_student_t(df: Tensor) -> LogConcave:
    """Return the density of asinh(T / sqrt(df)), for a standard T of Student's distribution."""

    def log_cosh(u: Tensor) -> Tensor:
        return u.abs() + torch.log1p(torch.exp(-2 * u.abs())) - LOG_2

    return LogConcave(
        log_density=lambda u: -df.unsqueeze(-1) * log_cosh(u),
        slope=lambda u: -df * torch.tanh(u),
        curvature=lambda u: -df * torch.exp(-2 * log_cosh(u)),
        log_normaliser=torch.lgamma(df / 2) + 0.5 * math.log(math.pi) - torch.lgamma((df + 1) / 2),
    )
