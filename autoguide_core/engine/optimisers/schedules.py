"""Learning-rate schedules: the rates of many steps at once."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

_FLOOR = 0.01
_WARM_UP = 0.3
_WARM_UP_START = 0.04


def rates(schedule: str, lr: float, steps: Tensor, total: int) -> Tensor:
    """The learning rates of some steps of a run.

    Args:
        schedule: ``constant``; ``cosine`` or ``exponential``, both falling to 1 % of the base
            rate; or ``one_cycle``, which climbs from 4 % over 30 % of the run, then falls to 1 %.
        lr: The base rate.
        steps: Numbers of the steps, from 1, shape (K,).
        total: Number of steps of the whole run.

    Returns:
        The rates, float64, shape (K,).

    Raises:
        ValueError: For an unknown schedule.
    """
    if schedule not in _FACTORS:
        raise ValueError(f"schedule={schedule!r} is unknown; one of {', '.join(_FACTORS)}")
    done = (steps.double() - 1.0) / max(total - 1, 1)
    return lr * _FACTORS[schedule](done)


def _exponential(done: Tensor) -> Tensor:
    factor: Tensor = _FLOOR**done
    return factor


def _one_cycle(done: Tensor) -> Tensor:
    """One climb and one fall: Smith and Topin, "Super-Convergence" (2019)."""
    climb = _cosine(_WARM_UP_START, 1.0, done / _WARM_UP)
    fall = _cosine(1.0, _FLOOR, (done - _WARM_UP) / (1.0 - _WARM_UP))
    return torch.where(done < _WARM_UP, climb, fall)


def _cosine(start: float, end: float, done: Tensor) -> Tensor:
    """Half a cosine from ``start`` to ``end``: Loshchilov and Hutter, "SGDR" (2017)."""
    return end + 0.5 * (start - end) * (1.0 + (math.pi * done).cos())


_FACTORS: dict[str, Callable[[Tensor], Tensor]] = {
    "cosine": lambda done: _cosine(1.0, _FLOOR, done),
    "constant": torch.ones_like,
    "exponential": _exponential,
    "one_cycle": _one_cycle,
}
"""The factor on the base rate, of the share of the run that is done (0 to 1)."""

SCHEDULES = tuple(_FACTORS)
