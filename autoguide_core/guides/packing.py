"""Many sites side by side in one flat vector, mapped onto their supports a few operations in all.

A guide over a thousand scalar sites that treats one after the other spends its time on the calls,
not on the arithmetic. Here sites whose supports are alike share one transform: all half-lines are
one `exp` of one vector, all intervals one `sigmoid` with a vector of bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from pyro.distributions.util import sum_rightmost
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraint_registry import ConstraintRegistry

from autoguide_core.guides.supports import is_elementwise, tensors_of

# Supports that differ in their bounds only, and the names of those.
_BOUNDS: dict[type, tuple[str, ...]] = {
    constraints.greater_than: ("lower_bound",),
    constraints.greater_than_eq: ("lower_bound",),
    constraints.less_than: ("upper_bound",),
    constraints.interval: ("lower_bound", "upper_bound"),
    constraints.half_open_interval: ("lower_bound", "upper_bound"),
}


class Packed(NamedTuple):
    """A tensor in a packed vector.

    Attributes:
        name: Whose it is.
        shape: Its unconstrained shape.
        event_dim: How many rightmost dims of ``shape`` belong to one event.
        support: Where its values live.
        support_event_dim: The number of event dims of its values.
    """

    name: str
    shape: torch.Size
    event_dim: int
    support: Any
    support_event_dim: int


@dataclass(frozen=True)
class _Group:
    """Members that share a transform.

    Attributes:
        members: Positions in the packing.
        transform: Onto the support of all of them.
        index: Their entries in the packed vector; None for all entries in order.
        is_identity: Whether the transform leaves values as they are.
        is_flat: Whether the transform acts on single entries, and so on the packed vector.
    """

    members: tuple[int, ...]
    transform: Any
    index: Tensor | slice | None
    is_identity: bool
    is_flat: bool


class Packing:
    """The layout of tensors in one vector of length ``size``, in the order given.

    Args:
        members: The tensors.
        registry: `torch.distributions.biject_to` or `transform_to`.
        device: Where the vector will be.
    """

    def __init__(
        self,
        members: Sequence[Packed],
        registry: ConstraintRegistry,
        device: torch.device | None = None,
    ) -> None:
        self.members = tuple(members)
        self.shapes = [member.shape for member in self.members]
        self.sizes = [shape.numel() for shape in self.shapes]
        self.size = sum(self.sizes)
        self._are_scalars = _are_scalars(self.members)
        self._groups = _groups(self.members, registry, device)

    def pack(self, tensors: Iterable[Tensor]) -> Tensor:
        """Lay tensors side by side; shape (size,)."""
        if self._are_scalars:
            return torch.stack(list(tensors))
        return torch.cat([tensor.reshape(-1) for tensor in tensors])

    def cut(self, packed: Tensor) -> list[Tensor]:
        """Cut a packed vector into its members.

        Args:
            packed: Shape (..., size).

        Returns:
            A view for each member. Batch dims of ``packed`` are those of plates outside: they are
            broadcast against the batch dims of the member, not put before them.
        """
        return _cut(packed, self.sizes, self.members)

    def cut_draws(self, packed: Tensor) -> list[Tensor]:
        """Cut many draws, shape (S, size), into those of each member, (S, *shape)."""
        parts = packed.split(self.sizes, -1)
        return [
            part.reshape(len(part), *shape) for part, shape in zip(parts, self.shapes, strict=True)
        ]

    def constrain(
        self, packed: Tensor, *, with_density: bool = True
    ) -> list[tuple[Tensor, Tensor | float]]:
        """Map a packed vector onto the supports.

        Args:
            packed: Unconstrained, shape (..., size); batch dims as for `cut`.
            with_density: False skips the Jacobians.

        Returns:
            For each member its value, and the log density of the map there: minus the log of the
            absolute Jacobian determinant, one entry per batch element; 0.0 for an identity and
            where it was skipped.
        """
        result: list[tuple[Tensor, Tensor | float]] = [(packed, 0.0)] * len(self.members)
        for group in self._groups:
            members = [self.members[position] for position in group.members]
            sizes = [self.sizes[position] for position in group.members]
            part = packed if group.index is None else packed[..., group.index]
            if not group.is_flat:
                (part,) = _cut(part, sizes, members)
            value = part if group.is_identity else group.transform(part)
            log_density = None
            if with_density and not group.is_identity:
                log_density = -group.transform.log_abs_det_jacobian(part, value)
            if group.is_flat:
                values = _cut(value, sizes, members)
                log_densities: list[Any] = (
                    [0.0] * len(members)
                    if log_density is None
                    else _cut(log_density, sizes, members)
                )
            else:
                values, log_densities = [value], [0.0 if log_density is None else log_density]
            for position, member, x, density in zip(
                group.members, members, values, log_densities, strict=True
            ):
                if isinstance(density, Tensor):
                    extra = density.dim() - x.dim() + member.support_event_dim
                    density = sum_rightmost(density, extra) if extra else density
                result[position] = (x, density)
        return result


def _cut(packed: Tensor, sizes: list[int], members: Sequence[Packed]) -> list[Tensor]:
    batch = packed.shape[:-1]
    if _are_scalars(members):
        return list(packed.unbind(-1))
    parts = packed.split(sizes, -1)
    if not batch:
        return [
            part if part.shape == member.shape else part.reshape(member.shape)
            for part, member in zip(parts, members, strict=True)
        ]
    return [
        part.reshape(torch.broadcast_shapes(member.shape, batch + (1,) * member.event_dim))
        for part, member in zip(parts, members, strict=True)
    ]


def _are_scalars(members: Sequence[Packed]) -> bool:
    return bool(members) and not any(member.shape for member in members)


def _groups(
    members: Sequence[Packed], registry: ConstraintRegistry, device: torch.device | None
) -> list[_Group]:
    """Put members with like supports into groups."""
    alike: dict[Any, list[int]] = {}
    for position, member in enumerate(members):
        alike.setdefault(_likeness(member, registry) or ("alone", position), []).append(position)
    starts = torch.tensor([0, *(member.shape.numel() for member in members)]).cumsum(0).tolist()
    groups = []
    for key, positions in alike.items():
        is_flat = key[0] != "alone"
        if is_flat:
            support = _merged([members[position] for position in positions])
        else:
            support = members[positions[0]].support
        ranges = [range(starts[position], starts[position + 1]) for position in positions]
        groups.append(
            _Group(
                tuple(positions),
                registry(support),
                _index(ranges, starts[-1], device),
                is_identity=support is constraints.real,
                is_flat=is_flat,
            )
        )
    return groups


def _likeness(member: Packed, registry: ConstraintRegistry) -> tuple[Any, ...] | None:
    """A key that is equal for supports which one transform can serve; None if there is no other."""
    support = _entry_support(member.support)
    if type(support) in _BOUNDS:
        return (type(support),)
    if not tensors_of(support) and is_elementwise(registry(support)):
        return ("same", id(support))
    return None


def _entry_support(support: Any) -> Any:
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    return support


def _merged(members: list[Packed]) -> Any:
    """The support of all entries of members with like supports, in one."""
    supports = [_entry_support(member.support) for member in members]
    first = supports[0]
    names = _BOUNDS.get(type(first), ())
    bounds = [[getattr(support, name) for support in supports] for name in names]
    if all(not isinstance(b, Tensor) and b == of_one[0] for of_one in bounds for b in of_one):
        return first
    return type(first)(*(_laid_out(of_one, members) for of_one in bounds))


def _laid_out(bounds: list[Any], members: list[Packed]) -> Tensor:
    """One bound of each member, expanded to its shape, side by side."""
    tensors = [bound for bound in bounds if isinstance(bound, Tensor)]
    like = tensors[0].detach() if tensors else torch.zeros(())
    return torch.cat(
        [
            torch.as_tensor(bound, dtype=like.dtype, device=like.device)
            .detach()
            .expand(member.shape)
            .reshape(-1)
            for bound, member in zip(bounds, members, strict=True)
        ]
    )


def _index(ranges: list[range], size: int, device: torch.device | None) -> Tensor | slice | None:
    entries = [entry for each in ranges for entry in each]
    if len(entries) == size:
        return None
    if entries and entries == list(range(entries[0], entries[-1] + 1)):
        return slice(entries[0], entries[-1] + 1)
    return torch.tensor(entries, dtype=torch.long, device=device)
