"""The version of pplc that is installed."""

from __future__ import annotations


def version() -> str:
    """Return the version, or `unknown` where the code runs without having been installed."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("pplc")
    except PackageNotFoundError:
        return "unknown"
