"""Allots Pyro's plate numbers: innermost plates get -1, each plate lies left of those inside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from compiler.diagnostics import Diagnostics
from grammar import nodes
from grammar.span import Span


def allot_plates(
    bodies: Sequence[Sequence[nodes.Statement]], diagnostics: Diagnostics
) -> dict[str, int]:
    """Return the (negative) number of each plate that the bodies enter.

    A plate has one number wherever it stands: one more to the left than the longest chain of
    plates ever nested in it.
    """
    inside: dict[str, dict[str, Span]] = {}
    for body in bodies:
        for dim, below, span in _nestings(body, ()):
            inside.setdefault(dim, {})
            if below is not None:
                inside[dim].setdefault(below, span)
    numbers: dict[str, int] = {}

    def depth(dim: str, above: tuple[str, ...]) -> int:
        if dim in numbers:
            return -numbers[dim]
        below = 0
        for other, span in inside[dim].items():
            if other in (*above, dim):
                if other != dim:
                    diagnostics.report(
                        "PPL022",
                        span,
                        f"plates `{other}` and `{dim}` are nested in both orders",
                        "choose one of them as the outer one throughout",
                    )
                continue
            below = max(below, depth(other, (*above, dim)))
        numbers[dim] = -(below + 1)
        return below + 1

    for dim in inside:
        depth(dim, ())
    return numbers


def _nestings(
    body: Sequence[nodes.Statement | nodes.RecurAssign], around: tuple[str, ...]
) -> Iterator[tuple[str, str | None, Span]]:
    """Yield every plate, and every pair of one plate anywhere inside another."""
    for statement in body:
        if not isinstance(statement, nodes.Plate | nodes.Recur):
            continue
        active = around
        for name in statement.dims if isinstance(statement, nodes.Plate) else (statement.dim,):
            yield name.text, None, name.span
            for outer in active:
                yield outer, name.text, name.span
            active = (*active, name.text)
        yield from _nestings(statement.body, active)
