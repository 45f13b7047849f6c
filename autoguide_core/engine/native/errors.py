"""What the native engine raises."""

from __future__ import annotations


class NativeUnavailable(Exception):  # noqa: N818 - a state of affairs, not a mistake
    """The step cannot run as native code; the message says why, in a clause."""
