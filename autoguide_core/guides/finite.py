"""Distributions over finitely many values: which values a site can take, and a table over them."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from pyro.distributions.torch import Independent
from pyro.distributions.torch_distribution import ExpandedDistribution, MaskedDistribution
from torch import Tensor
from torch.distributions import constraints

from autoguide_core.initialization import Site

# The most values of one site that are summed over: each costs an evaluation of the model's density.
MAX_VALUES = 1024


class FiniteTable(dist.TorchDistribution):
    """A distribution given by its values and their probabilities.

    Args:
        values: The K values, all different; shape (K, *event_shape).
        probs: Their probabilities, shape (*batch_shape, K).
        validate_args: As for every distribution.
    """

    has_enumerate_support = True
    # Not a simplex: torch checks its sum to 1e-6, which rounding over many values does not meet.
    arg_constraints = {  # noqa: RUF012
        "probs": constraints.independent(constraints.nonnegative, 1)
    }

    def __init__(self, values: Tensor, probs: Tensor, validate_args: bool | None = None) -> None:
        self.values, self.probs = values, probs
        self._index = torch.distributions.Categorical(probs=probs, validate_args=False)
        super().__init__(probs.shape[:-1], values.shape[1:], validate_args=validate_args)

    @property
    def support(self) -> Any:
        """The values themselves."""
        return _OneOf(self.values)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> FiniteTable:
        """The same table for each element of a larger batch."""
        probs = self.probs.expand(torch.Size(batch_shape) + self.probs.shape[-1:])
        return FiniteTable(self.values, probs, validate_args=self._validate_args)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Draw values; shape (*sample_shape, *batch_shape, *event_shape)."""
        draw: Tensor = self.values[self._index.sample(sample_shape)]
        return draw

    def log_prob(self, value: Tensor) -> Tensor:
        """The log probability of values; minus infinity for one that is not in the table.

        Args:
            value: Shape (..., *event_shape); the dims on the left broadcast with the batch.
        """
        if self._validate_args:
            self._validate_sample(value)
        found = _matches(value, self.values)
        log_prob: Tensor = self._index.log_prob(found.int().argmax(-1))
        return torch.where(found.any(-1), log_prob, -torch.inf)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values; shape (K, *batch_shape, *event_shape), with ones for the batch by default.

        Args:
            expand: False leaves dims of size one for the batch.
        """
        batch_dims = (1,) * len(self.batch_shape)
        values = self.values.reshape(-1, *batch_dims, *self.event_shape)
        return values.expand(-1, *self.batch_shape, *self.event_shape) if expand else values

    def mode(self) -> Tensor:
        """The most probable value, the first of equals; shape (*batch_shape, *event_shape)."""
        return self.values[self.probs.argmax(-1)]

    def quantiles(self, levels: Tensor) -> Tensor:
        """For each entry the least value whose cumulative probability reaches a level.

        Args:
            levels: Probabilities, shape (Q,).

        Returns:
            Shape (Q, *batch_shape, *event_shape).
        """
        entries = self.values.reshape(len(self.values), -1)
        ordered, order = entries.sort(dim=0)
        cumulative = self.probs[..., order].cumsum(-2)  # (*batch, K, entries)
        levels = levels.reshape(-1, *[1] * cumulative.dim())
        # The last cumulative probability is one, up to rounding: leave it out.
        rank = (cumulative[..., :-1, :] < levels).sum(-2)
        result = ordered[rank, torch.arange(entries.shape[1], device=rank.device)]
        return result.reshape(rank.shape[:-1] + self.event_shape)


class _OneOf(constraints.Constraint):
    """One of finitely many values."""

    is_discrete = True

    def __init__(self, values: Tensor) -> None:
        self._values = values
        super().__init__()

    @property
    def event_dim(self) -> int:
        return int(self._values.dim()) - 1

    def check(self, value: Tensor) -> Tensor:
        return _matches(value, self._values).any(-1)


def _matches(value: Tensor, values: Tensor) -> Tensor:
    """Whether each value is the k-th of a table; shape (..., K)."""
    event_dim = values.dim() - 1
    same: Tensor = value.unsqueeze(-1 - event_dim) == values
    return same.flatten(-event_dim).all(-1) if event_dim else same


def stripped(fn: Any) -> Any:
    """A distribution without the masks around it."""
    while isinstance(fn, MaskedDistribution):
        fn = fn.base_dist
    return fn


def finite_values(site: Site) -> Tensor:
    """All the values that a site can take.

    The entries of a ``.to_event(n)`` site vary together: an event of k entries with V values each
    has V to the power of k values.

    Args:
        site: A trace node.

    Returns:
        Shape (K, *event_shape).

    Raises:
        NotImplementedError: The support is not finite, or Pyro cannot list it.
        ValueError: The values are too many, or differ from element to element of a batch.
    """
    name, fn = site["name"], site["fn"]
    reinterpreted = 0
    while isinstance(fn, Independent | MaskedDistribution | ExpandedDistribution):
        if isinstance(fn, Independent):
            reinterpreted += fn.reinterpreted_batch_ndims
        fn = fn.base_dist
    family = type(fn).__name__
    if not getattr(fn, "has_enumerate_support", False):
        raise NotImplementedError(
            f"Sample site '{name}' has the distribution {family}, whose values cannot be listed: "
            "AutoDiscreteParallel covers discrete sites of finite support only. Hide the site from "
            f"it with poutine.block(model, hide=['{name}']) and give it to another guide."
        )
    try:
        values = fn.enumerate_support(expand=False)
    except NotImplementedError as error:
        raise ValueError(
            f"The values of sample site '{name}' ({family}) differ from element to element: "
            f"{error} Give all elements the same support (one total_count for all of them)."
        ) from error
    own_event = tuple(fn.event_shape)
    if values.numel() != len(values) * torch.Size(own_event).numel():
        raise ValueError(
            f"The values of sample site '{name}' ({family}) differ from element to element of its "
            "batch: one table cannot list them. Give all elements the same support."
        )
    values = values.reshape(-1, *own_event)
    event_shape = torch.Size(site["fn"].event_shape)
    num_entries = event_shape[:reinterpreted].numel()
    _check_number(name, len(values), num_entries)
    places = torch.arange(num_entries - 1, -1, -1, device=values.device)
    combinations = torch.arange(len(values) ** num_entries, device=values.device)
    index = combinations[:, None] // len(values) ** places % len(values)
    return values[index].reshape(-1, *event_shape)


def _check_number(name: str, num_values: int, num_entries: int) -> None:
    if num_values**num_entries <= MAX_VALUES:
        return
    if num_entries == 1:
        raise ValueError(
            f"Sample site '{name}' can take {num_values} values, and at most {MAX_VALUES} are "
            "summed over: each costs an evaluation of the model."
        )
    raise ValueError(
        f"Sample site '{name}' has an event of {num_entries} entries with {num_values} values "
        f"each, which are summed over jointly: {num_values}^{num_entries} values, and at most "
        f"{MAX_VALUES} are allowed. Put the entries into a pyro.plate instead of .to_event(), so "
        "that each is summed over on its own."
    )
