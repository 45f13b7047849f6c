"""Runners that let Python make the steps: the reference for all others, and the last resort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyro
import torch
from torch import Tensor

from autoguide_core.engine.estimators import Estimator, Untraceable
from autoguide_core.engine.optimisers import Optimiser
from autoguide_core.engine.refusals import refusals_left_out
from autoguide_core.engine.stepping.draws import SEED
from autoguide_core.engine.stepping.parameters import flatten, unflatten
from autoguide_core.engine.stepping.step import CARRY, State, Step, loss_slopes, part_of, prefixed
from autoguide_core.engine.stepping.supply import of_step, seed_generators
from autoguide_core.engine.structure import parameters


class EagerRunner:
    """Runs guide and model at each step, with their noise given from outside.

    It stops before the update of a step whose ELBO is not finite.

    Args:
        step: The step; its leaves are views of the state's ``theta``.
    """

    name, halts = "eager", True

    def __init__(self, step: Step) -> None:
        self._step = step
        self._stored = len(pyro.get_param_store())

    def run(self, state: State, noise: Sequence[Tensor], rows: Tensor) -> Tensor:
        """Make K steps; see `Runner`.

        Raises:
            Untraceable: If a step draws something else than others, or makes a new parameter.
        """
        elbo = torch.full((len(rows),), torch.nan, dtype=torch.float64)
        for k, row in enumerate(rows):
            given = of_step(noise, k)
            seed_generators(self._step.draws, given)
            with refusals_left_out():
                new, elbo[k] = self._step(state, given, row)
            if len(pyro.get_param_store()) > self._stored:
                raise Untraceable("the model makes new parameters on its way")
            if not elbo[k].isfinite():
                break
            for name, value in new.items():
                state[name].copy_(value.detach())
        return elbo


class PlainRunner:
    """Runs guide and model as they are, whatever they draw and whatever parameters they make.

    Its one draw is ``SEED``: random numbers come from the generators of torch, numpy and Python,
    seeded before each step.
    The parameters keep memory of their own, and may be of several dtypes and devices; ``theta``
    holds copies of them. Parameters that appear are taken on from the next step, at the values
    that they have then. It stops before the update of a step whose ELBO is not finite.

    Args:
        estimator: Estimates the ELBO.
        optimiser: The update rule.
        leaves: The parameters that ``theta`` starts with, in their order.
    """

    name, halts = "plain", True

    def __init__(
        self, estimator: Estimator, optimiser: Optimiser, leaves: Sequence[Tensor]
    ) -> None:
        self._step = Step(estimator, optimiser, tuple(leaves), (SEED,))

    @property
    def leaves(self) -> tuple[Tensor, ...]:
        """The parameters so far, in their order in ``theta``."""
        return self._step.leaves

    def run(self, state: State, noise: Sequence[Tensor], rows: Tensor) -> Tensor:
        """Make K steps; see `Runner`. A state may grow."""
        put_values(state["theta"], self._step.leaves)
        elbo = torch.full((len(rows),), torch.nan, dtype=torch.float64)
        for k, row in enumerate(rows):
            seed_generators(self._step.draws, [drawn[k] for drawn in noise])
            with refusals_left_out():
                estimate = self._step.estimator(part_of(state, CARRY))
                elbo[k] = estimate.elbo
            if not elbo[k].isfinite():
                break
            self._take_on_new_parameters(state)
            slopes = loss_slopes(estimate.surrogate, self._step.leaves)
            gradient = flatten(slopes).to(state["theta"])
            state |= self._step.update(state, gradient, row)
            state |= prefixed(CARRY, estimate.carry)
            put_values(state["theta"], self._step.leaves)
        return elbo

    def _take_on_new_parameters(self, state: State) -> None:
        known = {id(leaf) for leaf in self._step.leaves}
        fresh = [leaf for leaf in parameters().values() if id(leaf) not in known]
        if not fresh:
            return
        self._step = replace(self._step, leaves=(*self._step.leaves, *fresh))
        for name, value in self._step.start(flatten(fresh).to(state["theta"])).items():
            if not name.startswith(CARRY):
                state[name] = torch.cat([state[name], value])


def put_values(theta: Tensor, leaves: Sequence[Tensor]) -> None:
    """Copy a vector (D,) into leaves of any dtype and device."""
    for leaf, part in zip(leaves, unflatten(theta, leaves), strict=True):
        leaf.detach().copy_(part)
