"""Ways to break the compiler: each makes one mistake in one place of one program.

Those of C++ change the text that is written; those of kernels change what the passes hand on to
one another, before kernels are grouped by rows or after; those of places change where storages
lie. What they are applied to is large enough to reach the place: thousands of rows, two threads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from autoguide_core.engine.native.foreign import ForeignCall
from autoguide_core.engine.native.memory import Memory
from autoguide_core.engine.native.program import (
    Compute,
    Constant,
    Extreme,
    Kernel,
    Load,
    Loops,
    Product,
    Program,
    RowGroup,
    Scan,
    TriangularSolve,
    Write,
)


@dataclass(frozen=True)
class Mutant:
    """A mistake of the compiler.

    Attributes:
        program: The program that it is made in.
        lowered: Changes the kernels that come from the lowering.
        grouped: Changes them after they were grouped by rows.
        places: Changes where storages lie.
        text: Changes the C++.
        calls: Changes the operations that torch runs in between.
    """

    program: str
    lowered: Callable[[Program], Program] | None = None
    grouped: Callable[[Program], Program] | None = None
    places: Callable[[Program, Memory], None] | None = None
    text: Callable[[str], str] | None = None
    calls: Callable[[list[ForeignCall]], None] | None = None


def text(program: str, pattern: str, replacement: str) -> Mutant:
    """The C++ with the first match of a pattern replaced."""

    def change(source: str) -> str:
        changed, count = re.subn(pattern, replacement, source, count=1, flags=re.DOTALL)
        assert count, pattern
        return changed

    return Mutant(program, text=change)


def first(program: Program, kind: type[Kernel], change: Callable[[Any], Any]) -> Program:
    """The program with its first kernel of a kind changed, within a group or not."""
    kernels = list(program.kernels)
    for at, kernel in enumerate(kernels):
        if isinstance(kernel, kind):
            kernels[at] = change(kernel)
            return replace(program, kernels=kernels)
        if isinstance(kernel, RowGroup) and any(isinstance(m, kind) for m in kernel.members):
            members = list(kernel.members)
            place = next(p for p, m in enumerate(members) if isinstance(m, kind))
            members[place] = change(members[place])
            kernels[at] = replace(kernel, members=tuple(members))
            return replace(program, kernels=kernels)
    raise AssertionError(f"no {kind.__name__} in the program")


def statement(
    program: Program, wanted: Callable[[Any], bool], change: Callable[[Any], Any]
) -> Program:
    """The program with the first statement of a kind changed, in place."""
    for kernel in program.kernels:
        for member in kernel.members if isinstance(kernel, RowGroup) else (kernel,):
            for at, one in enumerate(member.body if isinstance(member, Loops) else ()):
                if wanted(one):
                    assert isinstance(member, Loops)
                    member.body[at] = change(one)
                    return program
    raise AssertionError("no such statement in the program")


def _load(one: Any) -> Load | None:
    operands = one.operands if isinstance(one, Compute) else (one.operand,)
    return next((o for o in operands if isinstance(o, Load) and any(o.strides)), None)


def _with_load(one: Any, change: Callable[[Load], Load]) -> Any:
    wanted = _load(one)
    if isinstance(one, Write):
        assert wanted is not None
        return replace(one, operand=change(wanted))
    operands = [change(o) if o is wanted else o for o in one.operands]  # type: ignore[arg-type]
    return replace(one, operands=tuple(operands))


def _scratch(one: Any) -> bool:
    load = _load(one)
    return load is not None and load.storage.role == "scratch" and load.storage.size > 1


def _sums(sign: str) -> Callable[[Any], bool]:
    return lambda one: isinstance(one, Write) and one.sign == sign and not one.gathers


def _one_sum_less(group: RowGroup) -> RowGroup:
    return replace(group, sums=group.sums[1:])


def _without_kernel(kind: type[Kernel], at: int) -> Callable[[Program], Program]:
    def change(program: Program) -> Program:
        places = [n for n, kernel in enumerate(program.kernels) if isinstance(kernel, kind)]
        kernels = list(program.kernels)
        del kernels[places[at]]
        return replace(program, kernels=kernels)

    return change


def _earlier(at: int) -> Callable[[Program], Program]:
    """A kernel before the one that it needs."""

    def change(program: Program) -> Program:
        kernels = list(program.kernels)
        kernels[at - 1], kernels[at] = kernels[at], kernels[at - 1]
        return replace(program, kernels=kernels)

    return change


def _over_the_state(program: Program, memory: Memory) -> None:
    """A value lies where the old state does, which is still read."""
    kernel = program.kernels[0]
    assert isinstance(kernel, Loops)
    value = next(s.target for s in kernel.body if isinstance(s, Compute) and s.target.stored)
    memory._aliases[value] = program.of_role("state")[0]
    del memory._offsets[value]


def _one_over_the_other(program: Program, memory: Memory) -> None:
    """Two values at one place."""
    one, other = list(memory._offsets)[:2]
    memory._offsets[other] = memory._offsets[one]


def _swapped_results(calls: list[ForeignCall]) -> None:
    """Two operations whose results have one shape, each in the place of the other's."""
    shapes = [call.targets[0].shape for call in calls if call.targets[0] is not None]
    one = next(n for n, shape in enumerate(shapes) if shape in shapes[n + 1 :])
    other = shapes.index(shapes[one], one + 1)
    targets = calls[one].targets, calls[other].targets
    calls[one] = replace(calls[one], targets=targets[1])
    calls[other] = replace(calls[other], targets=targets[0])


def _single(one: Any) -> Any:
    types = tuple(torch.float32 for _ in one.types)
    return replace(one, types=types)


def _other_number(one: Any) -> Any:
    operands = [
        Constant(o.value * (1 + 1e-9)) if isinstance(o, Constant) else o for o in one.operands
    ]
    return replace(one, operands=tuple(operands))


def _has_number(one: Any) -> bool:
    return isinstance(one, Compute) and any(
        isinstance(o, Constant) and isinstance(o.value, float) for o in one.operands
    )


_POINTER = r"reinterpret_cast<double\*>\(f\.{0} \+ \d+\)"
_SCRATCH, _OWN = _POINTER.format("scratch"), _POINTER.format("own")
_MERGE = rf"for \(int64_t i = 0; i < 1; \+\+i\) \({_SCRATCH}\)\[i\] \+= \({_OWN}\)\[i\];"

MUTANTS: dict[str, Mutant] = {
    # threads and blocks of rows
    "a dropped merge": text("effects", _MERGE, ""),
    "a merge of one thread only": text("effects", r"thread < team", "thread < 1"),
    "a merge over more threads than there are": text("effects", r"thread < team", "thread < 3"),
    "own sums that no thread zeroes": text(
        "effects", rf"(i < 1; \+\+i\) )\({_OWN}\)\[i\] = 0;", r"\1;"
    ),
    "a sum that is not started": text("effects", rf"\({_SCRATCH}\)\[i\] = 0;", ";"),
    "a last block left out": text(
        "effects", r"begin < 5000; begin \+= (\d+)", r"begin < 5000 - \1; begin += \1"
    ),
    "a remainder of a block left out": text(
        "effects", r"for \(; m < end; \+\+m\)", "for (; m + 1 < end; ++m)"
    ),
    "a block that begins a row late": text("effects", r"i0 = begin \* 1;", "i0 = begin * 1 + 1;"),
    "own memory read for what all share": text(
        "two lengths",
        rf"(member_4_0.*?right = ){_SCRATCH}",
        r"\1reinterpret_cast<double*>(f.own + 0)",
    ),
    "a sum read from another group's place": text(
        "two lengths",
        rf"(kernel_2\(const.*?){_SCRATCH}",
        r"\1reinterpret_cast<double*>(f.scratch + 0)",
    ),
    "one sum of a group forgotten": Mutant(
        "effects", grouped=lambda p: first(p, RowGroup, _one_sum_less)
    ),
    "members of a group in another order": Mutant(
        "effects",
        grouped=lambda p: first(p, RowGroup, lambda g: replace(g, members=g.members[::-1])),
    ),
    # places
    "a wrong offset": Mutant(
        "regression",
        lowered=lambda p: statement(
            p, _scratch, lambda s: _with_load(s, lambda o: replace(o, offset=o.offset + 1))
        ),
    ),
    "a swapped stride": text("effects", r"left\[m \* 1 \+ k \* 20\]", "left[m * 20 + k * 1]"),
    "a product transposed": Mutant(
        "product",
        grouped=lambda p: first(
            p,
            Product,
            lambda k: replace(
                k, left=replace(k.left, strides=(k.left.strides[0], *k.left.strides[:0:-1]))
            ),
        ),
    ),
    "a gather without its stride": text("effects", r"(x3 < 0 \? x3 \+ 7 : x3\)) \* 1", r"\1 * 0"),
    "a scatter that overwrites": text("effects", r"(p_scratch_\d+\[\(x1 [^\]]*\]) \+= ", r"\1 = "),
    "a value over the old state": Mutant("regression", places=_over_the_state),
    "two values at one place": Mutant("regression", places=_one_over_the_other),
    "a result from another place": text(
        "effects",
        rf"results\[step\] = double\(\({_SCRATCH}\)",
        "results[step] = double((reinterpret_cast<double*>(f.scratch + 0))",
    ),
    "the tensors of the state swapped": text(
        "effects", r"\(state\[0\]\)(.*?)\(state\[1\]\)", r"(state[1])\1(state[0])"
    ),
    "a missing fill": text(
        "effects", rf"for \(int64_t i = 0; i < 22; \+\+i\) \({_SCRATCH}\)\[i\] = double\(0\);", ""
    ),
    "a fill of another number": text("padded", r"= double\(1\.5\)", "= double(0)"),
    # loops
    "an end one too early": text("effects", r"i0 < 5000; ", "i0 < 4999; "),
    "a step in a loop written out taken twice": text(
        "padded", r"int64_t i1 = 1;", "int64_t i1 = 0;"
    ),
    "a load before the loop that it depends on": text(
        "effects", r"p_constant_6\[i0 \* 1\]", "p_constant_6[begin]"
    ),
    "a sum with the wrong sign": text("effects", r"(sum_scratch_\d+) \+= ", r"\1 -= "),
    "a sum that is a copy": Mutant(
        "extremes", lowered=lambda p: statement(p, _sums("+"), lambda w: replace(w, sign="="))
    ),
    "a least for a greatest": Mutant(
        "extremes",
        lowered=lambda p: first(
            p, Extreme, lambda k: replace(k, sign="min" if k.sign == "max" else "max")
        ),
    ),
    "a running sum that begins late": text(
        "neighbours", r"(double value = 0;\s*for \(int64_t i0 = )0", r"\g<1>1"
    ),
    "a running product": Mutant(
        "neighbours", lowered=lambda p: first(p, Scan, lambda k: replace(k, sign="*"))
    ),
    # numbers
    "another number": Mutant(
        "regression", lowered=lambda p: statement(p, _has_number, _other_number)
    ),
    "single precision in between": Mutant(
        "regression",
        lowered=lambda p: statement(
            p, lambda s: isinstance(s, Compute) and _load(s) is not None, _single
        ),
    ),
    # matrices
    "the other triangle": Mutant(
        "factor",
        lowered=lambda p: first(p, TriangularSolve, lambda k: replace(k, upper=not k.upper)),
    ),
    "a diagonal taken to be 1": Mutant(
        "factor", lowered=lambda p: first(p, TriangularSolve, lambda k: replace(k, unit=not k.unit))
    ),
    "a factor whose other half is not zeroed": text("factor", r"out\[i \* 40 \+ j\] = 0;", ";"),
    "results of torch swapped": Mutant("factor", calls=_swapped_results),
    "a call of torch left out": text("factor", r"if \(foreign\(2\)\) return step;", ""),
    # order
    "a skipped kernel": Mutant("regression", lowered=_without_kernel(Loops, 3)),
    "a skipped product": Mutant("effects", grouped=_without_kernel(Product, 0)),
    "a kernel before the one that it needs": Mutant("effects", grouped=_earlier(5)),
    "draws that do not move on": text("effects", r"f\.noise_2 \+= 22;", ""),
    "numbers of a step that do not move on": text("effects", r"f\.row_3 \+= 2;", ""),
}
