"""A distribution cut off at bounds and renormalised."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from pyro.distributions import constraints
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor

from autoguide_core.distributions.cuts import (
    LogTails,
    base_edges,
    log_between,
    log_tails_above,
    log_tails_below,
)
from autoguide_core.distributions.rejection import draw_between
from autoguide_core.distributions.tails import parameter_of, tails
from autoguide_core.functions.special import LOG_2


class Truncated(TorchDistribution):
    r"""A continuous distribution of one real, given that it lies between bounds.

    Its density is :math:`p(x) / (F(upper) - F(lower))` between the bounds. Both the denominator
    and the draws are computed, in logarithms, from whichever tail is the smaller, so that a normal
    variable can be truncated fifty standard deviations out. Draws are the inverse of the
    distribution function at a uniform variable, and so carry gradients with respect to the
    base's parameters and to the bounds.

    Args:
        base: The distribution to cut; of event shape (). It needs a distribution function with an
            inverse: Normal, Cauchy, Laplace, Logistic, SoftLaplace, Gumbel, Exponential,
            HalfNormal, HalfCauchy, LogNormal, Weibull, Pareto, Uniform, Gamma, Chi2, InverseGamma,
            Beta, StudentT, FisherSnedecor and AsymmetricLaplace are accurate in the tails; any
            other with `cdf` and `icdf` is as accurate as these are.
        lower: Least value; a finite number, or a tensor that broadcasts against the base's batch
            shape; None: no bound but the base's own.
        upper: Greatest value; as `lower`.
        validate_args: As in every distribution.

    Raises:
        ValueError: If the base cannot be truncated, or the bounds leave nothing.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}
    has_rsample = True

    def __init__(
        self,
        base: TorchDistribution,
        lower: float | Tensor | None = None,
        upper: float | Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if base.event_shape or base.support.is_discrete:
            raise ValueError(
                f"{type(base).__name__} cannot be truncated: "
                "it is not a continuous distribution of single numbers"
            )
        tails(base)  # tells at once whether the base has what it takes
        like = parameter_of(base)
        bounds = [b if b is None else torch.as_tensor(b).to(like) for b in (lower, upper)]
        shape = torch.broadcast_shapes(
            base.batch_shape, *(bound.shape for bound in bounds if bound is not None)
        )
        self.base_dist = base.expand(shape)
        self.lower, self.upper = (b if b is None else b.expand(shape) for b in bounds)
        super().__init__(torch.Size(shape), torch.Size(), validate_args=validate_args)
        if self._validate_args:
            self._refuse_empty()

    def _refuse_empty(self) -> None:
        lower, upper = self._edges()
        for bound in (self.lower, self.upper):
            if bound is not None and not torch.isfinite(bound).all():
                raise ValueError("A bound of Truncated is not finite; leave it out instead")
        if lower is not None and upper is not None and not (lower < upper).all():
            raise ValueError("The bounds of Truncated leave nothing of its base's support")

    def _edges(self) -> tuple[Tensor | None, Tensor | None]:
        """Return the ends of the support, the base's own where they are the tighter."""
        lower, upper = self.lower, self.upper
        least, most = base_edges(self.base_dist)
        if least is not None:
            lower = torch.as_tensor(least) if lower is None else lower.clamp(min=least)
        if most is not None:
            upper = torch.as_tensor(most) if upper is None else upper.clamp(max=most)
        return lower, upper

    def _current_support(self) -> constraints.Constraint:
        """The interval between the bounds."""
        lower, upper = self._edges()
        if lower is None and upper is None:
            return self.base_dist.support
        if upper is None:
            return constraints.greater_than_eq(lower)
        if lower is None:
            return constraints.less_than(upper)
        return constraints.interval(lower, upper)

    support = constraints.dependent_property(_current_support, is_discrete=False, event_dim=0)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> Truncated:
        """Return the distribution with a larger batch shape."""
        new: Truncated = self._get_checked_instance(Truncated, _instance)
        shape = torch.Size(batch_shape)
        new.base_dist = self.base_dist.expand(shape)
        new.lower = None if self.lower is None else self.lower.expand(shape)
        new.upper = None if self.upper is None else self.upper.expand(shape)
        super(Truncated, new).__init__(shape, torch.Size(), validate_args=False)
        new._validate_args = self._validate_args
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density; minus infinity outside the bounds."""
        if self._validate_args:
            self._validate_sample(value)
        inside = torch.ones_like(value, dtype=torch.bool)
        if self.lower is not None:
            inside = inside & (value >= self.lower)
        if self.upper is not None:
            inside = inside & (value <= self.upper)
        density = self.base_dist.log_prob(value) - self._log_mass()
        return torch.where(inside, density, -math.inf)

    def rsample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        """Return draws that carry gradients."""
        shape = self._extended_shape(sample_shape)
        return self.icdf(torch.rand_like(parameter_of(self.base_dist).new_empty(shape)))

    def sample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        """Return draws."""
        with torch.no_grad():
            if tails(self.base_dist).inside is None:
                return self.rsample(sample_shape)
            return draw_between(
                self.base_dist,
                torch.Size(sample_shape),
                self.lower,
                self.upper,
                lambda: self.rsample(sample_shape),
            )

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of a smaller value."""
        lower, upper = self._edges()
        inside = value if lower is None else torch.maximum(value, lower)
        inside = inside if upper is None else torch.minimum(inside, upper)
        part = Truncated(self.base_dist, self.lower, inside, validate_args=False)
        return torch.exp(part._log_mass() - self._log_mass())

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantile of a probability."""
        finfo = torch.finfo(value.dtype)
        weight = value.clamp(finfo.tiny, 1 - finfo.eps)
        (cdf_lower, sf_lower), (cdf_upper, sf_upper) = self._log_tails()
        log_upper, log_lower = torch.log(weight), torch.log1p(-weight)
        log_cdf = torch.logaddexp(log_lower + cdf_lower, log_upper + cdf_upper)
        log_sf = torch.logaddexp(log_lower + sf_lower, log_upper + sf_upper)
        functions = tails(self.base_dist)
        tail = torch.minimum(log_cdf, log_sf).clamp(max=-LOG_2)
        found = torch.where(
            log_cdf <= log_sf, functions.from_log_cdf(tail), functions.from_log_sf(tail)
        )
        return self._clamp(found)

    def _clamp(self, value: Tensor) -> Tensor:
        """Move what rounding put on or over a bound just inside, keeping the gradient."""
        lower, upper = self._edges()
        above, below = value.new_tensor(math.inf), value.new_tensor(-math.inf)
        with torch.no_grad():
            clamped = value
            if lower is not None:
                clamped = torch.maximum(clamped, torch.nextafter(lower, above))
            if upper is not None:
                clamped = torch.minimum(clamped, torch.nextafter(upper, below))
        return value + (clamped - value).detach()

    def _log_tails(self) -> tuple[LogTails, LogTails]:
        """Return the log probabilities below and above the lower bound, and the upper one."""
        like = parameter_of(self.base_dist)
        nothing, everything = like.new_full((), -math.inf), like.new_zeros(())
        lower, upper = (nothing, everything), (everything, nothing)
        if self.lower is not None:
            lower = log_tails_below(self.base_dist, self.lower)
        if self.upper is not None:
            upper = log_tails_above(self.base_dist, self.upper)
        return lower, upper

    def _log_mass(self) -> Tensor:
        """Return the log of the base's probability between the bounds."""
        return log_between(*self._log_tails())
