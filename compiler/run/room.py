"""Refuses a fit whose draws or particles have no room in memory, before it begins."""

from __future__ import annotations

from math import prod

from compiler.ir.queries import known_size
from compiler.memory import in_words, is_too_much, room
from compiler.run.axes import posterior_variables
from compiler.run.job import Job

_BYTES = 8


def check_room_for_fit(job: Job, fits: int = 1) -> None:
    """Report settings with which the fit could not be held in memory.

    Args:
        job: What is to be fitted.
        fits: How many fits are made at once.

    Raises:
        SpecError: Steps, particles, draws or fits are too many.
    """
    engine = job.settings.engine
    of_steps, of_particles = 2 * engine.steps, _numbers(job) * engine.particles
    _check(job, "steps", engine.steps, of_steps)
    _check(job, "particles", engine.particles, of_particles)
    check_room_for_draws(job, "draws", job.settings.draws)
    _check(job, "the number of fits", fits, (of_steps + of_particles) * fits)
    job.diagnostics.raise_errors()


def check_room_for_draws(job: Job, setting: str, draws: int) -> None:
    """Report draws of the posterior that could not be held in memory.

    Args:
        job: What is drawn from.
        setting: What sets how many they are.
        draws: How many.

    Raises:
        SpecError: They are too many.
    """
    _check(job, setting, draws, _numbers(job) * draws)
    job.diagnostics.raise_errors()


def _numbers(job: Job) -> int:
    """Return how many numbers one draw of the posterior has."""
    sizes = job.data.sizes
    return sum(
        prod(known_size(job.program, axis, sizes) or 1 for axis in variable.axes)
        for variable in posterior_variables(job.program)
        if job.data.streamed.isdisjoint(map(str, variable.axes))
    )


def _check(job: Job, setting: str, value: int, numbers: int) -> None:
    if is_too_much(_BYTES * numbers):
        job.diagnostics.report(
            "PPL081",
            None,
            f"{setting} is {value:,}, which needs {in_words(_BYTES * numbers)} of memory at least, "
            f"and {room()}",
            "ask for fewer",
        )
