"""Telling a guide that has gone astray by its site, at the first call that sees it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pyro.poutine.util import is_validation_enabled
from torch import Tensor


def check_finite(
    packed: Tensor, sizes: Mapping[str, int], parameters: Mapping[str, Tensor] | None = None
) -> None:
    """Check, while Pyro validates, that the draws of a guide are numbers.

    Args:
        packed: Unconstrained draws of all sites side by side, shape (..., D).
        sizes: The number of entries of each site, D in all.
        parameters: What the draws were made of, by what it is, each of shape (D,).

    Raises:
        ValueError: An entry is infinite or not a number; the message names its site, and the
            parameter at fault if there is one.
    """
    if not is_validation_enabled() or torch.jit.is_tracing():
        return
    if bool(torch.isfinite(packed).all()):
        return
    for what, values in [*(parameters or {}).items(), ("draw", packed)]:
        rows = values.detach().reshape(-1, sum(sizes.values()))
        bad = (~torch.isfinite(rows)).nonzero()
        if len(bad):
            row, entry = bad[0].tolist()
            raise ValueError(
                f"The guide's {what} of site '{_owner(entry, sizes)}' is "
                f"{float(rows[row, entry])}: the gradient of the step before was not finite. "
                "Find the term at fault with autoguide_core.explain_loss(model, guide, …) on "
                "parameters saved earlier, lower the learning rate, or start elsewhere "
                "(init_loc_fn, init_scale)."
            )


def _owner(entry: int, sizes: Mapping[str, int]) -> str:
    for name, size in sizes.items():
        if entry < size:
            return name
        entry -= size
    raise IndexError(entry)
