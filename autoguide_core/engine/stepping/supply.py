"""Giving a model and its guide their random numbers from outside.

Two handlers stand around a run: one meets torch's random operations, the other the minibatches
of Pyro's plates. Both ask one source, in the order of the run. A first run *discovers* what is
drawn; later runs are *supplied* with it. So a traced step takes its noise as arguments, and steps
made one by one by Python are the same, number for number.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import pyro
import torch
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Generator, Tensor
from torch.utils._python_dispatch import _disable_current_modes

from autoguide_core.engine.estimators import Untraceable
from autoguide_core.engine.isolation import python_generators
from autoguide_core.engine.stepping.draws import SEED, Draw
from autoguide_core.engine.stepping.random_operations import from_plain_noise
from autoguide_core.engine.tracing.modes import OperationMode


def discover(run: Callable[[], object], seed: int = 0) -> tuple[Draw, ...]:
    """List what one run draws, in its order.

    Operations whose distribution hangs on a parameter in a way that no plain noise can stand in
    for (Gamma, Dirichlet, Poisson, binomial draws) stay as they are and use torch's own
    generator, and so does what draws from the generators of ``random`` and numpy. Then the last
    draw is ``SEED``: a number that all of them are seeded with before the step, so that these
    draws, too, depend on the seed and the step only.

    Args:
        run: Runs guide and model once.
        seed: Seed of the numbers that this one run gets.
    """
    source, before = _Discovery(seed), python_generators()
    with _Minibatches(source), _RandomOperations(source):
        run()
    has_others = source.has_others or python_generators() != before
    return (*source.draws, SEED) if has_others else tuple(source.draws)


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


def of_step(noise: Sequence[Tensor], step: int) -> list[Tensor]:
    """The draws of one step of a block, each in memory of its own.

    In a block a draw lies at any address, and torch's products of matrices get other last digits
    where their operands begin elsewhere relative to the processor's registers.
    """
    return [drawn[step].clone() for drawn in noise]


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

    def operate(self, func: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **keywords)
        result = from_plain_noise(self._source.take, func, args, keywords)
        if result is None:
            self._source.other()
            return func(*args, **keywords)
        return result
