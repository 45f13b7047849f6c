"""Nested loops as C++: dimensions merged, loads hoisted, sums kept in registers."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from autoguide_core.engine.native.memory import Places, fill_line, number_source
from autoguide_core.engine.native.merging import merged
from autoguide_core.engine.native.operations import C_TYPES, MEMORY_TYPES
from autoguide_core.engine.native.program import (
    Compute,
    Constant,
    Gather,
    Load,
    Loops,
    Operand,
    Register,
    Storage,
    Write,
    dense_strides,
)

_START = {
    "+": "0",
    "*": "1",
    "max": "lowest<{0}>()",
    "min": "highest<{0}>()",
    "&&": "true",
    "||": "false",
}
_PLACE = "@"
"""Stands for the place within a written-out loop."""

_SHORT = 8
_MOST_WRITTEN_OUT = 400
"""Statements that a written-out loop may come to."""

_CLAUSES = {"max": "m_maximum", "min": "m_minimum"}
"""OpenMP's own maximum and minimum lose NaN; these are declared in the prelude."""

_ACCUMULATE = {
    "=": "{0} = {1};",
    "+": "{0} += {1};",
    "*": "{0} *= {1};",
    "max": "{0} = m_maximum({0}, {1});",
    "min": "{0} = m_minimum({0}, {1});",
    "&&": "{0} = {0} && {1};",
    "||": "{0} = {0} || {1};",
}


def loops_source(loops: Loops, memory: Places, rows: int = 0) -> list[str]:
    """The body of the function that runs a kernel of loops.

    Args:
        loops: The kernel.
        memory: Where storages lie.
        rows: Where the kernel is a member of a group, the group's number of rows: it then runs
            over those from ``begin`` to ``end``, and adds to sums that others have started.
    """
    return _Nest(loops, memory, rows).lines()


def start_of(sign: str, kind: str) -> str:
    """What an accumulation starts from, as a C++ expression."""
    return _START[sign].format(kind)


def accumulate(sign: str, place: str, value: str) -> str:
    """A C++ statement that accumulates a value."""
    return _ACCUMULATE[sign].format(place, value)


class _Nest:
    """The loops of one kernel, and the lines that stand between them.

    Statements are translated in their order, and each line is put where it belongs: a load before
    the outermost loop whose counter it does not depend on, the start of a sum before the loops
    that it runs over, its end after them, everything else into the innermost loop.

    Attributes, by the number of loops that are open around the lines:
        _starts: What comes before the next loop.
        _ends: What comes after it.
    """

    def __init__(self, loops: Loops, memory: Places, rows: int) -> None:
        self._memory = memory
        self._rows = rows
        self._body = loops.body
        self._domain = loops.domain
        self._merged = merged(loops)
        self._sizes = [size for size, _ in self._merged]
        depth = len(self._merged)
        self._starts: list[list[str]] = [[] for _ in range(depth + 1)]
        self._ends: list[list[str]] = [[] for _ in range(depth + 1)]
        self._sums: dict[str, list[tuple[str, int]]] = {}
        self._pointers: dict[Storage, str] = {}
        self._fills: list[str] = []
        self._names: dict[object, str] = {}
        self._simd = True
        # A short innermost loop is written out, so that the one around it can be vectorised.
        self._written_out = self._is_short(depth - 1)

    def lines(self) -> list[str]:
        if 0 in self._domain:
            return self._lines_of_nothing()
        depth = len(self._merged)
        for statement in self._body:
            if isinstance(statement, Compute):
                self._compute(statement)
            else:
                self._write(statement)
        lines = [f"{self._declaration(s)}" for s in self._pointers]
        if not self._rows:
            lines += self._fills
        looped = depth - 1 if self._written_out else depth
        for level in range(looped):
            lines += self._starts[level]
            if level == looped - 1 and self._simd:
                lines.append(f"#pragma omp simd{self._reductions(level)}")
            first, last = self._range(level)
            lines.append(f"for (int64_t i{level} = {first}; i{level} < {last}; ++i{level}) {{")
        innermost = self._starts[depth] + self._ends[depth]
        if self._written_out:
            lines += self._starts[looped]
            for place in range(self._sizes[looped]):
                here = [line.replace(_PLACE, str(place)) for line in innermost]
                lines += [f"{{ const int64_t i{looped} = {place};", *here, "}"]
            lines += self._ends[looped]
        else:
            lines += innermost
        for level in reversed(range(looped)):
            lines.append("}")
            lines += self._ends[level]
        return lines

    def _lines_of_nothing(self) -> list[str]:
        """Loops that run over no element: sums start, and nothing is loaded, not even once."""
        for statement in self._body:
            if isinstance(statement, Write) and statement.sign != "=" and not statement.gathers:
                kind = C_TYPES[statement.target.dtype]
                self._fill(statement.target, start_of(statement.sign, kind))
            elif isinstance(statement, Write) and statement.gathers:
                self._fill_whole(statement.target)
        return [*map(self._declaration, self._pointers), *self._fills]

    def _is_short(self, level: int) -> bool:
        """Whether a loop is written out rather than run through."""
        if level < 1 or self._sizes[level] > _SHORT:
            return False
        return self._sizes[level] * len(self._body) <= _MOST_WRITTEN_OUT

    def _reductions(self, level: int) -> str:
        """The clauses for the sums that a loop adds to."""
        clauses = ""
        for sign, names in self._sums.items():
            added_to = [name for name, kept in names if kept <= level]
            how = _CLAUSES.get(sign, sign)
            clauses += f" reduction({how}:{', '.join(added_to)})" if added_to else ""
        return clauses

    def _range(self, level: int) -> tuple[str, str]:
        """Where a loop begins and ends."""
        if level or not self._rows:
            return "0", str(self._sizes[level])
        width = self._sizes[0] // self._rows
        return f"begin * {width}", f"end * {width}"

    def _compute(self, statement: Compute) -> None:
        target = statement.target
        kind = C_TYPES[target.dtype]
        operands = [
            self._operand(operand, dtype)
            for operand, dtype in zip(statement.operands, statement.types, strict=True)
        ]
        value = statement.expression.format(*operands)
        self._innermost(f"const {kind} {target.name} = {kind}({value});")
        if target.stored:
            at = self._index(dense_strides(self._domain), 0)
            self._ends_innermost(f"{self._base(target)}[{at}] = {target.name};")

    def _write(self, statement: Write) -> None:
        target, kind = statement.target, C_TYPES[statement.target.dtype]
        value = self._operand(statement.operand, target.dtype)
        strides = self._strides(statement.strides)
        kept = 1 + max((d for d, s in enumerate(strides) if s), default=-1)
        depth = len(strides)
        at = self._index(statement.strides, statement.offset, statement.gathers)
        place = f"{self._base(target)}[{at}]"
        rule = _ACCUMULATE[statement.sign]
        if statement.gathers:
            self._fill_whole(target)
            self._simd = False
            self._ends_innermost(rule.format(place, value))
            return
        if statement.sign == "=":
            self._ends_innermost(rule.format(place, value))
            return
        start = start_of(statement.sign, kind)
        if self._written_out and kept == depth and not strides[depth - 2]:
            self._sum_by_place(statement, strides, value)
            return
        partial = any(s == 0 for s in strides[:kept]) or bool(self._rows and not kept)
        if partial:
            self._fill(target, start)
        if kept == depth:
            self._ends_innermost(rule.format(place, value))
            return
        name = f"sum_{target.name}"
        self._starts[kept].append(f"{kind} {name} = {start};")
        self._sums.setdefault(statement.sign, []).append((name, kept))
        self._ends_innermost(rule.format(name, value))
        self._ends[kept].append((rule if partial else "{0} = {1};").format(place, name))

    def _sum_by_place(self, statement: Write, strides: Sequence[int], value: str) -> None:
        """Sums over the loops around one that is written out: a variable for each of its places."""
        target, sign, inner = statement.target, statement.sign, len(strides) - 1
        kind, rule = C_TYPES[target.dtype], _ACCUMULATE[sign]
        start, kept = (
            start_of(sign, kind),
            1 + max((d for d, s in enumerate(strides[:inner]) if s), default=-1),
        )
        at = self._index(statement.strides, statement.offset)
        partial = bool(self._rows) or not all(strides[:kept])
        if partial:
            self._fill(target, start)
        for place in range(self._sizes[inner]):
            name = f"sum_{target.name}_{place}"
            self._starts[kept].append(f"{kind} {name} = {start};")
            self._sums.setdefault(sign, []).append((name, kept))
            element = f"{self._base(target)}[{at.replace(f'i{inner} ', f'{place} ')}]"
            self._ends[kept].append((rule if partial else "{0} = {1};").format(element, name))
        self._ends_innermost(rule.format(f"sum_{target.name}_{_PLACE}", value))

    def _operand(self, operand: Operand, dtype: torch.dtype) -> str:
        kind = C_TYPES[dtype]
        match operand:
            case Constant(value):
                return number_source(value, kind)
            case Register(storage):
                return storage.name if storage.dtype == dtype else f"{kind}({storage.name})"
            case Load():
                name = self._load(operand)
                return name if operand.storage.dtype == dtype else f"{kind}({name})"

    def _load(self, load: Load) -> str:
        """The variable that holds a loaded element, declared at the outermost loop it can be."""
        if load not in self._names:
            name = f"x{len(self._names)}"
            self._names[load] = name
            kind = C_TYPES[load.storage.dtype]
            at = self._index(load.strides, load.offset, load.gathers)
            line = f"const {kind} {name} = {kind}({self._base(load.storage)}[{at}]);"
            strides = self._strides(load.strides)
            level = 1 + max((d for d, s in enumerate(strides) if s), default=-1)
            self._starts[len(strides) if load.gathers else level].append(line)
        return self._names[load]

    def _index(self, strides: Sequence[int], offset: int, gathers: Sequence[Gather] = ()) -> str:
        terms = [f"i{d} * {s}" for d, s in enumerate(self._strides(strides)) if s]
        for gather in gathers:
            index = self._operand(gather.index, torch.int64)
            wrapped = f"({index} < 0 ? {index} + {gather.size} : {index})"
            terms.append(f"{wrapped} * {gather.stride}")
        if offset or not terms:
            terms.append(str(offset))
        return " + ".join(terms)

    def _strides(self, strides: Sequence[int]) -> list[int]:
        """Strides for the merged loops: that of the last dimension of each."""
        return [strides[last] for _, last in self._merged]

    def _base(self, storage: Storage) -> str:
        place = self._memory.place(storage)
        return self._pointers.setdefault(place, f"p_{place.name}")

    def _declaration(self, storage: Storage) -> str:
        constant = "" if storage.role in ("scratch", "state") else "const "
        kind = MEMORY_TYPES[storage.dtype]
        name = self._pointers[storage]
        return f"{constant}{kind}* __restrict const {name} = {self._memory.pointer(storage)};"

    def _fill(self, target: Storage, start: str) -> None:
        pointer = self._base(target)
        self._fills.append(f"for (int64_t i = 0; i < {target.size}; ++i) {pointer}[i] = {start};")

    def _fill_whole(self, target: Storage) -> None:
        if target.fill is not None:
            self._fills.append(fill_line(self._base(target), target, target.fill))

    def _innermost(self, line: str) -> None:
        self._starts[len(self._merged)].append(line)

    def _ends_innermost(self, line: str) -> None:
        self._ends[len(self._merged)].append(line)
