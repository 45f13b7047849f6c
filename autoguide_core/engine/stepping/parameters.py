"""All parameters of a fit as one flat vector."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


def flatten(leaves: Sequence[Tensor]) -> Tensor:
    """Copy leaves into one new vector (D,), of the widest dtype among them."""
    device = leaves[0].device
    return torch.cat([leaf.detach().reshape(-1).to(device) for leaf in leaves])


def unflatten(theta: Tensor, leaves: Sequence[Tensor]) -> list[Tensor]:
    """The parts of a vector (D,) in the shapes of the leaves, as views of it."""
    parts = theta.split([leaf.numel() for leaf in leaves])
    return [part.view(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]


def obstacle_to_packing(leaves: Sequence[Tensor]) -> str | None:
    """Why leaves cannot be views of one vector, or None."""
    for what, kinds in (
        ("dtypes", {str(leaf.dtype).removeprefix("torch.") for leaf in leaves}),
        ("devices", {str(leaf.device) for leaf in leaves}),
    ):
        if len(kinds) > 1:
            return f"the parameters are of several {what} ({', '.join(sorted(kinds))})"
    return None


@contextlib.contextmanager
def packed(leaves: Sequence[Tensor]) -> Iterator[Tensor]:
    """Make the leaves views of one vector ``theta`` (D,) while inside.

    A change of ``theta`` in place is then seen by the modules, the parameter store and the graphs
    that hold the leaves. On the way out, after an error too, each leaf has memory of its own again
    with the values it then has.

    Args:
        leaves: Parameters of one dtype and device.
    """
    theta = flatten(leaves)
    for leaf, part in zip(leaves, unflatten(theta, leaves), strict=True):
        leaf.data = part
    try:
        yield theta
    finally:
        for leaf in leaves:
            leaf.data = leaf.data.clone(memory_format=torch.contiguous_format)
