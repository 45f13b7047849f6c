"""What a guide emits at a model's site: a point with a known density.

Automatic guides draw in unconstrained space, at an auxiliary site, and then put the image of the
draw at the model's own site as a `Delta` with the log density of the map. That site is scored in
every step, at its own point, so there is no need to compare the two entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import kl_divergence, register_kl

Source: TypeAlias = Callable[[], tuple[Any, Tensor]]


class Point(dist.Delta):
    """A `Delta` that scores its own point without comparing it with itself.

    Args:
        value: The point; its ``event_dim`` rightmost dims are one event.
        log_density: The log density there, one entry per batch element.
        event_dim: The number of event dims.
        source: Gives the distribution of which the point is a draw, where its site is independent
            of all others, and the log density of the unconstrained draw. With it the divergence
            from a prior can be had in closed form.
    """

    def __init__(
        self,
        value: Tensor,
        log_density: Tensor | float = 0.0,
        event_dim: int = 0,
        source: Source | None = None,
    ) -> None:
        batch_dim = value.dim() - event_dim
        batch_shape = value.shape[:batch_dim]
        if not isinstance(log_density, Tensor):
            log_density = value.new_full(batch_shape, log_density)
        self.v = value
        self.log_density = log_density
        self.source = source
        # Past the base class, which would check and fill the arguments once more.
        super(dist.Delta, self).__init__(batch_shape, value.shape[batch_dim:], validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same points over a larger batch: a plain `Delta`."""
        if torch.Size(batch_shape) == self.batch_shape:  # plates expand to the shape there is too
            return self
        return dist.Delta(self.v, self.log_density, self.event_dim, validate_args=False).expand(
            batch_shape, _instance
        )

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """The point; shape (*sample_shape, *batch_shape, *event_shape)."""
        return self.v.expand(sample_shape + self.v.shape) if sample_shape else self.v

    def log_prob(self, x: Tensor) -> Tensor:
        """The log density at the point itself, minus infinity elsewhere; of the batch shape."""
        if x is self.v and self.log_density.shape == self.batch_shape:
            return self.log_density
        return super().log_prob(x)


def _kl_from_source(point: Point, prior: Any) -> Tensor:
    """The divergence of the point's source from a prior, less the source's own log density.

    `pyro.infer.TraceMeanField_ELBO` adds up this for the model's site and the log density of the
    draw for the auxiliary site. The two log densities cancel, and the exact divergence is left.
    """
    if point.source is None:
        raise NotImplementedError  # the ELBO then scores the point and the prior
    distribution, log_density = point.source()
    divergence: Tensor = kl_divergence(distribution, prior)
    return divergence - log_density


register_kl(Point, dist.Distribution)(_kl_from_source)

# Tools that print or draw a model tell its distributions by this name.
Point.__name__ = "Delta"


def emit_point(
    name: str,
    value: Tensor,
    log_density: Tensor | float,
    event_dim: int,
    source: Source | None = None,
) -> Tensor:
    """Emit a model's site; see `Point`."""
    result: Tensor = pyro.sample(name, Point(value, log_density, event_dim, source))
    return result
