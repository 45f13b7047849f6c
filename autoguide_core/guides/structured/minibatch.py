"""Structured guides over minibatches: what is in use of a site, and what cannot be subsampled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from autoguide_core.guides.minibatches import used_part
from autoguide_core.guides.structured.options import Conditional, Dependencies
from autoguide_core.initialization import Site

# The conditionals in which an entry's noise is its own, so that a minibatch can do without others.
_LOCAL_CONDITIONALS = ("delta", "normal")


def rows_in_use(
    site: Site,
    shape: torch.Size,
    event_dim: int,
    plates: Mapping[str, Any],
    partial: Mapping[str, tuple[int, int]],
) -> Tensor | None:
    """Where a site's minibatch lies in its flat unconstrained vector.

    Args:
        site: A trace node.
        shape: The shape of its unconstrained value at full size.
        event_dim: The number of event dims of that.
        plates: The plates of this call, by name.
        partial: Those in use in part.

    Returns:
        Positions, of the shape of the minibatch of the unconstrained value; None where all of the
        site is in use.
    """
    frames = [frame for frame in site["cond_indep_stack"] if frame.name in partial]
    if not frames:
        return None
    device = site["value"].device
    rows = torch.arange(shape.numel(), device=device).reshape(shape)
    for frame in frames:
        indices = torch.as_tensor(plates[frame.name].indices, device=device)
        rows = rows.index_select(frame.dim - event_dim, indices)
    return rows


def pick(flat: Tensor, rows: Tensor | None) -> Tensor:
    """The entries of a flat value, shape (..., D), that are in use."""
    return flat if rows is None else flat[..., rows.reshape(-1)]


def refuse_minibatches(
    sites: Mapping[str, Site],
    conditionals: Mapping[str, Conditional],
    dependencies: Dependencies,
    partial: Mapping[str, tuple[int, int]],
) -> None:
    """Check that no site needs entries of another site, or of its own, that are not drawn.

    Args:
        sites: The guide's sites by name.
        conditionals: The conditional of each site.
        dependencies: The dependencies.
        partial: The size in use and the full size of each plate that is in use in part, by name.

    Raises:
        ValueError: A site does; the message names it, the plate and the remedies.
    """

    def plate_of(name: str) -> str | None:
        frames = [f.name for f in sites[name]["cond_indep_stack"] if f.name in partial]
        return frames[0] if frames else None

    for name in sites:
        plate = plate_of(name)
        if plate is not None and conditionals[name] not in _LOCAL_CONDITIONALS:
            size, full = partial[plate]
            kind = conditionals[name] if isinstance(conditionals[name], str) else "of a callable"
            raise ValueError(
                f"AutoStructured cannot give site '{name}' the conditional {kind}: it is inside "
                f"plate '{plate}', of which {used_part(size, full)}, and a joint "
                f"draw cannot be subsampled. Set conditionals so that '{name}' is 'normal', or use "
                "AutoNormal for it (in an AutoGuideList), or run the plate at its full size."
            )
        for upstream in dependencies.get(name, ()):
            plate = plate_of(upstream)
            if plate is not None:
                size, full = partial[plate]
                raise ValueError(
                    f"AutoStructured cannot let site '{name}' depend on site '{upstream}', which "
                    f"is inside plate '{plate}', of which {used_part(size, full)}: entries that "
                    "are not there would be needed. Leave such dependencies out"
                    f"{_without(dependencies, plate_of)}, or use AutoNormal for '{upstream}' (in "
                    "an AutoGuideList), or run the plate at its full size."
                )


def _without(dependencies: Dependencies, plate_of: Callable[[str], str | None]) -> str:
    """The dependencies that can stay, ready to be pasted, where all are plain."""
    kept = {
        name: {upstream: kind for upstream, kind in upstreams.items() if plate_of(upstream) is None}
        for name, upstreams in dependencies.items()
    }
    kept = {name: upstreams for name, upstreams in kept.items() if upstreams}
    is_plain = all(isinstance(kind, str) for ups in kept.values() for kind in ups.values())
    return f" (dependencies={kept!r})" if is_plain else ""
