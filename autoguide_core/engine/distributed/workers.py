"""The processes that make one fit together, and what they say to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from autoguide_core.engine.errors import RequestError


class WorkerLost(SystemExit):
    """Another process has ended, or has not answered in time, so that this one must end too.

    It is a way to exit and no error of the fit's: the loop writes its checkpoint, and whoever looks
    for a fault in the model is not asked.
    """


@dataclass(frozen=True)
class Workers:
    """The processes of torch's default group, seen from one of them.

    Attributes:
        rank: The number of this process, from 0.
        count: How many there are.
    """

    rank: int
    count: int

    @classmethod
    def present(cls) -> Workers | None:
        """The processes of this fit, or None where this one is alone."""
        if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
            return None
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes files and talks to the user."""
        return self.rank == 0

    def mean(self, values: Tensor) -> None:
        """Replace values by their mean over all processes; the same bits in each of them."""
        _exchange(lambda: dist.all_reduce(values))
        values /= self.count

    def largest(self, value: float) -> float:
        """The largest of the processes' values, NaN above all."""
        values: list[float] = self._gather(value)
        return max(values, key=lambda one: (one != one, one))

    def agree_on(self, what: str, value: object) -> None:
        """See that all processes have the same value.

        Args:
            what: What it is, for the message.
            value: The value, which can be pickled.

        Raises:
            RequestError: In all processes, if they have not.
        """
        values = self._gather(value)
        if any(one != values[0] for one in values):
            raise self.refusal(
                f"the {self.count} processes differ in {what}",
                "give each the same model, data, settings and checkpoint, in a folder that all see",
            )

    def refusal(self, message: str, remedy: str = "fit in one process") -> RequestError:
        """The error to raise where several processes cannot make a fit."""
        return RequestError("processes", message, remedy)

    def cannot_share(self, reason: str) -> RequestError:
        """The error to raise where minibatches cannot be cut into shares."""
        return self.refusal(
            f"the minibatches cannot be shared out among {self.count} processes: {reason}"
        )

    def _gather(self, value: Any) -> list[Any]:
        values: list[Any] = [None] * self.count
        _exchange(lambda: dist.all_gather_object(values, value))
        return values


def _exchange(collective: Callable[[], object]) -> None:
    try:
        with torch.no_grad():
            collective()
    except RuntimeError as error:  # torch has no narrower class for a connection that has closed
        raise WorkerLost("another process of this fit has ended, or did not answer") from error
