"""Where a distribution has impossible parameters its density is zero: in recorded graphs, too.

A distribution that validates its parameters raises an error where they are impossible, and that
leaves nothing in a graph; without validation its formula often gives a finite number there (a Beta
of a negative concentration, a Bernoulli of a probability of 1.2), which a fit would take for a
density. So a model whose density is recorded runs inside of `Validity`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import torch
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.constraints import Constraint
from torch.distributions.utils import lazy_property

_PASSES_ON = frozenset(
    f"{name}Backward{number}"
    for name in (
        *("Alias", "Clone", "Expand", "Gather", "Index", "IndexSelect", "Permute", "Select"),
        *("Slice", "Squeeze", "Transpose", "Unsqueeze", "UnsafeView", "View", "ReshapeAlias"),
    )
    for number in range(3)
)
"""Operations whose results are some of their first argument's numbers."""

_UNIT_INTERVAL = (constraints.unit_interval, constraints.simplex)
_POSITIVE = (constraints.positive, constraints.nonnegative, *_UNIT_INTERVAL)
_IMPLIED_BY = {
    constraints.positive: _POSITIVE,
    constraints.nonnegative: _POSITIVE,
    constraints.unit_interval: _UNIT_INTERVAL,
}
"""Supports whose numbers keep to a constraint."""

_SUPPORTS_OF = {
    "ExpBackward0": constraints.positive,
    "SoftplusBackward0": constraints.positive,
    "SigmoidBackward0": constraints.unit_interval,
    "SoftmaxBackward0": constraints.simplex,
}
"""Where the results of operations lie."""

_UNCHECKED = {
    "_Real",  # NaN makes a density of NaN
    "_Circle",  # any number is an angle
    "_PositiveDefinite",  # has a Cholesky factor, or there is no density
    "_PositiveSemidefinite",
    "_Symmetric",
    "_Square",
    "_Dependent",
    "_DependentProperty",
}


class Validity(Messenger):
    """Gives sites a log density of -inf where a parameter breaks the constraint on it.

    Only what depends on latents is looked at: a parameter, and for an observation also whether it
    lies in the support, where its value or the support's bounds depend on them. Data and constants
    are validated once, before a fit. What is positive by its making (a positive latent, or the
    exponential of something) is not looked at either, so that most models' graphs stay as they are.

    It has to stand outside of all other handlers that change distributions.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_drawn = False
        self._latents: dict[Any, Constraint] = {}

    def __enter__(self) -> Any:
        self._is_drawn = False
        self._latents = {}
        return super().__enter__()

    def _pyro_sample(self, msg: Any) -> None:
        fn = msg["fn"]
        if not isinstance(fn, Distribution):
            return
        conditions = [*self._conditions(fn)]
        if msg["is_observed"]:
            conditions += self._inside(fn, msg["value"])
        if conditions:
            msg["fn"] = _guarded(fn, conditions)

    def _pyro_post_sample(self, msg: Any) -> None:
        value = msg["value"]
        if msg["is_observed"] or site_is_subsample(msg) or not isinstance(value, Tensor):
            return
        if value.grad_fn is not None:
            self._latents[value.grad_fn] = _base_of(_support_of(msg["fn"]))
        elif msg["infer"].get("_enumerate_dim") is None:
            # What follows from a draw without a gradient shows no dependence of its own.
            self._is_drawn |= not value.requires_grad

    def _conditions(self, fn: Distribution) -> Iterator[Tensor]:
        """For each parameter that moves, whether it is possible; of the batch shape's dims."""
        for name, constraint in fn.arg_constraints.items():
            is_lazy = isinstance(getattr(type(fn), name, None), lazy_property)
            if is_lazy and name not in fn.__dict__:
                continue
            value = getattr(fn, name, None)
            if isinstance(value, Tensor) and self._may_fail(value, constraint):
                yield constraint.check(_distinct(value, constraint.event_dim))
        for part in _parts(fn):
            extra = len(part.batch_shape) - len(fn.batch_shape)
            for condition in self._conditions(part):
                yield _all_of_last(condition, extra)

    def _inside(self, fn: Distribution, value: Any) -> list[Tensor]:
        """Whether an observed value lies in the support, where one of them depends on latents."""
        support = _support_of(fn)
        if not isinstance(value, Tensor) or not value.numel() or not _is_checked(support):
            return []
        if not any(map(self._moves, (value, *_bounds(support)))):
            return []
        return [support.check(value)]

    def _may_fail(self, value: Tensor, constraint: Constraint) -> bool:
        """Whether a value moves, and does not meet a constraint by the way in which it was made."""
        if not self._moves(value) or not _is_checked(constraint):
            return False
        return self._made_in(value) not in _IMPLIED_BY.get(_base_of(constraint), ())

    def _made_in(self, value: Tensor) -> Constraint | None:
        """Where a tensor's numbers lie by what has made them, views and the like apart."""
        node: Any = value.grad_fn
        while node is not None:
            if node in self._latents:
                return self._latents[node]
            if node.name() not in _PASSES_ON and not _is_clip(node):
                return _SUPPORTS_OF.get(node.name())
            node = node.next_functions[0][0]
        return None

    def _moves(self, tensor: Tensor) -> bool:
        return tensor.requires_grad or self._is_drawn


def _guarded(fn: Distribution, conditions: list[Tensor]) -> Distribution:
    """The same distribution, with a log density of -inf where a condition is not met."""
    valid = conditions[0]
    for condition in conditions[1:]:
        valid = valid & condition

    def log_prob(value: Any, *args: Any, **kwargs: Any) -> Tensor:
        return torch.where(valid, fn.log_prob(value, *args, **kwargs), -math.inf)

    guarded = copy.copy(fn)
    guarded.log_prob = log_prob
    return guarded


def _parts(fn: Distribution) -> Iterator[Distribution]:
    """The distributions that one is made of."""
    for value in vars(fn).values():
        if isinstance(value, Distribution):
            yield value
        elif isinstance(value, list | tuple):
            yield from (part for part in value if isinstance(part, Distribution))


def _support_of(fn: Any) -> Constraint:
    try:
        return fn.support if fn.support is not None else constraints.dependent
    except (AttributeError, NotImplementedError):
        return constraints.dependent


def _bounds(support: Constraint) -> Iterator[Tensor]:
    for value in vars(support).values():
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, Constraint):
            yield from _bounds(value)


def _base_of(constraint: Constraint) -> Constraint:
    base: Constraint = getattr(constraint, "base_constraint", constraint)
    return base


def _is_checked(constraint: Constraint) -> bool:
    return type(_base_of(constraint)).__name__ not in _UNCHECKED


def _is_clip(node: Any) -> bool:
    """Whether it is the clamp within (0, 1) that torch puts on a sigmoid's results."""
    return node.name().startswith("ClampBackward") and (
        0.0 < (getattr(node, "_saved_min", None) or 0.0) < (getattr(node, "_saved_max", 0.0) or 0.0)
    )


def _distinct(value: Tensor, event_dim: int) -> Tensor:
    """A tensor with batch dims that only repeat its numbers cut to size 1."""
    strides = value.stride()
    for dim in range(value.dim() - event_dim):
        if strides[dim] == 0 and value.shape[dim] > 1:
            value = value.narrow(dim, 0, 1)
    return value


def _all_of_last(condition: Tensor, count: int) -> Tensor:
    """Whether a condition is met all along its last dims, so many or all that there are."""
    for _ in range(min(count, condition.dim())):
        condition = condition.all(-1)
    return condition
