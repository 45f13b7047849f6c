"""The checks between the passes: each kind of mistake in a program or in its places is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from native_densities import DENSITIES, Data
from native_together import Evaluation, recorded
from torch import Tensor

from autoguide_core.engine.native.checks import PassError, check_memory, check_program
from autoguide_core.engine.native.group_memory import GroupMemory
from autoguide_core.engine.native.lowering import Lowering
from autoguide_core.engine.native.memory import Memory
from autoguide_core.engine.native.program import (
    Compute,
    Load,
    Loops,
    Product,
    Program,
    Register,
    RowGroup,
    Storage,
    Write,
)


def program_of(name: str, rows: int, columns: int) -> Program:
    """A density's program, grouped where it is long."""
    points = torch.full((1, columns + 2), 0.3, dtype=torch.float64)
    density = DENSITIES[name](Data(rows, columns, torch.float64))
    return Evaluation.of(density, points).translation.program


def check(program: Program) -> None:
    check_program(program, "a pass")
    check_memory(program, Memory(program))


def group_of(program: Program) -> tuple[int, RowGroup]:
    return next((n, k) for n, k in enumerate(program.kernels) if isinstance(k, RowGroup))


def loops_of(program: Program) -> list[Loops]:
    members = [k.members if isinstance(k, RowGroup) else (k,) for k in program.kernels]
    return [kernel for some in members for kernel in some if isinstance(kernel, Loops)]


def change(program: Program, kind: type, how: Callable[..., object]) -> None:
    """Change the first statement, or operand of one, that is of a kind and that ``how`` takes."""
    for loops in loops_of(program):
        for place, one in enumerate(loops.body):
            if isinstance(one, kind) and (changed := how(one, loops)):
                loops.body[place] = changed  # type: ignore[call-overload]
                return
            for number, operand in enumerate(one.operands if isinstance(one, Compute) else ()):
                if isinstance(operand, kind) and (changed := how(operand, loops)):
                    operands = list(one.operands)  # type: ignore[union-attr]
                    operands[number] = changed
                    loops.body[place] = replace(one, operands=tuple(operands))
                    return
    raise AssertionError("nothing to change")


def regroup(program: Program, **changes: object) -> None:
    number, group = group_of(program)
    program.kernels[number] = replace(group, **changes)  # type: ignore[arg-type]


def wrong_offset(program: Program) -> None:
    change(program, Load, lambda one, _: replace(one, offset=one.offset + one.storage.size))


def wrong_stride(program: Program) -> None:
    change(
        program,
        Load,
        lambda one, _: any(one.strides) and replace(one, strides=tuple(2 * s for s in one.strides)),
    )


def wrong_place(program: Program) -> None:
    change(
        program,
        Write,
        lambda one, _: one.target.fill is None and replace(one, offset=one.offset + 1),
    )


def written_twice(program: Program) -> None:
    change(
        program,
        Write,
        lambda one, _: (
            one.sign == "="
            and any(one.strides)
            and replace(one, strides=tuple(0 for _ in one.strides))
        ),
    )


def dropped_statement(program: Program) -> None:
    loops = next(k for k in loops_of(program) if any(isinstance(s, Write) for s in k.body))
    loops.body[:] = [s for s in loops.body if not isinstance(s, Write)]


def dropped_kernel(program: Program) -> None:
    del program.kernels[0]


def swapped_kernels(program: Program) -> None:
    program.kernels.reverse()


def kept_in_a_register(program: Program) -> None:
    reads = [
        operand.storage
        for loops in loops_of(program)
        for s in loops.body
        if isinstance(s, Compute)
        for operand in s.operands
        if isinstance(operand, Load) and operand.storage.role == "scratch"
    ]
    reads[0].stored = False


def foreign_register(program: Program) -> None:
    change(program, Load, lambda one, _: one.storage.role == "scratch" and Register(one.storage))


def late_register(program: Program) -> None:
    loops = next(k for k in loops_of(program) if isinstance(k.body[0], Compute) and len(k.body) > 2)
    loops.body.append(loops.body.pop(0))


def wrong_index(program: Program) -> None:
    change(
        program,
        Load,
        lambda one, _: (
            one.gathers
            and replace(one, gathers=(replace(one.gathers[0], stride=one.gathers[0].stride + 1),))
        ),
    )


def dropped_merge(program: Program) -> None:
    regroup(program, sums=group_of(program)[1].sums[1:])


def other_merge(program: Program) -> None:
    (storage, _), *rest = group_of(program)[1].sums
    regroup(program, sums=((storage, "*"), *rest))


def merge_of_nothing(program: Program) -> None:
    _, group = group_of(program)
    regroup(program, sums=(*group.sums, (group.passing[0], "+")))


def row_of_another(program: Program) -> None:
    """A member reads what the turn of the next row writes."""
    _, group = group_of(program)
    own = {*group.passing}
    change(
        program,
        Load,
        lambda one, _: one.storage in own and replace(one, offset=one.offset + one.strides[0]),
    )


def sum_read_within(program: Program) -> None:
    _, group = group_of(program)
    whole = group.sums[0][0]
    regroup(program, members=(*group.members, _reader(whole, group.rows)))


def _reader(storage: Storage, rows: int) -> Loops:
    target = Storage("more", torch.float64, rows, local=True)
    load = Load(storage, (0,), 0)
    return Loops((rows,), [Compute(target, "{0}", (load,), (torch.float64,))])


def passes_too_far(program: Program) -> None:
    _, group = group_of(program)
    result = next(ref.storage for ref in program.results if ref.storage is not None)
    regroup(program, passing=(*group.passing, result))


def other_rows(program: Program) -> None:
    regroup(program, rows=group_of(program)[1].rows + 1)


def unfilled(program: Program) -> None:
    next(s for s in program.storages if s.fill is not None).fill = None


def wrong_product(program: Program) -> None:
    for kernel in program.kernels:
        for member in kernel.members if isinstance(kernel, RowGroup) else (kernel,):
            if isinstance(member, Product):
                object.__setattr__(member, "sizes", (*member.sizes[:2], 2, member.sizes[3]))
                return
    raise AssertionError("no product")


def result_of_nothing(program: Program) -> None:
    empty = Storage("nothing", torch.float64, 1, stored=True)
    program.storages.append(empty)
    program.results[-1] = replace(program.results[-1], storage=empty, offset=0)


MISTAKES: dict[Callable[[Program], None], str] = {
    wrong_offset: "effects of few",
    wrong_stride: "effects of few",
    wrong_place: "placed",
    written_twice: "placed",
    dropped_statement: "placed",
    dropped_kernel: "effects of few",
    swapped_kernels: "effects of few",
    kept_in_a_register: "standardised",
    foreign_register: "standardised",
    late_register: "effects of few",
    wrong_index: "effects of few",
    dropped_merge: "effects of few",
    other_merge: "effects of few",
    merge_of_nothing: "effects of few",
    row_of_another: "standardised",
    sum_read_within: "effects of few",
    passes_too_far: "standardised",
    other_rows: "effects of few",
    unfilled: "padded",
    wrong_product: "regression",
    result_of_nothing: "regression",
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_mistakes_in_programs_are_found(mistake: Callable[[Program], None]) -> None:
    program = program_of(MISTAKES[mistake], 5000, 20)
    check(program)
    mistake(program)
    with pytest.raises(PassError, match=r"\w+ .*: ") as caught:
        check(program)
    assert caught.value.fault


def overlap(memory: Memory) -> None:
    storages = sorted(memory._offsets, key=lambda s: memory._offsets[s])
    memory._offsets[storages[1]] = memory._offsets[storages[0]] + 8


def too_short(memory: Memory) -> None:
    memory.bytes -= 64


def two_places(memory: Memory) -> None:
    memory._offsets[group_of(memory._program)[1].passing[0]] = memory.bytes


def no_place(memory: Memory) -> None:
    memory._offsets.popitem()


def written_over(memory: Memory) -> None:
    """The slopes lie where the points are still read."""
    points, _, _ = memory._program.of_role("state")
    new = memory._program.results[1].storage
    assert new is not None
    memory._aliases[new] = points
    memory._offsets.pop(new, None)


def never_filled(memory: Memory) -> None:
    memory.filled = list  # type: ignore[assignment, method-assign]


@pytest.mark.parametrize(
    "mistake",
    [overlap, too_short, two_places, no_place, written_over, never_filled],
    ids=lambda mistake: mistake.__name__,
)
def test_mistakes_in_places_are_found(mistake: Callable[[Memory], None]) -> None:
    program = program_of("padded", 5000, 20)
    memory = Memory(program)
    check_memory(program, memory)
    mistake(memory)
    with pytest.raises(PassError):
        check_memory(program, memory)


def test_places_of_a_thread_lie_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    program = program_of("effects of few", 5000, 20)

    def all_at_the_start(memory: GroupMemory, storage: Storage, size: int) -> None:
        memory.own[storage] = 0, size
        memory.bytes = max(memory.bytes, 8 * size)

    monkeypatch.setattr(GroupMemory, "_add", all_at_the_start)
    with pytest.raises(PassError, match="the block of a thread"):
        check(program)


def test_old_values_are_not_written_over_while_they_are_read() -> None:
    """By hand, as the compiler would not: the first half is written over, the second still read."""

    def step(a: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        return a * 0.5, (a * a.flip(0)).sum()

    state = {"a": torch.ones(6, dtype=torch.float64)}
    lowering: Lowering = recorded(step, state)
    program = lowering.run()
    memory = Memory(program)
    new, old = program.results[0].storage, program.of_role("state")[0]
    assert new is not None
    assert memory.place(new) is new
    memory._aliases[new] = old
    memory._offsets.pop(new)
    with pytest.raises(PassError, match="order"):
        check_memory(program, memory)
