"""Torch's random operations, each written in terms of plain noise that is given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from autoguide_core.engine.stepping.draws import Draw

_aten = torch.ops.aten

Take = Callable[[Draw], Tensor]
"""Gives the tensor of a draw."""


def from_plain_noise(
    take: Take, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """What a random operation gives, made of plain noise.

    Args:
        take: Where the noise comes from.
        func: The operation.
        args: Its positional arguments.
        kwargs: Its keyword arguments.

    Returns:
        Its result, or None where it must use a generator of torch: it is not in the table below,
        or brings its own.
    """
    call, formula = _Call(take, func, args, kwargs), _FORMULAE.get(func)
    return None if formula is None or call["generator"] is not None else formula(call)


class _Call:
    """The call of a random operation: its arguments by name, and where its numbers come from."""

    def __init__(
        self, take: Take, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        self._take = take
        formal = func._schema.arguments
        # The schema writes a default dtype as a number, so it is left out.
        self._arguments = {a.name: a.default_value for a in formal if a.name != "dtype"}
        self._arguments |= {a.name: value for a, value in zip(formal, args, strict=False)}
        self._arguments |= kwargs

    def __getitem__(self, name: str) -> Any:
        return self._arguments.get(name)

    def take(self, kind: str, size: int = 0) -> Tensor:
        """Noise for a function that makes a new tensor, like ``self`` or of a given shape."""
        like = self["self"]
        shape = like.shape if like is not None else self["size"]
        usual = like.dtype if like is not None else torch.get_default_dtype()
        device = self["device"] or (like.device if like is not None else None)
        return self.noise(kind, shape, self["dtype"] or usual, device, size)

    def noise(
        self, kind: str, shape: Sequence[int], dtype: torch.dtype, device: Any, size: int = 0
    ) -> Tensor:
        """Noise of a given shape."""
        drawn = self._take(Draw(kind, tuple(shape), dtype, size))
        return drawn if device is None else drawn.to(device)


def _normal(call: _Call) -> Tensor:
    """Of locations and scales, either of which may be a number."""
    mean, std = call["mean"], call["std"]
    tensors = [value for value in (mean, std) if isinstance(value, Tensor)]
    if not tensors:
        return mean + std * call.take("normal")
    shape = torch.broadcast_shapes(*(value.shape for value in tensors))
    return mean + std * call.noise("normal", shape, tensors[0].dtype, tensors[0].device)


def _bernoulli(call: _Call) -> Tensor:
    outcome: Tensor = call.take("uniform") < (call["self"] if call["p"] is None else call["p"])
    return outcome.to(call["self"].dtype)


def _multinomial(call: _Call) -> Tensor | None:
    """Indices by the inverse of the cumulative distribution; None where repeats are forbidden."""
    weights, count = call["self"], call["num_samples"]
    if count > 1 and not call["replacement"]:
        return None
    below = weights.cumsum(-1)
    total = below[..., -1:]
    uniform = call.noise("uniform", (*weights.shape[:-1], count), weights.dtype, weights.device)
    # Rounding must not lead past the last outcome that is possible.
    least = total * (1.0 - torch.finfo(weights.dtype).eps)
    level = torch.minimum(uniform * total, least)
    return (below.unsqueeze(-2) <= level.unsqueeze(-1)).sum(-1)


def _integers(call: _Call) -> Tensor:
    low = call["low"] or 0
    if call["self"] is None and call["dtype"] is None:
        return low + call.noise(
            "integers", call["size"], torch.int64, call["device"], call["high"] - low
        )
    return low + call.take("integers", call["high"] - low)


def _permutation(call: _Call) -> Tensor:
    count = call["n"]
    return call.noise("minibatch", (count,), call["dtype"] or torch.int64, call["device"], count)


def _in_place(values: Callable[[_Call], Tensor]) -> Callable[[_Call], Tensor]:
    """The formula of an operation that fills ``self``."""
    return lambda call: call["self"].copy_(values(call))


def _tangent(call: _Call) -> Tensor:
    uniform = call.take("uniform")
    return call["median"] + call["sigma"] * (math.pi * (uniform - 0.5)).tan()


def _scaled_normal(call: _Call) -> Tensor:
    drawn = call.take("normal")
    return drawn if (call["mean"], call["std"]) == (0, 1) else call["mean"] + call["std"] * drawn


def _stretched_uniform(call: _Call) -> Tensor:
    drawn, start, end = call.take("uniform"), call["from"], call["to"]
    return drawn if (start, end) == (0, 1) else start + (end - start) * drawn


def _coin(call: _Call) -> Tensor:
    shape, dtype = call["self"].shape, torch.get_default_dtype()
    uniform = call.noise("uniform", shape, dtype, call["self"].device)
    outcome: Tensor = uniform < call["p"]
    return outcome


_FORMULAE: dict[Any, Callable[[_Call], Tensor | None]] = {
    _aten.randn.default: lambda call: call.take("normal"),
    _aten.randn_like.default: lambda call: call.take("normal"),
    _aten.rand.default: lambda call: call.take("uniform"),
    _aten.rand_like.default: lambda call: call.take("uniform"),
    _aten.randint.default: _integers,
    _aten.randint.low: _integers,
    _aten.randint_like.default: _integers,
    _aten.randint_like.low_dtype: _integers,
    _aten.randperm.default: _permutation,
    _aten.normal.Tensor_Tensor: _normal,
    _aten.normal.Tensor_float: _normal,
    _aten.normal.float_Tensor: _normal,
    _aten.normal.float_float: _normal,
    _aten.normal_.default: _in_place(_scaled_normal),
    _aten.log_normal_.default: _in_place(lambda call: _scaled_normal(call).exp()),
    _aten.uniform_.default: _in_place(_stretched_uniform),
    _aten.exponential_.default: _in_place(lambda call: call.take("exponential") / call["lambd"]),
    _aten.cauchy_.default: _in_place(_tangent),
    _aten.bernoulli.default: _bernoulli,
    _aten.bernoulli.p: _bernoulli,
    _aten.bernoulli_.float: _in_place(_coin),
    _aten.bernoulli_.Tensor: _in_place(_coin),
    _aten.multinomial.default: _multinomial,
}
"""What an operation gives, written in terms of plain noise. Operations not here use torch's own
generator."""
