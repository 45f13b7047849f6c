"""The forms of settings.json and summary.json, to which both are held when a fit is read again.

What a later version adds is kept. What is written is not held to them: a fit that is done must not
be lost over its form.
"""

from __future__ import annotations

import json
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt, ValidationError


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="allow")


class SavedSettings(_Form):
    """What was set about a fit."""

    guide: str
    method: str
    steps: NonNegativeInt
    optimizer: str
    optimizer_options: dict[str, bool | float | list[float] | None]
    schedule: str
    particles: NonNegativeInt
    averaging: bool
    tolerance: float
    engine: str
    analytic_kl: bool
    seed: NonNegativeInt
    draws: NonNegativeInt
    correction: Literal["auto", "annealing", "weights", "none"]
    dtype: str
    device: str


class SavedHashes(_Form):
    """SHA-256 of what was fitted."""

    spec: str
    module: str
    data: dict[str, str]


class SavedRecord(_Form):
    """The content of settings.json."""

    spec: str
    model: str
    fitted: str
    settings: SavedSettings
    method: str
    engine: str
    engine_reason: str | None
    sizes: dict[str, NonNegativeInt]
    versions: dict[str, str]
    machine: dict[str, str]
    hashes: SavedHashes


class SavedMode(_Form):
    """The most frequent value of a discrete number, and its share of the draws."""

    mode: int
    probability: float


class SavedOutcome(_Form):
    """The content of summary.json."""

    model: str
    converged: bool
    verdict: str
    khat: float | None
    trusted: bool | None
    khat_meaning: str
    reliable: bool | None
    correction: Literal["annealing", "weights", "none"]
    effective_draws: float | None
    site_khat: dict[str, float] | None
    elbo: float | None
    method: str
    engine: str
    engine_reason: str | None
    steps: NonNegativeInt
    seconds: NonNegativeFloat
    draws: NonNegativeInt
    notes: list[str]
    restarts: list[dict[str, Any]] | None
    sites: dict[str, dict[str, float | None]]
    discrete: dict[str, SavedMode]


F = TypeVar("F", bound=_Form)


def read_saved(form: type[F], text: str) -> dict[str, Any]:
    """Return the content of a file of a saved fit.

    Args:
        form: The form that it must have.
        text: The file.

    Raises:
        ValueError: It has another form; the message names the field.
    """
    try:
        return form.model_validate(json.loads(text)).model_dump()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ValueError(f"{place}: {first['msg'].lower()}") from None
    except RecursionError:
        raise ValueError("it nests too deeply") from None
