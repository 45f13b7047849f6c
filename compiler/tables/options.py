"""The row type of all that takes options: families, init strategies, optimizers, fit settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from compiler.ir.guides import OptionValue

OptionKind = Literal["int", "real", "bool", "choice", "ints", "reals"]


@dataclass(frozen=True, slots=True)
class Option:
    """An option that a spec may set, with the values it takes.

    Attributes:
        name: Its name in a spec, and of the Python argument that it becomes.
        kind: `int`, `real`, `bool`, `choice` (one of `choices`, bare or in quotes), `ints` (a
            whole number or a list of them) or `reals` (a list of numbers).
        default: What holds where it is left out; None where Pyro or the engine works it out.
        doc: What it does, in one line.
        least: Least number allowed (of each entry, in lists).
        most: Greatest number allowed.
        strict: Whether `least` and `most` themselves are excluded.
        choices: The words that a `choice` takes.
        length: How many entries a list must have; None for any number of them, but one at least.
        not_in_pyro: Those of `choices` that Pyro's own class does not take.
        by_site: Whether single sites of a part may have values of their own.
    """

    name: str
    kind: OptionKind
    default: OptionValue | None
    doc: str
    least: float | None = None
    most: float | None = None
    strict: bool = False
    choices: tuple[str, ...] = ()
    length: int | None = None
    not_in_pyro: tuple[str, ...] = ()
    by_site: bool = False

    @property
    def takes(self) -> str:
        """What the option takes, in words: `a whole number of at least 1`."""
        match self.kind:
            case "bool":
                return "`true` or `false`"
            case "choice":
                return "one of " + ", ".join(f"`{choice}`" for choice in self.choices)
            case "int":
                return "a whole number" + self._range
            case "real":
                return "a number" + self._range
            case "ints":
                return f"a whole number or a list of them, each{self._range}"
            case "reals":
                count = f"{self.length} numbers" if self.length else "numbers"
                return f"a list of {count}, each{self._range}"

    @property
    def _range(self) -> str:
        if self.least is not None and self.most is not None:
            between = "between" if self.strict else "from"
            link = "and" if self.strict else "to"
            return f" {between} {self.least:.12g} {link} {self.most:.12g}"
        if self.least is not None:
            return f" above {self.least:.12g}" if self.strict else f" of at least {self.least:.12g}"
        if self.most is not None:
            return f" below {self.most:.12g}" if self.strict else f" of at most {self.most:.12g}"
        return ""

    def accept(self, value: object) -> OptionValue | None:
        """Return the value in the form that the IR keeps, or None if it is not allowed.

        Whole numbers become floats where the option is real; a list becomes a tuple.
        """
        match self.kind:
            case "bool":
                return value if isinstance(value, bool) else None
            case "choice":
                return value if isinstance(value, str) and value in self.choices else None
            case "int" | "real":
                return self._number(value, whole=self.kind == "int")
            case "ints":
                return self._list(value if isinstance(value, tuple) else (value,), whole=True)
            case "reals":
                return self._list(value, whole=False) if isinstance(value, tuple) else None

    def _number(self, value: object, *, whole: bool) -> int | float | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if whole and not isinstance(value, int):
            return None
        low = float("-inf") if self.least is None else self.least
        high = float("inf") if self.most is None else self.most
        inside = low < value < high if self.strict else low <= value <= high
        if not inside:
            return None
        try:
            return value if whole else float(value)
        except OverflowError:  # a whole number of more than 308 digits
            return None

    def _list(self, values: tuple[object, ...], *, whole: bool) -> OptionValue | None:
        numbers = [self._number(value, whole=whole) for value in values]
        kept = tuple(number for number in numbers if number is not None)
        if not kept or len(kept) < len(values) or (self.length and len(kept) != self.length):
            return None
        return kept
