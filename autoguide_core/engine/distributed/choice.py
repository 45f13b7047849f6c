"""The runners of a fit that several processes make, and the proof that their shares add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import torch
from torch import Tensor

from autoguide_core.engine.distributed.handover import GRADIENT, Handover
from autoguide_core.engine.distributed.runner import (
    DistributedRunner,
    PendingDistributed,
    SharedWork,
)
from autoguide_core.engine.distributed.sharing import Shares, check_sizes, smaller_minibatches
from autoguide_core.engine.distributed.workers import Workers
from autoguide_core.engine.stepping.choice import Choice
from autoguide_core.engine.stepping.eager import PlainRunner
from autoguide_core.engine.stepping.noise import NoiseSource
from autoguide_core.engine.stepping.runner import PendingRunner, Runner
from autoguide_core.engine.stepping.step import CARRY, SLOT, Step
from autoguide_core.engine.stepping.supply import discover, seed_generators

_AGREEMENT = {torch.float64: 1e-7, torch.float32: 2e-3}
"""How near the mean of the shares comes to the whole, relative to the greatest entry."""


def share_out(choice: Choice, workers: Workers) -> Choice:
    """Share the steps of a fit out among processes; all of them must call it.

    Args:
        choice: The runners of whole steps.
        workers: The processes.

    Returns:
        The runners of shared steps, which take the noise of whole ones.

    Raises:
        RequestError: In all processes, if the steps cannot be shared out: there is no minibatch, it
            cannot be divided equally, or the ELBO is no sum over it.
    """
    step, state = choice.step, choice.state
    if choice.scattered:
        raise workers.cannot_share(choice.scattered)
    workers.agree_on("what they fit", [repr(step.draws), [list(p.shape) for p in step.leaves]])
    rule = Handover()
    with smaller_minibatches(workers) as minibatches:
        draws = discover(lambda: step.gradient(step.estimator.start()))
    check_sizes(minibatches, workers)
    work = SharedWork(
        step=step,
        own={
            "theta": state["theta"],
            SLOT + GRADIENT: rule.start(state["theta"])[GRADIENT],
            **{name: value for name, value in state.items() if name.startswith(CARRY)},
        },
        shares=Shares(step.draws, draws, workers),
        workers=workers,
    )
    own = replace(step, optimiser=rule, draws=draws)
    _check_that_shares_add_up(work, own)
    row = torch.zeros(1).to(state["theta"])
    of_shares = replace(choice, step=own, state=work.own, row=row, _recorded=None)
    choice.notes.append(f"{workers.count} processes shared out the minibatches")
    return _SharedChoice(choice, of_shares, work)


class _SharedChoice(Choice):
    """The runners of shared steps; as a whole step, it is the one that they all make together."""

    def __init__(self, whole: Choice, of_shares: Choice, work: SharedWork) -> None:
        super().__init__(**{field.name: getattr(whole, field.name) for field in fields(whole)})
        self._of_shares = of_shares
        self._work = work

    def named(self, engine: str) -> Runner:
        """The runner of a name, working on shares."""
        with smaller_minibatches(self._work.workers):
            return self._shared(self._of_shares.named(engine))

    def compilation(self) -> PendingRunner:
        """Start to compile the graph of shares."""
        with smaller_minibatches(self._work.workers):
            return PendingDistributed(self._of_shares.compilation(), self._work)

    def eager(self) -> Runner:
        """There is none to fall back on: other processes may not have met the error."""
        raise self._work.workers.cannot_share("its recorded steps fail")

    def plain(self) -> PlainRunner:
        """There is none: plain Pyro draws for itself."""
        raise self._work.workers.cannot_share("its steps need plain Pyro")

    def _first_of(self, names: tuple[str, ...]) -> Runner:
        with smaller_minibatches(self._work.workers):
            return self._shared(self._of_shares._first_of(names))

    def _shared(self, runner: Runner) -> Runner:
        if isinstance(runner, PlainRunner):
            raise self._work.workers.cannot_share("its steps need plain Pyro")
        return DistributedRunner(runner, self._work)


def _check_that_shares_add_up(work: SharedWork, own: Step) -> None:
    """Compare the mean over the processes with the whole, for one step's noise.

    Whatever is no sum over the minibatch is found here: a value that is enumerated for all of it
    together, a statistic of the minibatch in the model, processes with other data.
    """
    noise = NoiseSource(work.step.draws, seed=-1, device=work.own["theta"].device).block(0, 1)
    whole = _estimated(work.step, work, [drawn[0] for drawn in noise])
    with smaller_minibatches(work.workers):
        share = _estimated(own, work, [drawn[0] for drawn in work.shares.of(noise)])
    alike = [one.shape == other.shape for one, other in zip(whole, share, strict=True)]
    if not all(alike):
        raise work.workers.cannot_share("its baselines run over the minibatch")
    message = torch.cat([part.reshape(-1) for part in share])
    work.workers.mean(message)
    means = message.split([part.numel() for part in whole])
    pairs = [(one.reshape(-1), mean) for one, mean in zip(whole, means, strict=True)]
    errors = [(one - mean).abs().max() / (one.abs().max() + 1e-6) for one, mean in pairs]
    worst = float(torch.stack(errors).max())
    bound = _AGREEMENT.get(message.dtype, 5e-2)
    if not work.workers.largest(worst) <= bound:
        raise work.workers.cannot_share("its ELBO is no sum over the minibatch")


def _estimated(step: Step, work: SharedWork, noise: Sequence[Tensor]) -> list[Tensor]:
    """ELBO, gradient and new carry, all in the dtype of the parameters."""
    seed_generators(step.draws, noise)
    elbo, gradient, carry = step.estimate(work.own, noise)
    return [part.detach().to(gradient) for part in (elbo, gradient, *carry.values())]
