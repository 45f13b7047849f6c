"""How far a run has come."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from autoguide_core.engine.convergence import Drift
from autoguide_core.engine.stepping.step import State

_LOOKED_AT = 100

Numbers = npt.NDArray[np.float64]
Engines = list[tuple[str, int]]
"""Each runner that has stepped, with its first step (from 0)."""


def in_words(engines: Engines) -> str:
    """Which engines stepped: ``graph, then native from step 1,201``."""
    first, *others = engines
    return ", then ".join([first[0], *(f"{name} from step {at + 1:,}" for name, at in others)])


@dataclass
class Progressed:
    """How far a run has come: all that a checkpoint holds.

    Attributes:
        state: The state after ``done`` steps.
        elbo: The ELBO in nats at each step, of which the first ``done`` are known; NaN at a step
            that was left out.
        drift: How straight the parameters have travelled.
        done: Steps made.
        engines: Each runner that has stepped, with its first step (from 0).
    """

    state: State
    elbo: Numbers
    drift: Drift
    done: int = 0
    engines: Engines = field(default_factory=list)

    @property
    def is_stuck(self) -> bool:
        """Whether so many of the last steps were left out that there is no going on."""
        return stuck_at(self.elbo, self.done) is not None


def stuck_at(elbo: Numbers, done: int) -> int | None:
    """The first step (from 0) by which a run is stuck.

    Half of the last hundred steps were left out then, or of all that there are to be.

    Args:
        elbo: The ELBO at each step that there is to be.
        done: How many have been made.
    """
    missed = np.isnan(elbo[:done]).cumsum()
    before = np.concatenate([np.zeros(_LOOKED_AT, dtype=missed.dtype), missed])[:done]
    places = np.flatnonzero(missed - before > min(_LOOKED_AT, len(elbo)) // 2)
    return int(places[0]) if len(places) else None


def filled(elbo: Numbers) -> Numbers:
    """A history in which a step that was left out has the ELBO of the step before it."""
    known = ~np.isnan(elbo)
    if not known.any():
        return elbo
    last = np.maximum.accumulate(np.where(known, np.arange(len(known)), 0))
    return np.where(np.isnan(elbo[last]), elbo[known][0], elbo[last])


def left_out(elbo: Numbers) -> list[str]:
    """What a user should know of the steps of a history that were left out."""
    missed = int(np.isnan(elbo).sum())
    if not missed:
        return []
    steps = f"{missed:,} of {len(elbo):,} steps"
    return [f"{steps} drew where the model has no density, and were left out"]
