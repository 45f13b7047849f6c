"""Which neighbouring dimensions can be run through by one loop."""

from __future__ import annotations

from collections.abc import Iterator

from autoguide_core.engine.native.program import Compute, Load, Loops, Operand, dense_strides


def merged(loops: Loops) -> list[tuple[int, int]]:
    """Merge neighbouring dimensions that every access walks through as one.

    Returns:
        For each loop its length, and the last of the dimensions that it stands for.
    """
    accesses = set(_accesses(loops))
    merged: list[tuple[int, int]] = []
    for d, size in enumerate(loops.domain):
        if merged and all(s[d - 1] == s[d] * size for s in accesses):
            merged[-1] = (merged[-1][0] * size, d)
        else:
            merged.append((size, d))
    return merged


def _accesses(loops: Loops) -> Iterator[tuple[int, ...]]:
    def of(operand: Operand) -> Iterator[tuple[int, ...]]:
        if isinstance(operand, Load):
            yield operand.strides
            for gather in operand.gathers:
                yield from of(gather.index)

    for statement in loops.body:
        if isinstance(statement, Compute):
            if statement.target.stored:
                yield dense_strides(loops.domain)
            for operand in statement.operands:
                yield from of(operand)
        else:
            yield statement.strides
            yield from of(statement.operand)
            for gather in statement.gathers:
                yield from of(gather.index)
