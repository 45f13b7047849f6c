"""Which elements of a storage a kernel touches, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from autoguide_core.engine.native.program import Load, Ref, Storage, Write


class PassError(Exception):
    """A pass of the native compiler has made a program that cannot be right.

    Args:
        place: The pass and the kernel.
        storage: The storage, or None where none is concerned.
        fault: What is wrong, as a clause.
    """

    def __init__(self, place: str, storage: Storage | None, fault: str) -> None:
        self.place, self.storage, self.fault = place, storage, fault
        of = f", {storage.name} of {storage.size} elements" if storage is not None else ""
        super().__init__(f"{place}{of}: {fault}")


@dataclass(frozen=True)
class Walk:
    """The elements that a kernel reaches in a storage: an offset, and sizes with their strides.

    Dimensions that do not move are left out; what is read from an index tensor counts as a
    dimension of all the places that it may name.
    """

    storage: Storage
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, access: Load | Write, domain: Sequence[int], after: int = 0) -> Walk:
        """Where a load, or a write, leads over all loops, or over those after the first ones."""
        storage = access.storage if isinstance(access, Load) else access.target
        loops = list(zip(domain, access.strides, strict=True))[after:]
        indices = [(gather.size, gather.stride) for gather in access.gathers]
        return cls._moving(storage, [*loops, *indices], access.offset)

    @classmethod
    def of_ref(cls, ref: Ref) -> Walk:
        """Where a tensor lies."""
        assert ref.storage is not None
        return cls._moving(ref.storage, zip(ref.shape, ref.strides, strict=True), ref.offset)

    @classmethod
    def whole(cls, storage: Storage) -> Walk:
        """All elements, in their order."""
        return cls(storage, (storage.size,), (1,), 0)

    @classmethod
    def _moving(cls, storage: Storage, dims: Iterable[tuple[int, int]], offset: int) -> Walk:
        moving = [(size, stride) for size, stride in dims if stride or not size]
        return cls(storage, tuple(n for n, _ in moving), tuple(s for _, s in moving), offset)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is reached."""
        return 0 in self.sizes

    @property
    def bounds(self) -> tuple[int, int]:
        """The first and the last element."""
        ends = [(n - 1) * stride for n, stride in zip(self.sizes, self.strides, strict=True)]
        return self.offset + sum(min(end, 0) for end in ends), self.offset + sum(
            max(end, 0) for end in ends
        )

    @property
    def is_within(self) -> bool:
        """Whether the storage has all of the elements."""
        first, last = self.bounds
        return self.is_empty or (first >= 0 and last < self.storage.size)

    def view(self, known: torch.Tensor) -> torch.Tensor:
        """The elements, out of a tensor with an entry for each of the storage."""
        if self.is_empty:
            return known[:0]
        strides = tuple(abs(stride) for stride in self.strides)
        return known.as_strided(self.sizes, strides, self.bounds[0])

    def repeats(self) -> bool:
        """Whether it meets an element twice."""
        met = torch.zeros(self.storage.size, dtype=torch.bool)
        view = self.view(met)
        view.fill_(True)
        return bool(met.sum() != view.numel())
