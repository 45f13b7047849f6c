"""Names that the user gives to a messenger: read as a tuple, and checked against those met."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable
from typing import Any


def as_names(names: Iterable[str]) -> tuple[str, ...]:
    """Names as a tuple; a single string is one name, and not its letters.

    Raises:
        ValueError: Something in it is not a string.
    """
    result = (names,) if isinstance(names, str) else tuple(names)
    for name in result:
        if not isinstance(name, str):
            raise ValueError(f"Expected names, but got {name!r}.")
    return result


def check_names(
    guide: Any, option: str, names: Iterable[str], known: Iterable[str], *, kind: str
) -> None:
    """Tell of names that the first run has not met.

    A name close to one that was met is a slip of the pen, and refused. Another one may belong to a
    later call of a dynamic model, so that it only gets a warning.

    Args:
        guide: The guide, for the message.
        option: The option that holds the names.
        names: The names given.
        known: The names met.
        kind: What the names are of.

    Raises:
        ValueError: A name is unknown, and close to a known one that is not in ``names`` itself.
    """
    names, known = set(names), set(known)
    for name in sorted(names - known):
        message = (
            f"{option} of {type(guide).__name__} names '{name}', but the first run of the model "
            f"has no {kind} of that name."
        )
        close = difflib.get_close_matches(name, sorted(known - names), n=1)
        if close:
            raise ValueError(f"{message} Did you mean '{close[0]}'?")
        warnings.warn(
            f"{message} It has: {', '.join(sorted(known)) or 'none'}. This is right only if a "
            "later call has it.",
            stacklevel=2,
        )
