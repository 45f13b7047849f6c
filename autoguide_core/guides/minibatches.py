"""Plates that do not hold all their elements in order, and guides that cannot follow them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from autoguide_core.guides.supports import full_size, is_subsampled
from autoguide_core.initialization import Site


def partial_plates(
    plates: Mapping[str, Any], *, may_be_permuted: bool
) -> dict[str, tuple[int, int]]:
    """The plates that do not hold all their elements in order.

    Args:
        plates: Plates by name.
        may_be_permuted: Whether a plate at full size may have indices that somebody chose.

    Returns:
        The size in use and the full size, by the plate's name.
    """
    partial = {}
    for name, plate in plates.items():
        is_whole = plate.subsample_size == plate.size
        if is_whole and may_be_permuted:
            indices = torch.as_tensor(plate.indices)
            is_whole = bool((indices == torch.arange(plate.size, device=indices.device)).all())
        if not is_whole:
            partial[name] = (plate.subsample_size, plate.size)
    return partial


def used_part(size: int, full: int) -> str:
    """What is in use of a plate that is not whole, for messages."""
    if size == full:
        return f"all {full} elements are in use in another order"
    return f"a minibatch of {size} of {full} is in use"


def refuse_partial_plates(
    family: str,
    sites: Iterable[tuple[str, Site]],
    plates: Mapping[str, Any],
) -> None:
    """Check that the plates of jointly drawn sites are whole, where somebody chose their indices.

    A joint draw has an entry for each element, in order. With a part of the elements, or with all
    of them in another order, its entries would belong to other elements.

    Args:
        family: The name of the guide's class.
        sites: The sites by name.
        plates: The plates of this call by name.

    Raises:
        ValueError: A site is inside a plate that is not; the message names both.
    """
    partial = partial_plates(plates, may_be_permuted=True)
    for name, site in sites if partial else ():
        for frame in site["cond_indep_stack"]:
            if frame.name in partial:
                size, full = partial[frame.name]
                raise ValueError(
                    f"{family} cannot cover site '{name}' in this call: it is inside plate "
                    f"'{frame.name}', of which {used_part(size, full)}, and one joint draw cannot "
                    "follow. Use AutoNormal for it (in an AutoGuideList), or run the plate at its "
                    "full size and in order."
                )


def refuse_subsampling(family: str, sites: Iterable[tuple[str, Site]], draw: str) -> None:
    """Check that no site of a prototype is in a minibatch, for families that draw sites jointly.

    Args:
        family: The name of the guide's class.
        sites: The sites by name.
        draw: What the family draws in one.

    Raises:
        ValueError: A site is in a subsampled plate; the message names both.
    """
    for name, site in sites:
        for frame in site["cond_indep_stack"]:
            if is_subsampled(frame):
                raise ValueError(
                    f"{family} cannot cover site '{name}': it is inside plate '{frame.name}', of "
                    f"which {used_part(frame.size, full_size(frame))}, and one {draw} cannot be "
                    "subsampled. Use AutoNormal for it (in an AutoGuideList), or run the plate at "
                    "its full size."
                )
