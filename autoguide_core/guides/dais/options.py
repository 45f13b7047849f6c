"""The options of the annealed guides, checked."""

from __future__ import annotations

from typing import NamedTuple

BASES = ("diagonal", "cholesky")


class Options(NamedTuple):
    """How a chain is set up.

    Attributes:
        num_steps: The number K of steps.
        base_dist: One of `BASES`.
        eta_init: The first step size.
        eta_max: The largest step size.
        gamma_init: How much of the momentum outlasts a step at first.
    """

    num_steps: int
    base_dist: str
    eta_init: float
    eta_max: float
    gamma_init: float


def checked_options(
    num_steps: int, base_dist: str, eta_init: float, eta_max: float, gamma_init: float
) -> Options:
    """Check the options of a chain; see `Options`.

    Raises:
        ValueError: One of them is out of range.
    """
    if not isinstance(num_steps, int) or isinstance(num_steps, bool) or num_steps < 1:
        raise ValueError(f"Expected a whole number K >= 1 of steps, but got {num_steps!r}.")
    if base_dist not in BASES:
        raise ValueError(
            f"Expected base_dist to be 'diagonal' or 'cholesky', but got {base_dist!r}."
        )
    if not 0 < eta_init < eta_max < float("inf"):
        raise ValueError(
            f"Expected step sizes 0 < eta_init < eta_max, but got {eta_init!r} and {eta_max!r}."
        )
    if not 0 < gamma_init < 1:
        raise ValueError(f"Expected gamma_init between 0 and 1, but got {gamma_init!r}.")
    return Options(num_steps, base_dist, float(eta_init), float(eta_max), float(gamma_init))
