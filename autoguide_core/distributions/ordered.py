"""An event vector of exchangeable entries, sorted."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import pyro.distributions.constraints as pyro_constraints
import torch
from pyro.distributions import constraints
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor

from autoguide_core.distributions.truncated import Truncated


class Ordered(TorchDistribution):
    r"""A vector whose entries increase.

    For exchangeable entries (independent ones of the same distribution, for one) each of the n!
    orders is equally likely, so that the density is :math:`n! \, p(x)` on increasing vectors, and
    a draw is a sorted draw of the base: the order statistics. If the entries differ in their
    distributions, the density is right up to a constant factor of the base's parameters, and
    sorted draws are only near it: fit such a site, but do not take its prior draws for exact.

    Args:
        base: A distribution on the reals or on the positive numbers. Its events are vectors, or
            single numbers, of which the last batch dim then makes the vector, so that
            `Ordered(Normal(0.0, 10.0).expand([3]))` has event shape (3,).
        validate_args: As in every distribution.

    Raises:
        ValueError: If the base has no vectors, or another support.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}

    def __init__(self, base: TorchDistribution, validate_args: bool | None = None) -> None:
        if not base.event_shape and base.batch_shape:
            base = base.to_event(1)
        if len(base.event_shape) != 1:
            raise ValueError(
                f"{type(self).__name__} needs a distribution of vectors, "
                f"not of event shape {tuple(base.event_shape)}"
            )
        self.base_dist = base
        self._support = self._part_of(base)
        super().__init__(base.batch_shape, base.event_shape, validate_args=validate_args)

    def _part_of(self, base: TorchDistribution) -> constraints.Constraint:
        """Return the support, given that of the base."""
        return _ordered_part(base.support)

    @property
    def has_rsample(self) -> bool:
        """Whether draws carry gradients: if the base's do."""
        return bool(self.base_dist.has_rsample)

    def _current_support(self) -> constraints.Constraint:
        """Increasing vectors, of positive numbers if the base is on these."""
        return self._support

    support = constraints.dependent_property(_current_support, is_discrete=False, event_dim=1)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> Ordered:
        """Return the distribution with a larger batch shape."""
        new: Ordered = self._get_checked_instance(type(self), _instance)
        new.base_dist = self.base_dist.expand(torch.Size(batch_shape))
        new._support = self._support
        super(Ordered, new).__init__(
            new.base_dist.batch_shape, self.event_shape, validate_args=False
        )
        new._validate_args = self._validate_args
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density, of the batch shape; minus infinity out of order."""
        if self._validate_args:
            self._validate_sample(value)
        increasing = (value[..., 1:] >= value[..., :-1]).all(-1)
        density = self.base_dist.log_prob(value) + math.lgamma(self.event_shape[0] + 1)
        return torch.where(increasing, density, -math.inf)

    def sample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        """Return sorted draws of the base."""
        with torch.no_grad():
            return torch.sort(self.base_dist.sample(sample_shape), dim=-1).values

    def rsample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        """Return sorted draws of the base, with their gradients."""
        return torch.sort(self.base_dist.rsample(sample_shape), dim=-1).values


class PositiveOrdered(Ordered):
    """A vector whose entries are positive and increase.

    Args:
        base: As for `Ordered`. One of single numbers on the reals is first truncated at zero (see
            `Truncated`), so that the density stays normalised.
        validate_args: As in every distribution.

    Raises:
        ValueError: If the base has no vectors or another support, or cannot be truncated.
    """

    def __init__(self, base: TorchDistribution, validate_args: bool | None = None) -> None:
        self._cut = base.support is constraints.real
        if self._cut:
            base = Truncated(base, lower=0.0)
        super().__init__(base, validate_args=validate_args)
        if self._support is not pyro_constraints.positive_ordered_vector:
            raise ValueError("PositiveOrdered needs single numbers, or vectors that are positive")

    def _part_of(self, base: TorchDistribution) -> constraints.Constraint:
        """Return the support; that of what was cut at zero here need not be looked at."""
        return pyro_constraints.positive_ordered_vector if self._cut else super()._part_of(base)


def _ordered_part(support: constraints.Constraint) -> constraints.Constraint:
    """Return the increasing vectors of a support."""
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    if support is constraints.real:
        return pyro_constraints.ordered_vector
    lower = getattr(support, "lower_bound", None)
    if (
        hasattr(support, "upper_bound")
        or lower is None
        or bool((torch.as_tensor(lower) != 0).any())
    ):
        raise ValueError(
            f"Ordered needs a base on the reals or the positive numbers, not {support}"
        )
    return pyro_constraints.positive_ordered_vector
