"""Data sets of one shape: the check that they are, and what differs between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import keystr, tree_flatten_with_path

from autoguide_core.engine.errors import FitError

DataSet = tuple[tuple[Any, ...], Mapping[str, Any]]
"""Positional and keyword arguments of model and guide."""


def differing(data: Sequence[DataSet]) -> dict[str, list[Tensor]]:
    """The tensors that differ between data sets.

    Args:
        data: The data sets.

    Returns:
        For each place where they are not all equal, its tensor in each data set; by names such as
        ``args[0]``.

    Raises:
        FitError: If there is no data set, or they differ in more than the values of tensors.
    """
    if not data:
        raise FitError("data holds no data set; give a list of pairs (args, kwargs)")
    places = [_places(number, one) for number, one in enumerate(data)]
    found: dict[str, list[Tensor]] = {}
    for number, other in enumerate(places):
        if other.keys() != places[0].keys():
            name = next(iter(other.keys() ^ places[0].keys()))
            whose = ("only there", "in data[0] only")[name in places[0]]
            raise FitError(f"data[{number}] is built otherwise than data[0]: {name} is {whose}")
        for name, value in other.items():
            _compare(number, name, places[0][name], value)
    for name, value in places[0].items():
        if isinstance(value, Tensor):
            values = [other[name] for other in places]
            if not all(value is one or torch.equal(value, one) for one in values):
                found[name] = values
    return found


def _places(number: int, data: Any) -> dict[str, Any]:
    """What a data set holds, by the place of it."""
    try:
        args, kwargs = data
        whole = {"args": tuple(args), "kwargs": dict(kwargs)}
    except (TypeError, ValueError) as error:
        raise FitError(f"data[{number}] is no pair (args, kwargs)") from error
    return {
        root + keystr(path): leaf
        for root, values in whole.items()
        for path, leaf in tree_flatten_with_path(values)[0]
    }


def _compare(number: int, name: str, first: Any, other: Any) -> None:
    """Refuse what is neither a tensor of one shape nor the same value."""
    if isinstance(first, Tensor) and isinstance(other, Tensor):
        for what, one, two in (
            ("shape", list(first.shape), list(other.shape)),
            ("dtype", first.dtype, other.dtype),
            ("device", first.device, other.device),
        ):
            if one != two:
                raise FitError(
                    f"data[{number}]: {name} has {what} {_bare(two)}, and {_bare(one)} in data[0]; "
                    "data sets that are fitted at once are of one shape"
                )
    elif type(first) is not type(other):
        raise FitError(
            f"data[{number}]: {name} is of type {type(other).__name__}, and "
            f"{type(first).__name__} in data[0]"
        )
    elif not _equal(first, other):
        raise FitError(
            f"data[{number}]: {name} is not what it is in data[0]; only tensors may differ: "
            "turn numbers and arrays into tensors"
        )


def _equal(first: Any, other: Any) -> bool:
    try:
        return first is other or bool(first == other)
    except (ValueError, RuntimeError, TypeError):  # arrays have no one answer
        return False


def _bare(value: Any) -> str:
    return str(value).removeprefix("torch.")
