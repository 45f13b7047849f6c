"""Text that files of results can hold: NetCDF and UTF-8 have no place for some characters."""

from __future__ import annotations


def why_unstorable(text: str) -> str | None:
    """Return what a name or a label holds that cannot be saved; None where nothing is wrong."""
    if "\0" in text:
        return "a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "half of a surrogate pair, which is no character"
    return None
