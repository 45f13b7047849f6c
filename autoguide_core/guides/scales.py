"""The initial scales of a guide: one number, or numbers by site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from autoguide_core.initialization import did_you_mean

InitScale: TypeAlias = float | Mapping[str, float]

DEFAULT_SCALE = 0.1


def positive_init_scale(init_scale: float) -> float:
    """Check an initial scale: a positive, finite number.

    Raises:
        ValueError: It is something else.
    """
    is_number = isinstance(init_scale, int | float) and not isinstance(init_scale, bool)
    if not is_number or not 0 < init_scale < float("inf"):
        raise ValueError(f"Expected init_scale > 0. but got {init_scale!r}; it must be a number.")
    return float(init_scale)


def checked_init_scale(init_scale: InitScale) -> InitScale:
    """Check an initial scale, or each of those by site name.

    Raises:
        ValueError: One of them is not a positive, finite number.
    """
    if isinstance(init_scale, Mapping):
        return {name: positive_init_scale(scale) for name, scale in init_scale.items()}
    return positive_init_scale(init_scale)


def init_scale_by_site(init_scale: InitScale, sites: Iterable[str]) -> dict[str, float]:
    """The initial scale of each site; `DEFAULT_SCALE` for those that a mapping leaves out.

    Raises:
        ValueError: A mapping names a site that there is not; the message suggests the closest.
    """
    names = list(sites)
    if not isinstance(init_scale, Mapping):
        return dict.fromkeys(names, init_scale)
    for name in init_scale:
        if name not in names:
            hint = did_you_mean(name, names)
            raise ValueError(
                f"init_scale has a value for '{name}', but the guide covers no such site.{hint} "
                f"Its sites are: {', '.join(sorted(names)) or 'none'}."
            )
    return {name: init_scale.get(name, DEFAULT_SCALE) for name in names}


def packed_init_scale(
    init_scale: InitScale, shapes: Mapping[str, torch.Size], loc: Tensor
) -> Tensor:
    """The initial scale of each entry of a vector in which sites lie side by side.

    Args:
        init_scale: A checked scale, or scales by site name.
        shapes: The unconstrained shape of each site, in the order of the vector.
        loc: The location of the vector, shape (D,).

    Returns:
        Shape (D,), of the dtype and on the device of ``loc``.

    Raises:
        ValueError: A mapping names a site that there is not.
    """
    scales = init_scale_by_site(init_scale, shapes)
    parts = [loc.new_full((shape.numel(),), scales[name]) for name, shape in shapes.items()]
    return torch.cat(parts)
