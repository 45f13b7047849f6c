"""How far a run has come."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from autoguide_core.engine.convergence import Drift
from autoguide_core.engine.stepping.step import State

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
        elbo: The ELBO in nats at each step, of which the first ``done`` are known.
        drift: How straight the parameters have travelled.
        done: Steps made.
        engines: Each runner that has stepped, with its first step (from 0).
    """

    state: State
    elbo: npt.NDArray[np.float64]
    drift: Drift
    done: int = 0
    engines: Engines = field(default_factory=list)
