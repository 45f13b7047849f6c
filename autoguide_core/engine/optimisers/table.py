"""The optimizers by name, with their options: the one place to add an optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Real

from autoguide_core.engine.optimisers.adam import Adam, ClippedAdam
from autoguide_core.engine.optimisers.clipping import Clipped
from autoguide_core.engine.optimisers.rule import Optimiser
from autoguide_core.engine.optimisers.sgd import SGD


@dataclass(frozen=True)
class _Kind:
    words: str
    holds: Callable[[float], bool]


_NOT_NEGATIVE = _Kind("a number of at least 0", lambda value: 0.0 <= value < math.inf)
_POSITIVE = _Kind("a number above 0", lambda value: value > 0.0)
_DECAY_RATE = _Kind("a number of at least 0 and below 1", lambda value: 0.0 <= value < 1.0)
_SHARE = _Kind("a number between 0 and 1", lambda value: 0.0 <= value <= 1.0)
_SWITCH = _Kind("true or false", lambda value: value in (False, True))


@dataclass(frozen=True)
class _Option:
    default: float
    kind: _Kind


@dataclass(frozen=True)
class _Row:
    rule: Callable[..., Optimiser]
    options: Mapping[str, _Option]


_LR = {"lr": _Option(0.02, _NOT_NEGATIVE)}
_WEIGHT_DECAY = {"weight_decay": _Option(0.0, _NOT_NEGATIVE)}
_ADAM = {
    **_LR,
    "beta1": _Option(0.9, _DECAY_RATE),
    "beta2": _Option(0.999, _DECAY_RATE),
    "eps": _Option(1e-8, _NOT_NEGATIVE),
    **_WEIGHT_DECAY,
}
_AMSGRAD = {"amsgrad": _Option(False, _SWITCH)}

_ROWS: dict[str, _Row] = {
    "Adam": _Row(Adam, {**_ADAM, **_AMSGRAD, "decoupled_weight_decay": _Option(False, _SWITCH)}),
    "ClippedAdam": _Row(
        ClippedAdam,
        {
            **_ADAM,
            "clip_norm": _Option(10.0, _POSITIVE),
            "lrd": _Option(1.0, _POSITIVE),
            "centered_variance": _Option(False, _SWITCH),
        },
    ),
    "AdamW": _Row(
        partial(Adam, decoupled_weight_decay=True),
        {**_ADAM, "weight_decay": _Option(0.01, _NOT_NEGATIVE), **_AMSGRAD},
    ),
    "SGD": _Row(
        SGD,
        {
            **_LR,
            "momentum": _Option(0.0, _SHARE),
            "dampening": _Option(0.0, _SHARE),
            **_WEIGHT_DECAY,
            "nesterov": _Option(False, _SWITCH),
        },
    ),
}
_CLIPPING = {
    "max_grad_norm": _Option(math.inf, _POSITIVE),
    "max_grad_value": _Option(math.inf, _POSITIVE),
}
"""Taken by every optimizer; infinite is off."""

OPTIMISERS = tuple(_ROWS)


def make_optimiser(
    name: str, options: Mapping[str, float | Sequence[float]] | None = None
) -> Optimiser:
    """The update rule of an optimizer, with options named as in torch and Pyro.

    Args:
        name: One of ``OPTIMISERS``.
        options: The options that are not to have their defaults. ``betas``, a pair, stands for
            ``beta1`` and ``beta2``; ``max_grad_norm`` and ``max_grad_value`` clip the gradient
            in front of every optimizer.

    Returns:
        The rule.

    Raises:
        ValueError: For an unknown name, an option that the optimizer does not have, or a value
            that the option does not take.
    """
    if name not in _ROWS:
        raise ValueError(f"optimizer={name!r} is unknown; one of {', '.join(_ROWS)}")
    row = _ROWS[name]
    known = {**row.options, **_CLIPPING}
    values = {option: spec.default for option, spec in known.items()}
    values |= {
        option: _checked(name, option, value, known)
        for option, value in _without_pair(name, options or {}, known).items()
    }
    clipping = {option: values.pop(option) for option in _CLIPPING}
    rule = row.rule(**values)
    if all(math.isinf(bound) for bound in clipping.values()):
        return rule
    return Clipped(rule, clipping["max_grad_norm"], clipping["max_grad_value"])


def _without_pair(
    name: str, options: Mapping[str, object], known: Mapping[str, _Option]
) -> dict[str, object]:
    """Write torch's pair ``betas`` as two numbers, for those optimizers that have them."""
    if "betas" not in options or "beta1" not in known:
        return dict(options)
    single = {option: value for option, value in options.items() if option != "betas"}
    if twice := [option for option in ("beta1", "beta2") if option in single]:
        raise ValueError(f"{name}: betas and {twice[0]} set the same number; leave one of them out")
    pair = options["betas"]
    if not isinstance(pair, Sequence) or len(pair) != 2:
        raise ValueError(f"{name}: betas={pair!r} is not a pair of numbers such as (0.9, 0.999)")
    return single | {"beta1": pair[0], "beta2": pair[1]}


def _checked(name: str, option: str, value: object, known: Mapping[str, _Option]) -> float:
    """The value of an option as a plain number, if there is such an option and it takes it."""
    if option not in known:
        raise ValueError(
            f"{name} does not take the option {option!r}; its options are {', '.join(known)}"
        )
    kind = known[option].kind
    if not isinstance(value, Real) or not kind.holds(float(value)):
        raise ValueError(f"{name}: {option}={value!r} will not do; it takes {kind.words}")
    return bool(value) if kind is _SWITCH else float(value)
