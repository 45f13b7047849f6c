"""The errors a fit raises on purpose: what went wrong, and at which site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass


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


@dataclass(frozen=True)
class Fault:
    """Why a model has no density at a point.

    Attributes:
        message: What is wrong, a clause without tensors.
        site: The site that it is about, or the last one before it.
        error: The model's own exception, or None where a log density is not a finite number.
        latents: The latents before the fault whose supports have no bound on one side at least.
        whole: The same as a sentence with all details.
    """

    message: str
    site: str | None
    error: Exception | None = None
    latents: tuple[str, ...] = ()
    whole: str = ""


class StartError(FitError):
    """A fit that cannot start."""


class NoStart(StartError):  # noqa: N818 - a state of affairs, not a mistake
    """A fit for which no point to start from was found.

    Args:
        faults: What was wrong with each start that was tried.
        kept: The sites with first values of the user's own.
        everywhere: Whether what is wrong depends on no latent.

    Attributes:
        tries: How many starts were tried.
        most: The fault that was met most often.
        count: How often it was met.
        latents: The latents without bounds that it may depend on.
        kept: As given, in order; none where it depends on no latent.
        everywhere: As given.
    """

    def __init__(
        self, faults: Sequence[Fault], kept: Collection[str] = (), *, everywhere: bool = False
    ) -> None:
        counts = Counter((fault.message, fault.site) for fault in faults)
        (words, self.count), *_ = counts.most_common(1)
        self.most = next(fault for fault in faults if (fault.message, fault.site) == words)
        self.tries, self.everywhere = len(faults), everywhere
        self.latents = () if everywhere else self.most.latents
        self.kept = () if everywhere else tuple(sorted(kept))
        text = f"the fit cannot start: {self.most.whole}"
        if not everywhere:
            text = (
                f"no starting point was found in {self.tries} tries; in {self.count} of them: "
                f"{self.most.whole}"
            )
        if self.latents:
            text += f"; latents without bounds: {', '.join(map(repr, self.latents))}"
        if self.kept:
            text += f"; init values were kept for: {', '.join(map(repr, self.kept))}"
        super().__init__(text, site=self.most.site)
        self.__cause__ = self.most.error
