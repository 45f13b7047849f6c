"""Mixtures: one of several distributions, which may be of different kinds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any, ClassVar

import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor

from autoguide_core.distributions.spans import Span, span_of, support_over


class Point(dist.Delta):
    """All mass on one value: what a mixture has in excess there.

    Args:
        value: The value.
        validate_args: As in every distribution.
    """

    def __init__(self, value: float | Tensor, validate_args: bool | None = None) -> None:
        self.number = value
        kind = value.dtype if isinstance(value, Tensor) else torch.get_default_dtype()
        super().__init__(torch.as_tensor(value, dtype=kind), validate_args=validate_args)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> Point:
        """Return the distribution with a larger batch shape."""
        new = self._get_checked_instance(Point, _instance)
        new.number = self.number
        expanded: Point = super().expand(torch.Size(batch_shape), _instance=new)
        return expanded


class Mixture(TorchDistribution):
    """One of several distributions of single numbers, each with a weight.

    Its density is the sum of theirs, each times its weight, added up in logarithms. Components may
    differ in kind and in support. Where some of them are points, and the others are continuous, the
    density at a point is the mass there, with respect to the sum of Lebesgue's measure and a mass
    of one at each point: so is a hurdle model of amounts written.

    Args:
        weights: The components' weights along the last dim, with a sum of 1.
        components: The distributions, all discrete or all continuous but for `Point`; or a single
            one whose last batch dim are the components.
        validate_args: As in every distribution.

    Raises:
        ValueError: If the weights are not as many as the components, or one draws vectors.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {"weights": constraints.simplex}

    def __init__(
        self,
        weights: Tensor,
        components: TorchDistribution | Sequence[TorchDistribution],
        validate_args: bool | None = None,
    ) -> None:
        self.weights = weights
        self.along = isinstance(components, torch.distributions.Distribution)
        self.components: list[TorchDistribution] = [components] if self.along else list(components)
        shapes = [c.batch_shape[:-1] if self.along else c.batch_shape for c in self.components]
        count = self.components[0].batch_shape[-1] if self.along else len(self.components)
        if any(c.event_shape for c in self.components) or weights.shape[-1] != count:
            raise ValueError("A mixture needs a weight for each component, all of single numbers")
        self._points = [c.v for c in self.components if isinstance(c, dist.Delta)]
        spans = [span_of(c) for c in self.components]
        self._whole = reduce(Span.join, [s.over_last() if self.along else s for s in spans])
        self._covers = [span.same(self._whole) for span in spans]
        shape = torch.broadcast_shapes(weights.shape[:-1], *shapes)
        super().__init__(shape, torch.Size(), validate_args=validate_args)

    def _current_support(self) -> constraints.Constraint:
        """The least interval that holds all components."""
        return support_over(self._whole)

    support = constraints.dependent_property(_current_support, event_dim=0)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> Mixture:
        """Return the distribution with a larger batch shape."""
        new: Mixture = self._get_checked_instance(Mixture, _instance)
        for name in ("weights", "along", "components", "_points", "_whole", "_covers"):
            setattr(new, name, getattr(self, name))
        super(Mixture, new).__init__(torch.Size(batch_shape), torch.Size(), validate_args=False)
        new._validate_args = self._validate_args
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density, of the batch shape."""
        if self._validate_args:
            self._validate_sample(value)
        least = torch.finfo(self.weights.dtype).tiny  # so that a weight of 0 has a gradient
        shares = torch.log(self.weights.clamp(min=least))
        if self.along:
            terms = shares + self._density(0, value.unsqueeze(-1))
        else:
            each = [
                shares[..., number] + self._density(number, value)
                for number in range(len(self.components))
            ]
            terms = torch.stack(torch.broadcast_tensors(*each), -1)
        density = torch.logsumexp(terms, -1)
        return density.expand(torch.broadcast_shapes(density.shape, self.batch_shape))

    def _density(self, number: int, value: Tensor) -> Tensor:
        """Return a component's log density, minus infinity outside of its support."""
        component = self.components[number]
        if isinstance(component, dist.Delta):
            return torch.where(value == component.v, 0.0, -math.inf)
        apart = [] if component.support.is_discrete else self._points
        if self._covers[number] and not apart:
            return component.log_prob(value)
        inside = component.support.check(value)
        for point in apart:
            inside = inside & (value != point)
        # Outside, a number inside takes the value's place: there the density may have no gradient.
        kept = torch.where(inside, value, span_of(component).inner())
        return torch.where(inside, component.log_prob(kept), -math.inf)

    def sample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        """Return draws: of the component that each one's weight has drawn."""
        with torch.no_grad():
            shape, count = self.batch_shape, self.weights.shape[-1:]
            which = dist.Categorical(self.weights.expand(*shape, *count)).sample(sample_shape)
            if self.along:
                drawn = self.components[0].expand(shape + count).sample(sample_shape)
            else:
                each = [c.expand(shape).sample(sample_shape) for c in self.components]
                drawn = torch.stack([one.to(self.weights.dtype) for one in each], -1)
            return drawn.gather(-1, which.unsqueeze(-1)).squeeze(-1)
