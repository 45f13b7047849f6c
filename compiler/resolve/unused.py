"""Warns of what nothing uses, once the whole spec has been read."""

from __future__ import annotations

from compiler.diagnostics import did_you_mean
from compiler.ir import Program
from compiler.resolve.scope import Scope

_WARNINGS = {
    "data": ("PPL013", "nothing uses the data `{}`", "take the declaration away"),
    "dim": ("PPL014", "nothing uses the dim `{}`", "take the declaration away"),
    "derived": ("PPL015", "nothing uses the derived value `{}`", "take it away"),
    "local": ("PPL015", "nothing uses `{}`", "take it away, or keep it with `record`"),
    "function": ("PPL015", "nothing calls `{}`", "take the function away"),
}


def tell_unused(program: Program, scope: Scope) -> None:
    """Report each name of the spec that nothing reads."""
    if scope.diagnostics.errors:
        return  # what failed may have been the use
    for symbol in scope.symbols.values():
        if not symbol.used and symbol.kind in _WARNINGS:
            code, message, remedy = _WARNINGS[symbol.kind]
            drawn = [site.name for site in program.latents()] if symbol.kind == "data" else []
            if meant := did_you_mean(symbol.name, drawn):
                remedy = f"write `{symbol.name} ~ …` where `{meant}` is drawn, if that is meant"
            scope.diagnostics.report(code, symbol.span, message.format(symbol.name), remedy)
