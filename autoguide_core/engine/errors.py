"""The errors a fit raises on purpose: what went wrong, and at which site."""

from __future__ import annotations


class FitError(RuntimeError):
    """A fit that cannot start or cannot go on.

    Args:
        message: One sentence for the person who wrote the model.
        site: The sample site, parameter or guide part it is about, where one is to blame.
    """

    def __init__(self, message: str, *, site: str | None = None) -> None:
        super().__init__(message)
        self.site = site


class RequestError(FitError):
    """Something asked for beside the fit itself that cannot be had.

    Args:
        what: ``engine``, ``checkpoint``, ``processes`` or ``sampler``.
        message: What is wrong with it.
        remedy: What to do.
    """

    def __init__(self, what: str, message: str, remedy: str) -> None:
        super().__init__(f"{message}; {remedy}")
        self.what = what
        self.message = message
        self.remedy = remedy
