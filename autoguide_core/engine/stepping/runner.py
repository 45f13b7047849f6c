"""What makes steps: the contract that Python, the graph and compiled code all keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from autoguide_core.engine.stepping.step import State


class Runner(Protocol):
    """Makes steps on a state in place.

    All runners make the same steps, but for rounding.
    """

    @property
    def name(self) -> str:
        """What a user knows it by: ``plain``, ``eager``, ``graph``, ``native`` and so on."""
        ...

    @property
    def halts(self) -> bool:
        """Whether a run ends before the update of a step whose ELBO is not a finite number.

        A step at which the model cannot be evaluated then is one of these.
        """
        ...

    def run(self, state: State, noise: Sequence[Tensor], rows: Tensor) -> Tensor:
        """Make K steps.

        Args:
            state: The state, changed in place.
            noise: For each draw of the step a tensor (K, *shape).
            rows: The optimizer's row of each step, (K, H), of the dtype of ``theta``.

        Returns:
            The ELBO in nats before each update, float64, shape (K,). A runner may stop at the
            first that is not finite, and give NaN from there on.
        """
        ...


class PendingRunner(Protocol):
    """A runner that is being compiled."""

    @property
    def note(self) -> str:
        """What is going on, in a few words."""
        ...

    def ready(self) -> bool:
        """Whether ``runner`` would answer at once, be it with an error."""
        ...

    def runner(self) -> Runner:
        """Wait for the runner.

        Raises:
            NativeUnavailable: If there will be none; its message says why.
        """
        ...

    def cancel(self) -> None:
        """Stop the compilation."""
        ...
