"""Names in scope: what each one stands for, and which of them were used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from compiler.diagnostics import Diagnostics, did_you_mean
from compiler.ir.types import Axis, ValueType
from compiler.tables.constants import CONSTANTS
from compiler.tables.distributions import DISTRIBUTIONS
from compiler.tables.functions import FUNCTIONS
from compiler.tables.reserved import python_name, why_reserved
from grammar import nodes
from grammar.span import Span

SymbolKind = Literal[
    "dim",
    "data",
    "derived",
    "site",
    "record",
    "local",
    "factor",
    "parameter",
    "function",
    "extern",
    "states",
]

KIND_WORDS: dict[SymbolKind, str] = {
    "dim": "a dim",
    "data": "data",
    "derived": "a derived value",
    "site": "a site",
    "record": "a recorded value",
    "local": "a value of the model",
    "factor": "a factor",
    "parameter": "a parameter of the function",
    "function": "a function",
    "extern": "a function",
    "states": "a hidden chain",
}


@dataclass(slots=True)
class Symbol:
    """What a name stands for.

    Attributes:
        name: The name.
        kind: What sort of thing it is.
        span: Where it was defined.
        type: Type of the value as seen where it was defined; its `batch` are the plates around
            the definition over which it varies.
        used: Whether anything read it.
        failed: Whether its definition is wrong, so that nothing more is said of its uses.
        observed: Where the model draws it, if it is data.
        minibatched: Whether it was computed from a minibatch, so that it exists only inside the
            plates in `type.batch`.
        begin: How many first steps of a `recur` it has no value at.
        gaps: What becomes of the gaps of data declared `missing`.
        filled: The name of the same data with their gaps filled.
        posterior: Its type after the fit, where that is another one: that of a chain's states.
    """

    name: str
    kind: SymbolKind
    span: Span
    type: ValueType = field(default_factory=lambda: ValueType(element="real"))
    used: bool = False
    failed: bool = False
    observed: Span | None = None
    minibatched: frozenset[str] = frozenset()
    begin: int = 0
    gaps: Literal["skipped", "imputed", "summed"] | None = None
    filled: str | None = None
    posterior: ValueType | None = None

    @property
    def axes(self) -> tuple[Axis, ...]:
        """All axes of the stored value: plates first, then event axes."""
        return (*self.type.batch, *self.type.event)


@dataclass
class Scope:
    """The names visible at a place, and the plates around it.

    Attributes:
        symbols: All names of the program so far; shared by all scopes of one program.
        diagnostics: Where mistakes are told.
        plates: Active plates, outermost first, with the size of their minibatch or None.
        data_only: Whether latents may not be read here, and what the place is called.
        bound_later: Names that the program defines further down, for a better message.
        not_kept: Names of the model that are not there any more once it has been fitted.
        broken: Whether a plate around here is unknown, so that definitions count as failed.
        recur: The dim of the `recur` around here, or None.
        foreseen: What the `recur` around here defines, as its earlier steps are seen.
        lag: How many steps before the present one are meant, inside `prev(…)`.
    """

    symbols: dict[str, Symbol]
    diagnostics: Diagnostics
    plates: dict[str, int | None] = field(default_factory=dict)
    data_only: str | None = None
    bound_later: dict[str, Span] = field(default_factory=dict)
    not_kept: dict[str, Span] = field(default_factory=dict)
    broken: bool = False
    recur: str | None = None
    foreseen: dict[str, Symbol] = field(default_factory=dict)
    lag: int = 0

    def inside(self, plate: str, minibatch: int | None) -> Scope:
        """Return the scope inside one more plate."""
        return replace(self, plates={**self.plates, plate: minibatch})

    def define(self, name: nodes.Name, kind: SymbolKind, value: ValueType | None = None) -> Symbol:
        """Enter a name, telling of a duplicate or a reserved one; return its symbol."""
        symbol = Symbol(name.text, kind, name.span, failed=self.broken, used=self.broken)
        if value is not None:
            symbol.type = value
        reason = why_reserved(name.text)
        if reason is not None:
            self.diagnostics.report(
                "PPL012",
                name.span,
                f"`{name.text}` is {reason}",
                "choose another name"
                + (" and point the data at it with --map" if kind == "data" else ""),
            )
        self._tell_same_variable(name)
        before = self.symbols.get(name.text)
        if before is not None:
            self.diagnostics.report(
                "PPL011",
                name.span,
                f"`{name.text}` is already {KIND_WORDS[before.kind]}",
                self._other_name(name.text, kind, before.kind),
                [(f"`{name.text}` is defined here", before.span)],
            )
        elif kind == "function" and (name.text in DISTRIBUTIONS or name.text in FUNCTIONS):
            what = "distribution" if name.text in DISTRIBUTIONS else "function"
            self.diagnostics.report(
                "PPL011",
                name.span,
                f"`{name.text}` is the name of a {what} of the language",
                "choose another name",
            )
        self.symbols.setdefault(name.text, symbol)
        return symbol

    def _tell_same_variable(self, name: nodes.Name) -> None:
        """Tell where a name and an earlier one become the same variable of Python."""
        others = (python_name(name.text), name.text.removesuffix("_"))
        for other in others:
            earlier = self.symbols.get(other)
            if other != name.text and earlier and python_name(other) == python_name(name.text):
                self.diagnostics.report(
                    "PPL012",
                    name.span,
                    f"`{name.text}` and `{other}` are the same name in the emitted Python",
                    "choose another name for one of the two",
                    [(f"`{other}` is defined here", earlier.span)],
                )

    @staticmethod
    def _other_name(name: str, kind: SymbolKind, before: SymbolKind) -> str:
        if {kind, before} == {"dim", "data"}:
            return f"call one `{name}_of`, and read its column with --map {name}_of={name}"
        return "names are unique over the whole spec; choose another"

    def is_constant(self, name: str) -> bool:
        """Tell whether a name stands for a number of mathematics: nothing of the spec has it."""
        return name in CONSTANTS and name not in self.symbols and name not in self.bound_later

    def look_up(self, name: nodes.Name, wanted: tuple[SymbolKind, ...]) -> Symbol | None:
        """Return what a name stands for, marked as used; tell where there is nothing.

        Args:
            name: The name as written.
            wanted: The kinds that fit here, the likeliest first, for ranking suggestions.
        """
        symbol = self.symbols.get(name.text)
        if name.text in self.not_kept:
            self.diagnostics.report(
                "PPL047",
                name.span,
                f"`{name.text}` is not kept after the fit, so `predict` cannot see it",
                f"write `record {name.text} = …` in the model",
                [(f"`{name.text}` is defined here", self.not_kept[name.text])],
            )
        if symbol is not None:
            symbol.used = True
            return symbol
        if name.text in self.bound_later:
            self._tell_later(name, self.bound_later[name.text])
            return None
        groups = [[s.name for s in self.of_kind(kind)] for kind in wanted]
        guess = did_you_mean(name.text, *groups, [s.name for s in self.symbols.values()])
        declared = (
            f"declare it in the data block: `dim {name.text}`"
            if wanted == ("dim",)
            else "declare it in the data block, or define it above this line"
        )
        self.diagnostics.report(
            "PPL010",
            name.span,
            f"`{name.text}` is not defined",
            f"did you mean `{guess}`?" if guess else declared,
        )
        return None

    def _tell_later(self, name: nodes.Name, defined: Span) -> None:
        code, message = "PPL040", f"`{name.text}` is used before it is defined"
        remedy = "move its definition above this line"
        if self.data_only is not None:
            code = "PPL041"
            message = (
                f"`{name.text}` belongs to the model, but {self.data_only} may use only data and "
                "derived values"
            )
            remedy = "compute it from the data, or define this in the model"
        elif defined.line == name.span.line and defined.start < name.span.start:
            message = f"`{name.text}` is used in its own definition"
            remedy = "compute it from other values"
        where = (f"`{name.text}` is defined here", defined)
        self.diagnostics.report(code, name.span, message, remedy, [where])

    def of_kind(self, kind: SymbolKind) -> Iterator[Symbol]:
        """Iterate over the symbols of one kind."""
        return (symbol for symbol in self.symbols.values() if symbol.kind == kind)
