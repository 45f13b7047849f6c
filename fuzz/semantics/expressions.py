"""Random expressions, each as text of the language and as a function of numpy arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import numpy as np
import scipy.special as sp

Values = Mapping[str, Any]
"""What each name stands for: numbers and arrays."""

Function = Callable[[Values], Any]


@dataclass(frozen=True)
class Expression:
    """An expression.

    Attributes:
        text: What a spec has.
        value: What it means, from the values of all names.
    """

    text: str
    value: Function


def named(name: str) -> Expression:
    """Return the expression that is a name."""
    return Expression(name, lambda values: values[name])


def number(random: Random) -> Expression:
    """Return a number."""
    value = random.choice([0.0, 1.0, -1.0, 0.5, 2.0, -0.25, 3.0, 1e-3, 10.0, 0.1])
    return Expression(f"{value:g}" if value >= 0 else f"({value:g})", lambda _: np.float64(value))


def _softplus(x: Any) -> Any:
    return np.logaddexp(0, x)


def _power(power: float, x: Any) -> Any:
    return (1 + np.abs(x)) ** power


UNARY: dict[str, Callable[[Any], Any]] = {
    "tanh({})": np.tanh,
    "sin({})": np.sin,
    "cos({})": np.cos,
    "sigmoid({})": sp.expit,
    "softplus({})": _softplus,
    "atan({})": np.arctan,
    "square({})": np.square,
    "abs({})": np.abs,
    "erf({})": sp.erf,
    "erfc({})": sp.erfc,
    "relu({})": lambda x: np.maximum(x, 0),
    "normal_cdf({})": sp.ndtr,
    "log_normal_cdf({})": sp.log_ndtr,
    "log_sigmoid({})": lambda x: -np.logaddexp(0, -x),
    "asinh({})": np.arcsinh,
    "inv_cloglog({})": lambda x: -np.expm1(-np.exp(x)),
    "sign({})": np.sign,
    "floor({})": np.floor,
    "exp(tanh({}))": lambda x: np.exp(np.tanh(x)),
    "log1p(abs({}))": lambda x: np.log1p(np.abs(x)),
    "sqrt(1 + abs({}))": lambda x: np.sqrt(1 + np.abs(x)),
    "lgamma(0.5 + softplus({}))": lambda x: sp.gammaln(0.5 + _softplus(x)),
    "log(0.1 + softplus({}))": lambda x: np.log(0.1 + _softplus(x)),
    "digamma(0.5 + softplus({}))": lambda x: sp.digamma(0.5 + _softplus(x)),
    "(-{})": np.negative,
    "expm1(tanh({}))": lambda x: np.expm1(np.tanh(x)),
    "logit(0.01 + 0.98 * sigmoid({}))": lambda x: sp.logit(0.01 + 0.98 * sp.expit(x)),
    "log1m_exp(-0.01 - abs({}))": lambda x: np.log(-np.expm1(-0.01 - np.abs(x))),
    "2 ** tanh({})": lambda x: 2.0 ** np.tanh(x),
    "clip({}, -1.5, 1.25)": lambda x: np.clip(x, -1.5, 1.25),
    **{f"(1 + abs({{}})) ** ({power})": partial(_power, power) for power in (2, 3, 0.5, -1, 1.5)},
}
"""Functions of one value, of moderate size for any argument."""

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "({} + {})": np.add,
    "({} - {})": np.subtract,
    "({} * {})": np.multiply,
    "({} / (1 + abs({})))": lambda x, y: x / (1 + np.abs(y)),
    "(if {0} > {1} then {0} * 2 else {1} + 1)": lambda x, y: np.where(x > y, x * 2, y + 1),
    "(if {0} > 0.2 and not ({1} > 0.3) then {0} else tanh({1}))": lambda x, y: np.where(
        (x > 0.2) & ~(y > 0.3), x, np.tanh(y)
    ),
    "maximum({}, {} + 0.1)": lambda x, y: np.maximum(x, y + 0.1),
    "minimum({} - 0.2, {})": lambda x, y: np.minimum(x - 0.2, y),
    "logaddexp({}, {})": np.logaddexp,
    "atan2({}, 1 + abs({}))": lambda x, y: np.arctan2(x, 1 + np.abs(y)),
}

REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "sum({})": np.sum,
    "mean({})": np.mean,
    "max({})": np.max,
    "logsumexp({})": sp.logsumexp,
}

ALONG: dict[str, Callable[[Any], Any]] = {
    "cumsum({})": np.cumsum,
    "softmax({})": sp.softmax,
    "sort({})": np.sort,
    "reverse({})": lambda x: x[::-1],
    "log_softmax({})": sp.log_softmax,
}


def unary(x: Expression, random: Random) -> Expression:
    """Return a function of an expression, entry by entry."""
    return applied(*random.choice(list(UNARY.items())), x)


def binary(x: Expression, y: Expression, random: Random) -> Expression:
    """Return an operation of two expressions, entry by entry."""
    common = random.random() < 0.5
    template, function = random.choice(list(BINARY.items())[: 3 if common else None])
    text = template.format(x.text, y.text)
    return Expression(text, lambda values: function(x.value(values), y.value(values)))


def applied(template: str, function: Callable[[Any], Any], x: Expression) -> Expression:
    """Return a function of an expression, from its text and its meaning."""
    return Expression(template.format(x.text), lambda values: function(x.value(values)))
