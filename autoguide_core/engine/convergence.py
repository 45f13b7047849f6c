"""Whether the optimisation has settled, said so that a reader can act on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

_TAIL = 0.4
_BATCHES = 20
_DRIFT_WINDOW = (0.4, 0.8)
_DRIFT_LIMIT = 0.5
_ERRORS_ALLOWED = 2.0
_NOISE_ALLOWED = 10.0


@dataclass(frozen=True)
class Verdict:
    """Whether a run settled, and the sentence that says why."""

    converged: bool
    sentence: str


class Drift:
    """How straight the parameters travelled over the middle of the run.

    An Adam step moves a parameter by about the learning rate at most. A parameter that has
    arrived goes to and fro; one that is still on its way covers a good part of the sum of the
    learning rates. The ratio needs no knowledge of the parameter's scale.

    Args:
        parameters: The tensors to watch, by name.
        steps: Length of the run.
    """

    def __init__(self, parameters: dict[str, torch.Tensor], steps: int) -> None:
        self._parameters = parameters
        self._first, self._last = (int(steps * share) for share in _DRIFT_WINDOW)
        self._start: dict[str, torch.Tensor] = {}
        self._path = 0.0
        self.ratio = 0.0
        self.name: str | None = None

    @property
    def parameters(self) -> Mapping[str, torch.Tensor]:
        """The tensors that are watched, by name."""
        return self._parameters

    @property
    def stops(self) -> tuple[int, int]:
        """The steps (from 0) after which ``update`` must be called."""
        return self._first, self._last

    def update(self, step: int, rates: npt.NDArray[np.float64]) -> None:
        """Take note of the steps up to ``step``.

        Args:
            step: The last step made, from 0.
            rates: The learning rates of the steps since the last call.
        """
        if step == self._first:
            self._start = {n: p.detach().clone() for n, p in self._parameters.items()}
        elif self._first < step <= self._last:
            # One after the other, so that the sum is the same in whatever blocks they come.
            self._path = float(np.cumsum([self._path, *rates])[-1])
            if step == self._last and self._path > 0.0:
                self._compare()

    def record(self) -> dict[str, Any]:
        """All that was noted, as tensors and plain values."""
        return {"start": self._start, "path": self._path, "ratio": self.ratio, "name": self.name}

    def take_up(self, record: Mapping[str, Any]) -> None:
        """Go on from what another drift of the same parameters has noted."""
        for name, value in record["start"].items():
            self._start[name] = value.to(self._parameters[name].device)
        self._path, self.ratio, self.name = record["path"], record["ratio"], record["name"]

    def _compare(self) -> None:
        for name, start in self._start.items():
            moved = float((self._parameters[name].detach() - start).abs().max())
            if moved / self._path > self.ratio:
                self.ratio, self.name = moved / self._path, name


def judge(
    elbo: npt.NDArray[np.float64], tolerance: float, drift: Drift | None, steps: int
) -> Verdict:
    """Judge a run by the slope of its ELBO's tail and by the drift of its parameters.

    The slope is a straight line through the means of 20 batches over the last 40 % of the run,
    with the error that the scatter of the batches gives.

    Args:
        elbo: The ELBO at each step, in nats.
        tolerance: The rise, in nats per 1,000 steps, that counts as flat.
        drift: The record of the parameters, where the optimizer is one of Adam's kind.
        steps: Steps of the run, for the advice.

    Returns:
        The verdict.
    """
    tail = elbo[-int(len(elbo) * _TAIL) :]
    if len(tail) < 5 * _BATCHES:
        return Verdict(
            False, f"not judged: {len(elbo)} steps are too few; try steps = {max(1000, steps)}"
        )
    batches = np.array([part.mean() for part in np.array_split(tail, _BATCHES)])
    at = np.linspace(0.0, len(tail) / 1000.0, _BATCHES)
    slope, error = _line(at, batches)
    if slope > tolerance + _ERRORS_ALLOWED * error:
        return Verdict(
            False,
            f"not converged: the ELBO was still rising by {slope:.3g} nats per 1,000 steps; "
            f"try steps = {2 * steps}",
        )
    if error > _NOISE_ALLOWED * tolerance:
        return Verdict(
            False,
            f"not judged: the ELBO's noise hides a change of up to {_ERRORS_ALLOWED * error:.3g} "
            "nats per 1,000 steps; try more particles",
        )
    if slope < -tolerance - 4 * _ERRORS_ALLOWED * error:
        return Verdict(
            False,
            f"not converged: the ELBO was falling by {-slope:.3g} nats per 1,000 steps; "
            "try a lower learning rate",
        )
    if drift is not None and drift.ratio > _DRIFT_LIMIT:
        return Verdict(
            False,
            f"not converged: parameter {drift.name!r} was still travelling in one direction; "
            f"try steps = {4 * steps} or a higher learning rate",
        )
    return Verdict(
        True,
        f"converged: the ELBO changed by {slope:.2g} ± {error:.2g} nats per 1,000 steps at the end",
    )


def _line(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Slope of a least-squares line and its standard error."""
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    residual = y - y.mean() - slope * centred
    error = np.sqrt(residual @ residual / (len(x) - 2) / (centred @ centred))
    return slope, float(error)
