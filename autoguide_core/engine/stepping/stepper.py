"""What makes the steps of one fit: the present runner, the next one, and what to do in trouble."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from torch import Tensor

from autoguide_core.engine.errors import FitError
from autoguide_core.engine.estimators import Untraceable
from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.stepping.choice import RECORDED, Choice
from autoguide_core.engine.stepping.draws import SEED, Draw
from autoguide_core.engine.stepping.eager import PlainRunner
from autoguide_core.engine.stepping.runner import PendingRunner, Runner
from autoguide_core.engine.stepping.supply import seed_generators, supplied
from autoguide_core.engine.structure import reason_of


class Stepper:
    """Holds the runner, and changes it for a faster one or, in need, for one that always works.

    Args:
        choice: The runners there are.
        runner: The one to start with.
        blame: Ways to build the error for a step (from 1) whose ELBO is not finite, from one run
            of guide and model with the present parameters and random numbers.
        particles: Draws from the guide per estimate.
        may_change: Whether a faster runner may take over on the way.

    Attributes:
        is_strict: Whether the first step whose ELBO is not finite ends the run.
    """

    is_strict = False

    def __init__(
        self,
        choice: Choice,
        runner: Runner,
        blame: Sequence[Callable[[int], FitError]],
        *,
        particles: int,
        may_change: bool,
    ) -> None:
        self.runner = runner
        self.draws: tuple[Draw, ...] = (
            (SEED,) if isinstance(runner, PlainRunner) else choice.step.draws
        )
        self._choice = choice
        self._blame = blame
        self._particles = particles
        self._pending: PendingRunner | None = None
        self._may_change = may_change and runner.name == "graph" and not choice.is_on_gpu

    @property
    def leaves(self) -> tuple[Tensor, ...]:
        """The parameters, in their order in ``theta``."""
        runner = self.runner
        return runner.leaves if isinstance(runner, PlainRunner) else self._choice.step.leaves

    @property
    def is_waiting(self) -> bool:
        """Whether a faster runner may be ready soon."""
        return self._pending is not None

    def look_round(self) -> None:
        """Start a compilation, and take its runner as soon as there is one.

        Where the cache has the code that is at once.
        """
        if not self._may_change:
            return
        try:
            if self._pending is None:
                self._pending = self._choice.compilation()
            if self._pending.ready():
                self._may_change = False
                self.runner = self._pending.runner()
                self._pending = None
        except NativeUnavailable as error:
            self._may_change, self._pending = False, None
            self._choice.obstacles.append(f"the steps were not compiled: {error}")

    def holds(self) -> bool:
        """Prove compiled steps once more, from where they have led.

        What they do there may be another branch than at the start. Where they are wrong, the graph
        is to make the steps.

        Returns:
            Whether the steps that were made can be relied on, as far as it is seen.
        """
        if self.runner.name != "native":
            return True
        try:
            self._choice.prove_again()
        except NativeUnavailable as error:
            self.runner = self._choice.traced()
            self._choice.obstacles.append(f"stepped by the graph, not compiled: {error}")
            return False
        return True

    def fall_back(self, error: Exception) -> None:
        """Leave the steps to Python, from the present state on.

        Steps that were recorded are left to guide and model themselves; those that guide and model
        cannot make with the noise given are left to Pyro, torch's own generator included.

        Args:
            error: What a step has raised.

        Raises:
            FitError: If it was guide or model that raised it.
        """
        runner = self.runner
        fallback: Callable[[], Runner]
        if isinstance(error, Untraceable) and not isinstance(runner, PlainRunner):
            fallback, words = self._choice.plain, f"stepped by plain Pyro: {error}"
        elif runner.name in RECORDED and not isinstance(error, FitError):
            fallback, words = (
                self._choice.eager,
                f"stepped eagerly: recorded steps failed: {_told(error)}",
            )
        elif isinstance(error, FitError | Untraceable):
            raise error
        else:
            raise FitError(f"guide and model cannot be run: {_told(error)}") from error
        self.close()
        self._may_change = False
        self.runner = fallback()
        self.draws = (SEED,) if isinstance(self.runner, PlainRunner) else self._choice.step.draws
        self._choice.obstacles.append(words)

    def explain(self, given: Sequence[Tensor], number: int) -> FitError:
        """The error for a step whose ELBO was not finite, as steps before it.

        Guide and model are checked site by site at the present parameters.

        Args:
            given: The noise of the step.
            number: Which it is, from 1.
        """
        for blame in self._blame:
            # A way that draws otherwise than the estimator does not get through.
            with (
                contextlib.suppress(Untraceable, RuntimeError, IndexError),
                supplied(self.draws, given, in_part=True),
            ):
                seed_generators(self.draws, given)
                for _ in range(self._particles):
                    error = blame(number)
                    if error.site is not None:
                        return error
        return self._blame[-1](number)

    def close(self) -> None:
        """Stop a compilation that is not needed any more."""
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None


def _told(error: Exception) -> str:
    """An error as the end of a sentence."""
    return f"{type(error).__name__}: {reason_of(error)[:200].rstrip('.')}"
