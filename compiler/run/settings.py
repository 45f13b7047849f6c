"""The settings of a fit: what the caller says over what the spec says over the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autoguide_core import FitSettings
from compiler.diagnostics import Diagnostics
from compiler.ir import Program
from compiler.tables.optimizers import SETTINGS


@dataclass(frozen=True)
class RunSettings:
    """All that is set about a fit.

    Attributes:
        engine: What the engine is told.
        draws: Draws of the posterior that are kept.
        correction: What is done with the guide's draws; see `autoguide_core.draw_corrected`.
        dtype: Floating type, by name.
        device: Where tensors live.
        guide: The guide's name.
    """

    engine: FitSettings
    draws: int
    correction: str
    dtype: str
    device: str
    guide: str

    def as_record(self) -> dict[str, Any]:
        """Return all settings as plain values."""
        engine = self.engine
        return {
            "guide": self.guide,
            "method": engine.method,
            "steps": engine.steps,
            "optimizer": engine.optimizer,
            "optimizer_options": dict(engine.optimizer_options),
            "schedule": engine.schedule,
            "particles": engine.particles,
            "averaging": engine.averaging,
            "tolerance": engine.tolerance,
            "engine": engine.engine,
            "analytic_kl": engine.analytic_kl,
            "seed": engine.seed,
            "draws": self.draws,
            "correction": self.correction,
            "dtype": self.dtype,
            "device": self.device,
        }


def run_settings(
    program: Program,
    overrides: dict[str, Any],
    *,
    guide: str,
    dtype: str,
    device: str,
    diagnostics: Diagnostics,
) -> RunSettings | None:
    """Put the settings of a fit together.

    Args:
        program: The program, with the settings of its `fit` block.
        overrides: What the caller sets by name; None where nothing is.
        guide: The guide's name.
        dtype: Floating type, by name.
        device: Where tensors live.
        diagnostics: Where to report a setting that is out of range.

    Returns:
        The settings; None after a report.
    """
    chosen: dict[str, Any] = dict(program.fit)
    chosen.update((name, value) for name, value in overrides.items() if value is not None)
    draws = chosen.pop("draws", SETTINGS["draws"].default)
    if not isinstance(draws, int) or draws < 2:
        diagnostics.report("PPL081", None, f"draws is {draws}", "ask for at least 2")
        return None
    correction = str(chosen.pop("correction", SETTINGS["correction"].default))
    if correction not in SETTINGS["correction"].choices:
        message = f"correction is {correction!r}"
        remedy = f"one of {', '.join(SETTINGS['correction'].choices)}"
        diagnostics.report("PPL081", None, message, remedy)
        return None
    try:
        engine = FitSettings(**chosen)
    except (ValueError, TypeError) as error:
        diagnostics.report("PPL081", None, str(error), "`pplc explain PPL081` lists the settings")
        return None
    return RunSettings(engine, draws, correction, dtype, device, guide)
