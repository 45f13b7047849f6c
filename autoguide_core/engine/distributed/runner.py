"""The runner of a fit that several processes make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autoguide_core.engine.distributed.handover import GRADIENT
from autoguide_core.engine.distributed.sharing import Shares, smaller_minibatches
from autoguide_core.engine.distributed.workers import Workers
from autoguide_core.engine.stepping.runner import PendingRunner, Runner
from autoguide_core.engine.stepping.step import CARRY, SLOT, State, Step


@dataclass(frozen=True)
class SharedWork:
    """How the steps of one fit are shared out.

    Attributes:
        step: The step on whole minibatches.
        own: The state of the step on this process's shares. Its ``theta`` and its carry are the
            very tensors of the fit's state; only the slot of the gradient is its own.
        shares: Cuts the share out of the random numbers.
        workers: The processes.
    """

    step: Step
    own: State
    shares: Shares
    workers: Workers


class DistributedRunner:
    """Works out a share of each step, averages over the processes, and updates.

    It takes the random numbers of whole steps, as any runner does, and every process makes the
    same update. So states, checkpoints and blocks are those of a fit in one process; and it does
    not matter if the processes run different runners, or blocks of different lengths.

    Args:
        runner: Makes steps with the update rule `Handover` on shares.
        work: How the work is shared out.
    """

    def __init__(self, runner: Runner, work: SharedWork) -> None:
        self._runner = runner
        self._work = work
        own, theta = work.own, work.own["theta"]
        averaged = [own[SLOT + GRADIENT], *(t for n, t in own.items() if n.startswith(CARRY))]
        self._averaged = [tensor.view(-1) for tensor in averaged]
        self._message = torch.empty(1 + sum(map(len, self._averaged))).to(theta)
        self._no_row = torch.zeros(1, 1).to(theta)

    halts = True

    @property
    def name(self) -> str:
        """That of the runner that works out the shares."""
        return self._runner.name

    def run(self, state: State, noise: Sequence[Tensor], rows: Tensor) -> Tensor:
        """Make K steps; see `Runner`.

        It stops before the update of a step whose ELBO is not finite.

        Raises:
            WorkerLost: If another process has ended.
        """
        work = self._work
        elbo = torch.full((len(rows),), torch.nan, dtype=torch.float64)
        shares = work.shares.of(noise)
        for k, row in enumerate(rows):
            given = [drawn[k : k + 1] for drawn in shares]
            with smaller_minibatches(work.workers):
                own = self._runner.run(work.own, given, self._no_row)
            elbo[k] = self._averaged_over_processes(own)
            if not elbo[k].isfinite():
                break
            with torch.no_grad():
                gradient = work.own[SLOT + GRADIENT]
                for name, value in work.step.update(state, gradient, row).items():
                    state[name].copy_(value)
        return elbo

    def _averaged_over_processes(self, elbo: Tensor) -> Tensor:
        """Average gradient and carry in place, in one message with the ELBO (1,); its mean."""
        message = self._message
        torch.cat([elbo.to(message), *self._averaged], out=message)
        self._work.workers.mean(message)
        parts = message[1:].split([len(part) for part in self._averaged])
        for part, mean in zip(self._averaged, parts, strict=True):
            part.copy_(mean)
        return message[0]


class PendingDistributed:
    """A runner of shares that is being compiled; see `PendingRunner`."""

    def __init__(self, pending: PendingRunner, work: SharedWork) -> None:
        self._pending = pending
        self._work = work

    @property
    def note(self) -> str:
        """What is going on."""
        return self._pending.note

    def ready(self) -> bool:
        """Whether ``runner`` would answer at once."""
        return self._pending.ready()

    def runner(self) -> Runner:
        """Wait for the runner."""
        return DistributedRunner(self._pending.runner(), self._work)

    def cancel(self) -> None:
        """Stop the compilation."""
        self._pending.cancel()
