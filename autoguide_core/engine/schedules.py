"""Learning-rate schedules, as a factor on the base rate."""

from __future__ import annotations

import math

_FLOOR = 0.01
_WARM_UP = 0.3
_WARM_UP_START = 0.04


def rate_factor(schedule: str, step: int, total: int) -> float:
    """The factor on the learning rate at one step.

    Args:
        schedule: One of ``cosine``, ``constant``, ``exponential``, ``one_cycle``.
        step: The step, from 0.
        total: Number of steps of the whole run.

    Returns:
        A factor in (0, 1]; all but ``constant`` end at 0.01. ``one_cycle`` follows Smith and
        Topin, "Super-Convergence" (2019): from 0.04 up to 1 over 30 % of the run, then down.

    Raises:
        ValueError: For an unknown schedule.
    """
    done = step / max(total - 1, 1)
    if schedule == "constant":
        return 1.0
    if schedule == "cosine":
        return _cosine(1.0, _FLOOR, done)
    if schedule == "exponential":
        return float(_FLOOR**done)
    if schedule == "one_cycle":
        if done < _WARM_UP:
            return _cosine(_WARM_UP_START, 1.0, done / _WARM_UP)
        return _cosine(1.0, _FLOOR, (done - _WARM_UP) / (1.0 - _WARM_UP))
    raise ValueError(f"schedule={schedule!r} is unknown")


def _cosine(start: float, end: float, done: float) -> float:
    return end + 0.5 * (start - end) * (1.0 + math.cos(math.pi * done))
