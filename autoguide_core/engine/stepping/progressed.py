"""How far a run has come."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from autoguide_core.engine.convergence import Drift
from autoguide_core.engine.stepping.step import State


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
    engines: list[tuple[str, int]] = field(default_factory=list)
