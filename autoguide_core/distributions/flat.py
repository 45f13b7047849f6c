"""The flat prior, improper unless bounded on both sides."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from pyro.distributions import constraints
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor


class Flat(TorchDistribution):
    """A constant density of 1 on the reals, or between bounds.

    It is not normalised: `log_prob` is 0, also where bounds make it proper, so that a bound which
    is itself random brings no term of its own. As nothing can be drawn from an improper density,
    `sample` draws from a stand-in on the same support, which serves init strategies (feasible,
    sample, median, mean, uniform) alone: a normal variable, a half-normal one from the only bound
    on, a uniform one between two. `ImproperUniform` has no draws, and fails under most of these.

    Args:
        lower: Least value; a number or a tensor; None: no bound.
        upper: Greatest value; as `lower`.
        near: Numbers, gaps (NaN) among them or not, near which the stand-in draws; None: near 0, or
            the bounds.
        validate_args: As in every distribution.

    Raises:
        ValueError: If the bounds are out of order.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}
    has_rsample = True

    def __init__(
        self,
        lower: float | Tensor | None = None,
        upper: float | Tensor | None = None,
        near: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        bounds = [b if b is None else _tensor(b) for b in (lower, upper)]
        shape = torch.broadcast_shapes(*(bound.shape for bound in bounds if bound is not None))
        self.lower, self.upper = (b if b is None else b.expand(shape) for b in bounds)
        self._near = None if near is None else near[torch.isfinite(near)]
        super().__init__(torch.Size(shape), torch.Size(), validate_args=validate_args)
        if self._validate_args and not self._in_order():
            raise ValueError("The lower bound of Flat has to be below the upper one")

    def _in_order(self) -> bool:
        if self.lower is None or self.upper is None:
            return True
        return bool((self.lower < self.upper).all())

    def _current_support(self) -> constraints.Constraint:
        """The reals, or the part of them between the bounds."""
        if self.lower is None and self.upper is None:
            return constraints.real
        if self.upper is None:
            return constraints.greater_than_eq(self.lower)
        if self.lower is None:
            return constraints.less_than(self.upper)
        return constraints.interval(self.lower, self.upper)

    support = constraints.dependent_property(_current_support, is_discrete=False, event_dim=0)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> Flat:
        """Return the distribution with a larger batch shape."""
        new: Flat = self._get_checked_instance(Flat, _instance)
        shape = torch.Size(batch_shape)
        new.lower = None if self.lower is None else self.lower.expand(shape)
        new.upper = None if self.upper is None else self.upper.expand(shape)
        new._near = self._near
        super(Flat, new).__init__(shape, torch.Size(), validate_args=False)
        new._validate_args = self._validate_args
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        """Return 0; minus infinity outside the bounds."""
        if self._validate_args:
            self._validate_sample(value)
        shape = torch.broadcast_shapes(value.shape, self.batch_shape)
        density = torch.zeros(shape, dtype=value.dtype, device=value.device)
        if self.lower is not None:
            density = torch.where(value >= self.lower, density, -math.inf)
        if self.upper is not None:
            density = torch.where(value <= self.upper, density, -math.inf)
        return density

    def rsample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        """Return draws from the stand-in."""
        shape = self._extended_shape(sample_shape)
        if self._near is not None and self._near.numel():
            # Between a number and their mean, and so inside of every bound that they keep.
            number = self._near[torch.randint(self._near.numel(), shape)]
            return self._near.mean() + 0.5 * (number - self._near.mean())
        if self.lower is not None and self.upper is not None:
            eps = torch.finfo(self.lower.dtype).eps  # keep off the bounds, which map to infinity
            uniform = torch.rand_like(self.lower.expand(shape)).clamp(eps, 1 - eps)
            return self.lower + (self.upper - self.lower) * uniform
        if self.lower is not None:
            return self.lower + torch.randn_like(self.lower.expand(shape)).abs()
        if self.upper is not None:
            return self.upper - torch.randn_like(self.upper.expand(shape)).abs()
        return torch.randn(shape)


def _tensor(bound: float | Tensor) -> Tensor:
    """Return a bound as a tensor of a floating type."""
    bound = torch.as_tensor(bound)
    return bound if bound.is_floating_point() else bound.to(torch.get_default_dtype())
