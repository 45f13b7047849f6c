"""The contract between an estimator of the ELBO and what steps along its gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

Carry = dict[str, Tensor]


@dataclass(frozen=True)
class Estimate:
    """One estimate of the evidence lower bound.

    Attributes:
        elbo: The bound, in nats; a scalar, detached.
        surrogate: A scalar whose gradient with respect to the parameters estimates that of the
            bound, which is to be maximised. Its own value means nothing.
        carry: What goes to the next step: the baselines of score-function terms, by name.
    """

    elbo: Tensor
    surrogate: Tensor
    carry: Carry


class Estimator(Protocol):
    """Runs guide and model with the parameters in place, and scores the runs."""

    def start(self) -> Carry:
        """What the first step carries; empty where nothing goes from step to step."""
        ...

    def __call__(self, carry: Mapping[str, Tensor]) -> Estimate:
        """Estimate the bound and its gradient once.

        To be called with Pyro's validation off; then it can be traced.

        Args:
            carry: What `start`, or the step before, gave.
        """
        ...


class Untraceable(Exception):  # noqa: N818  (a verdict about a pair, not a mistake of the user)
    """No estimator here fits a pair, so that Pyro itself must make its steps.

    Args:
        reason: Why, as the end of a sentence.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
