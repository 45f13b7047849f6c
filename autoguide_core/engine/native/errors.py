"""What the native engine raises."""

from __future__ import annotations


class NativeUnavailable(Exception):  # noqa: N818 - a state of affairs, not a mistake
    """The step cannot run as native code; the message says why, in a clause."""


class NativeWrong(NativeUnavailable):
    """Compiled code does something else than the graph that it was made from.

    Args:
        difference: What differs, as a clause.
        key: The key of the code in the cache.
    """

    def __init__(self, difference: str, key: str) -> None:
        super().__init__(
            f"the compiled code is wrong ({difference}), a fault in pplc: please report it, with "
            f"what `pplc cache show {key[:10]}` prints"
        )
