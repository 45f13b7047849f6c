"""What must be true of a program's kernels, whatever pass they come from.

The kernels are gone through in their order, with an account of the elements that are written.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import torch

from autoguide_core.engine.native.checks.elements import PassError, Walk
from autoguide_core.engine.native.checks.groups import check_group
from autoguide_core.engine.native.program import (
    Cholesky,
    Compute,
    Extreme,
    Foreign,
    Kernel,
    Loops,
    Operand,
    Product,
    Program,
    Ref,
    Register,
    RowGroup,
    Scan,
    Storage,
    TriangularSolve,
    Write,
    loads,
    reads,
    writes,
)


def check_program(program: Program, after: str) -> None:
    """Check a program.

    Args:
        program: The program.
        after: The pass that has made it, for the message.

    Raises:
        PassError: Something is read that is not written, or not where it is looked for; is
            written twice, or outside of its storage; is summed without a start; or is needed from
            memory, but kept in a register.
    """
    account = _Account(program)
    for number, kernel in enumerate(program.kernels):
        account.place = f"{type(kernel).__name__} {number} after {after}"
        account.take(kernel)
    account.place = f"the results after {after}"
    for result in program.results:
        account.read_ref(result)


class _Account:
    """What has been written by the kernels so far.

    Attributes:
        place: The kernel that is looked at.
    """

    def __init__(self, program: Program) -> None:
        self.place = ""
        self._written = {
            s: torch.full((s.size,), s.role != "scratch" or s.fill is not None)
            for s in program.storages
        }
        self._writers = Counter(s for kernel in program.kernels for s in writes(kernel))
        self._users = Counter(
            s for kernel in program.kernels for s in {*reads(kernel), *writes(kernel)}
        )
        self._users.update(ref.storage for ref in program.results if ref.storage is not None)
        self._begun: set[Storage] = set()  # what kernels before the present one have written
        self._now: dict[Storage, torch.Tensor] = {}  # what the present kernel has written
        self._member: dict[Storage, torch.Tensor] = {}  # what its present member has

    def take(self, kernel: Kernel) -> None:
        """Check one kernel, and note what it writes."""
        if isinstance(kernel, RowGroup):
            check_group(kernel, self._refusal)
            for storage in kernel.passing:
                if self._users[storage] != 1:
                    raise self._refusal(storage, "passes within a group, and is used outside of it")
        for member in kernel.members if isinstance(kernel, RowGroup) else (kernel,):
            self._member = {}
            if isinstance(member, Loops):
                self._loops(member, in_group=member is not kernel)
            else:
                self._whole(member)
        for storage, now in self._now.items():
            self._written[storage] |= now
        self._begun.update(self._now)
        self._now = {}

    def read_ref(self, ref: Ref) -> None:
        """A tensor is read from memory."""
        if ref.storage is not None:
            self._read(Walk.of_ref(ref))

    def _refusal(self, storage: Storage | None, fault: str) -> PassError:
        return PassError(self.place, storage, fault)

    def _whole(self, kernel: Kernel) -> None:
        """A kernel that reads tensors, and writes storages as a whole."""
        for ref in _sources(kernel):
            self.read_ref(ref)
        if isinstance(kernel, Foreign):
            for storage in kernel.reads:
                self._read(Walk.whole(storage))
        for storage in writes(kernel):
            if isinstance(kernel, Product) and storage.size != math.prod(kernel.sizes[:3]):
                raise self._refusal(storage, f"a product of {kernel.sizes} is written")
            self._write(Walk.whole(storage))

    def _loops(self, loops: Loops, *, in_group: bool) -> None:
        targets = {statement.target for statement in loops.body}
        registers: set[Storage] = set()
        for statement in loops.body:
            for operand in _operands(statement):
                if isinstance(operand, Register) and operand.storage not in registers:
                    raise self._refusal(operand.storage, "is no register at this place")
                for load in loads(operand):
                    if load.storage in targets:
                        raise self._refusal(load.storage, "is loaded by the loops that write it")
                    self._read(Walk.of(load, loops.domain))
            target = statement.target
            if isinstance(statement, Write):
                self._placed(statement, Walk.of(statement, loops.domain), in_group=in_group)
                continue
            if target.size != math.prod(loops.domain):
                raise self._refusal(target, f"is computed by loops over {loops.domain}")
            registers.add(target)
            if target.stored:
                self._write(Walk.whole(target))

    def _placed(self, write: Write, walk: Walk, *, in_group: bool) -> None:
        """A write at a place that follows from the loops, or an accumulation, which has a start."""
        target = write.target
        if not write.gathers and write.sign == "=":
            if not walk.is_empty and (len(walk.sizes) < len(write.strides) or walk.repeats()):
                raise self._refusal(target, "one statement writes an element twice")
        elif not write.gathers:
            if self._writers[target] > 1:
                raise self._refusal(target, "is summed, and written by others than that sum")
        elif target.fill is not None:
            if target in self._begun:
                raise self._refusal(target, "is written before it is filled")
        elif in_group or not bool(walk.view(self._written[target]).all()):
            raise self._refusal(target, "is changed in places, and has no start")
        self._write(walk, again=bool(write.gathers))

    def _read(self, walk: Walk) -> None:
        storage = walk.storage
        if storage not in self._written:
            raise self._refusal(storage, "is read, and is no storage of the program")
        if storage.role == "scratch" and not storage.stored:
            raise self._refusal(storage, "is read from memory, but kept in a register")
        if not walk.is_within:
            raise self._refusal(storage, f"elements {walk.bounds} are read")
        known = self._written[storage]
        if storage in self._now:
            known = known | self._now[storage]
        if not bool(walk.view(known).all()):
            raise self._refusal(storage, "is read before it is written")

    def _write(self, walk: Walk, *, again: bool = False) -> None:
        storage = walk.storage
        if storage not in self._written or storage.role != "scratch":
            raise self._refusal(storage, "is written, and is no scratch storage of the program")
        if not storage.stored:
            raise self._refusal(storage, "is written to memory, but kept in a register")
        if not walk.is_within:
            raise self._refusal(storage, f"elements {walk.bounds} are written")
        views = []
        for account in (self._member, self._now):
            if storage not in account:
                account[storage] = torch.zeros(storage.size, dtype=torch.bool)
            views.append(walk.view(account[storage]))
        if bool(views[0].any()) and not again:
            raise self._refusal(storage, "one kernel writes an element twice")
        for view in views:
            view.fill_(True)


def _operands(statement: Compute | Write) -> Iterator[Operand]:
    """What a statement takes, the indices of its places and of theirs among it."""
    waiting: list[Operand] = (
        list(statement.operands)
        if isinstance(statement, Compute)
        else [statement.operand, *(gather.index for gather in statement.gathers)]
    )
    while waiting:
        operand = waiting.pop()
        yield operand
        waiting += [gather.index for load in loads(operand) for gather in load.gathers]


def _sources(kernel: Kernel) -> tuple[Ref, ...]:
    """The tensors that a kernel reads which is no nest of loops."""
    match kernel:
        case Product():
            return kernel.left, kernel.right
        case TriangularSolve():
            return kernel.matrix, kernel.right
        case Scan() | Extreme() | Cholesky():
            return (kernel.source,)
    return ()
