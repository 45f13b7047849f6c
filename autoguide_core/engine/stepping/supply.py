"""Giving a model and its guide their random numbers from outside.

Two handlers stand around a run: one meets torch's random operations, the other the minibatches
of Pyro's plates. Both ask one source, in the order of the run. A first run *discovers* what is
drawn; later runs are *supplied* with it. So a traced step takes its noise as arguments, and steps
made one by one by Python are the same, number for number.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import pyro
import torch
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Generator, Tensor
from torch.utils._python_dispatch import _disable_current_modes

from autoguide_core.engine.estimators import Untraceable
from autoguide_core.engine.stepping.draws import SEED, Draw
from autoguide_core.engine.tracing.modes import OperationMode

_aten = torch.ops.aten


def discover(run: Callable[[], object], seed: int = 0) -> tuple[Draw, ...]:
    """List what one run draws, in its order.

    Operations whose distribution hangs on a parameter in a way that no plain noise can stand in
    for (Gamma, Dirichlet, Poisson, binomial draws) stay as they are and use torch's own
    generator. Then the last draw is ``SEED``: a number that the generator is seeded with before
    the step, so that they, too, depend on the seed and the step only.

    Args:
        run: Runs guide and model once.
        seed: Seed of the numbers that this one run gets.
    """
    source = _Discovery(seed)
    with _Minibatches(source), _RandomOperations(source):
        run()
    return (*source.draws, SEED) if source.has_others else tuple(source.draws)


@contextlib.contextmanager
def supplied(
    draws: Sequence[Draw], given: Sequence[Tensor], *, in_part: bool = False
) -> Iterator[None]:
    """Supply a run with the draws of one step.

    Args:
        draws: What the run was discovered to draw.
        given: A tensor of that shape and dtype for each.
        in_part: Whether the run may stop before it has drawn all.

    Raises:
        Untraceable: If the run draws anything else, or less.
    """
    source = _Supply(draws, given)
    with _Minibatches(source), _RandomOperations(source):
        yield
    if not in_part:
        source.finish()


def seed_generators(draws: Sequence[Draw], given: Sequence[Tensor]) -> None:
    """Seed the generators of torch, numpy and Python for one step, where a step uses them."""
    if draws and draws[-1] == SEED:
        pyro.set_rng_seed(int(given[-1]))


class _Source(Protocol):
    """Where the handlers get their numbers."""

    def take(self, draw: Draw) -> Tensor:
        """A tensor of the draw's shape and dtype."""
        ...

    def other(self) -> None:
        """Takes note of an operation that draws from torch's own generator."""
        ...


class _Discovery:
    """Makes numbers on the spot, and lists what was asked for."""

    def __init__(self, seed: int) -> None:
        self.draws: list[Draw] = []
        self.has_others = False
        self._generator = Generator().manual_seed(seed)

    def take(self, draw: Draw) -> Tensor:
        self.draws.append(draw)
        with _disable_current_modes():  # what the run draws, not what this draws, is listed
            return draw.sample(1, self._generator)[0]

    def other(self) -> None:
        self.has_others = True


class _Supply:
    """Hands out what is given, and sees that it is what is asked for."""

    def __init__(self, draws: Sequence[Draw], given: Sequence[Tensor]) -> None:
        self._rest = list(zip(draws, given, strict=True))[::-1]
        self._has_others = bool(draws) and draws[-1] == SEED
        if self._has_others:
            del self._rest[0]

    def take(self, draw: Draw) -> Tensor:
        if not self._rest or self._rest[-1][0] != draw:
            raise Untraceable("what the model draws changes from run to run")
        return self._rest.pop()[1]

    def other(self) -> None:
        if not self._has_others:
            raise Untraceable("what the model draws changes from run to run")

    def finish(self) -> None:
        if self._rest:
            raise Untraceable("what the model draws changes from run to run")


class _Minibatches(Messenger):
    """Gives plates their minibatches, without a permutation of all indices."""

    def __init__(self, source: _Source) -> None:
        super().__init__()
        self._source = source

    def _pyro_sample(self, msg: Any) -> None:
        if not site_is_subsample(msg) or msg["done"] or msg["value"] is not None:
            return  # a plate of the model takes the indices of the guide's plate by its name
        size, count = msg["fn"].size, msg["fn"].subsample_size
        if count is not None and 0 < count < size:
            drawn = self._source.take(Draw("minibatch", (count,), torch.int64, size))
            msg["value"] = drawn.to(msg["fn"].device)


class _RandomOperations(OperationMode):
    """Puts given numbers in the place of torch's random operations."""

    def __init__(self, source: _Source) -> None:
        super().__init__()
        self._source = source

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: to be kept out of torch's compiler would import it first, for a second."""
        return False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        keywords = kwargs or {}
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **keywords)
        call = _Call(self._source, func, args, keywords)
        formula = _FORMULAE.get(func)
        if formula is not None and call["generator"] is None:
            result = formula(call)
            if result is not None:
                return result
        self._source.other()
        return func(*args, **keywords)


class _Call:
    """The call of a random operation: its arguments by name, and the source of its numbers."""

    def __init__(
        self, source: _Source, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        self._source = source
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
        drawn = self._source.take(Draw(kind, tuple(shape), dtype, size))
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
