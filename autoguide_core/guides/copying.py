"""What of a guide is saved, and what a deep copy shares: neither disturbs the live guide."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.distributions import Transform

# The model and what wraps it may not be possible to save, and are not the guide's own.
_MODEL = ("_model", "_bare_model", "_init_messenger", "init_loc_fn")
# The results of the latest call.
_PASSING = ("plates", "_emitted")
# Fixed once the guide is set up.
_FIXED = ("prototype_trace", "_prototype_frames", "create_plates")


def saved_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """A guide's state as it is saved: without its model, its master and its latest results."""
    cleared: dict[str, Any] = dict.fromkeys((*_MODEL, "master"))
    return {**state, **cleared, **{key: {} for key in _PASSING}}


def copied_state(guide: nn.Module, memo: dict[int, Any]) -> dict[str, Any]:
    """A guide's state for a deep copy, which shares the model and the prototype.

    Args:
        guide: The guide.
        memo: The memo of `copy.deepcopy`.
    """
    # Pyro's weak reference to the unconstrained value would still point to the original's.
    for parameter in guide.parameters():
        vars(parameter).pop("unconstrained", None)
    _detach_caches([*guide.modules()], memo)
    result: dict[str, Any] = {}
    for key, value in vars(guide).items():
        if key in _MODEL or key in _FIXED:
            result[key] = value
        elif key in _PASSING or key == "master":
            result[key] = None if key == "master" else {}
        else:
            result[key] = copy.deepcopy(value, memo)
    return result


def _detach_caches(holders: list[Any], memo: dict[int, Any]) -> None:
    """Let a deep copy take the results that transforms keep, which have a graph, without it."""
    seen: set[int] = set()
    while holders:
        holder = holders.pop()
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        for value in vars(holder).values():
            for member in value if isinstance(value, list | tuple) else (value,):
                if isinstance(member, Tensor) and not member.is_leaf:
                    memo[id(member)] = member.detach().clone()
                elif isinstance(member, Transform):
                    holders.append(member)
