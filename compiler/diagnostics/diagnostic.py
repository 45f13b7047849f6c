"""One diagnostic, and the collector that every pass reports to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from compiler.diagnostics.codes import CODES, Severity
from grammar.span import Span


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Something that is wrong with a spec, or with the data given for it.

    Attributes:
        code: Its stable code, `PPL010` for one; a key of `CODES`.
        message: What is wrong, in one sentence without a full stop at its end.
        span: Where; None where no place in the spec is to blame (data files, options).
        remedy: What to write or do instead; None only where the message says it all.
        notes: Other places that matter, each with a few words.
        severity: `error` or `warning`; from the code's row.
    """

    code: str
    message: str
    span: Span | None
    remedy: str | None = None
    notes: tuple[tuple[str, Span], ...] = ()
    severity: Severity = "error"


@dataclass
class Diagnostics:
    """Collects diagnostics over all passes of one compilation.

    Attributes:
        path: The file as the user named it.
        text: Its text, for showing the place.
        silenced: Codes of warnings that the user does not want to see.
    """

    path: str
    text: str
    silenced: frozenset[str] = frozenset()
    _found: list[Diagnostic] = field(default_factory=list)

    def report(
        self,
        code: str,
        span: Span | None,
        message: str,
        remedy: str | None = None,
        notes: Iterable[tuple[str, Span]] = (),
    ) -> None:
        """Record a diagnostic; the same one at the same place is kept once.

        Raises:
            KeyError: If `code` is not in the registry (a mistake in the compiler).
        """
        severity = CODES[code].severity
        if severity == "warning" and code in self.silenced:
            return
        diagnostic = Diagnostic(code, message, span, remedy, tuple(notes), severity)
        if diagnostic not in self._found:
            self._found.append(diagnostic)

    def __iter__(self) -> Iterator[Diagnostic]:
        """Iterate in the order of the text, those without a place last."""
        last = Span(2**62, 2**62, 0, 0, 0, 0)
        return iter(sorted(self._found, key=lambda d: ((d.span or last).start, d.code)))

    def __len__(self) -> int:
        return len(self._found)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """Those that make the spec unusable."""
        return tuple(d for d in self if d.severity == "error")

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """Those that do not."""
        return tuple(d for d in self if d.severity == "warning")

    def raise_errors(self) -> None:
        """Raise a `SpecError` if there is any error."""
        if self.errors:
            raise SpecError(self)


class SpecError(Exception):
    """A spec, its data or an option is wrong; carries the diagnostics that say how."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        self.diagnostics = diagnostics
        super().__init__(
            "\n".join(
                f"{diagnostics.path}"
                + (f":{d.span.line}:{d.span.column}" if d.span else "")
                + f": {d.code} {d.message}"
                + (f" ({d.remedy})" if d.remedy else "")
                for d in diagnostics.errors
            )
        )
