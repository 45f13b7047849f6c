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
from autoguide_core.engine.stepping.eager import EagerRunner, PlainRunner
from autoguide_core.engine.stepping.runner import PendingRunner, Runner
from autoguide_core.engine.stepping.step import State, restore
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
    """

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

    def explain(
        self,
        state: State,
        before: State,
        noise: Sequence[Tensor],
        rows: Tensor,
        elbo: Tensor,
        first: int,
    ) -> FitError:
        """The error for a block of steps in which the ELBO was not finite.

        Python makes the steps of the block again until it meets that ELBO, unless it was Python
        that has met it: so the parameters stand as they stood. Then guide and model are checked
        site by site, with the noise of the failing step.

        Args:
            state: The state after the block; it is changed.
            before: The state before it.
            noise: The block's noise.
            rows: The block's rows.
            elbo: The block's ELBOs.
            first: The first step of the block, from 0.
        """
        at = _first_fault(elbo)
        if not isinstance(self.runner, EagerRunner | PlainRunner):
            restore(state, before)
            with contextlib.suppress(Untraceable):
                again = EagerRunner(self._choice.step)
                at = _first_fault(again.run(state, [n[: at + 1] for n in noise], rows[: at + 1]))
        given, number = [drawn[at] for drawn in noise], first + at + 1
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


def _first_fault(elbo: Tensor) -> int:
    """The place of the first ELBO that is not finite; the last place if all are."""
    return min(int(elbo.isfinite().long().cumprod(0).sum()), len(elbo) - 1)


def _told(error: Exception) -> str:
    """An error as the end of a sentence."""
    return f"{type(error).__name__}: {reason_of(error)[:200].rstrip('.')}"
