"""Telling of a guide that goes astray by its site, before its parameters are lost."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from pyro.poutine.util import is_validation_enabled
from torch import Tensor
from torch.utils.hooks import unserializable_hook

_REMEDY = (
    "See which term is at fault with print(autoguide_core.explain_loss(model, guide, …)); then "
    "lower the learning rate, or start elsewhere (init_loc_fn, init_scale)."
)


def watch(
    packed: Tensor, sizes: Mapping[str, int], parameters: Mapping[str, Tensor] | None = None
) -> None:
    """Check, while Pyro validates, that the draws of a guide and their gradient are numbers.

    The gradient is checked in the backward pass: an error there comes before any optimizer takes
    the step that would spoil all parameters.

    Args:
        packed: Unconstrained draws of all sites side by side, shape (..., D).
        sizes: The number of entries of each site, D in all.
        parameters: What the draws were made of, by what it is, each of shape (D,).

    Raises:
        ValueError: An entry is infinite or not a number; the message names its site, and the
            parameter at fault if there is one. In the backward pass: a derivative is not a number.
    """
    if not is_validation_enabled() or torch.jit.is_tracing():
        return
    if packed.requires_grad:
        # A flow keeps its latest draw, and must be possible to save with it.
        packed.register_hook(unserializable_hook(partial(_check_gradient, sizes=sizes)))
    if bool(torch.isfinite(packed).all()):
        return
    tell_spoilt({**(parameters or {}), "draw": packed}, sizes)


def tell_spoilt(tensors: Mapping[str, Tensor], sizes: Mapping[str, int]) -> None:
    """Raise if a tensor has an entry that is infinite or not a number.

    Args:
        tensors: By what they are, each of shape (..., D).
        sizes: The number of entries of each site, D in all.

    Raises:
        ValueError: There is one; the message names its site and what it is an entry of.
    """
    for what, values in tensors.items():
        bad = _first(~torch.isfinite(values), values, sizes)
        if bad is not None:
            raise ValueError(
                f"The guide's {what} of site '{bad[0]}' is {bad[1]}: a step before has spoilt it. "
                + _REMEDY
            )


def watch_sites(draws: Mapping[str, Tensor]) -> None:
    """As `watch`, for draws that do not lie side by side: one look at all, a hook for each.

    Args:
        draws: Draws by site, of any shape and dtype.

    Raises:
        ValueError: As for `watch`.
    """
    if not draws or not is_validation_enabled() or torch.jit.is_tracing():
        return
    for name, draw in draws.items():
        if draw.requires_grad and not draw.is_leaf:  # on a parameter, hooks would pile up
            hook = partial(_check_gradient, sizes={name: 1})
            draw.register_hook(unserializable_hook(hook))
    together = torch.cat([draw.detach().reshape(-1) for draw in draws.values()])
    if not bool(torch.isfinite(together).all()):
        tell_spoilt_sites(draws)


def tell_spoilt_sites(draws: Mapping[str, Tensor]) -> None:
    """Raise, as `tell_spoilt` does, if a draw of a site has an entry that is no finite number."""
    for name, draw in draws.items():
        tell_spoilt({"draw": draw}, {name: 1})


def _check_gradient(gradient: Tensor, sizes: Mapping[str, int]) -> None:
    if bool(torch.isnan(gradient).any()):
        bad = _first(torch.isnan(gradient), gradient, sizes)
        assert bad is not None
        raise ValueError(
            f"The gradient of the loss by site '{bad[0]}' is not a number. The parameters are "
            "still those before this step. " + _REMEDY
        )


def _first(is_bad: Tensor, values: Tensor, sizes: Mapping[str, int]) -> tuple[str, float] | None:
    """The site and the value of the first bad entry."""
    width = sum(sizes.values())
    found = is_bad.detach().reshape(-1, width).nonzero()
    if not len(found):
        return None
    row, entry = found[0].tolist()
    return _owner(entry, sizes), float(values.detach().reshape(-1, width)[row, entry])


def _owner(entry: int, sizes: Mapping[str, int]) -> str:
    for name, size in sizes.items():
        if entry < size:
            return name
        entry -= size
    raise IndexError(entry)
