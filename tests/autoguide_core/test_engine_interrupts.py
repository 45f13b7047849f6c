"""Signals at any moment of a fit: they always end it, and nothing of it stays behind."""

from __future__ import annotations

import ctypes
import gc
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from native_harness import ROW, compiled

from autoguide_core import AutoMultivariateNormal, AutoNormal, FitResult, FitSettings, fit
from autoguide_core.engine.interrupts import Interrupts

SIGNALS = (signal.SIGINT, signal.SIGTERM)
WATCHED = (
    *(f"engine/{name}.py" for name in ("fit", "interrupts", "isolation", "progress", "threads")),
    *(f"stepping/{name}.py" for name in ("checkpoint", "loop", "method", "parameters", "resume")),
    "contextlib.py",
)
"""Where signals are sent: every line of what sets surroundings up, steps, and takes them down."""


class TerminatedError(Exception):
    """What the handler of SIGTERM in these tests raises."""


def terminate(number: int, frame: FrameType | None) -> None:
    raise TerminatedError


@pytest.fixture(autouse=True)
def handlers(usual_signals: None) -> None:
    signal.signal(signal.SIGTERM, terminate)


@pytest.fixture(autouse=True)
def checks() -> Iterator[None]:
    """Checks of values are on afterwards as they were before, whatever was interrupted."""
    before = dist.is_validation_enabled()
    yield
    gc.collect()
    assert dist.is_validation_enabled() == before
    with pytest.raises(ValueError, match="within the support"):
        dist.HalfNormal(1.0, validate_args=True).log_prob(torch.tensor(-1.0))


def model() -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    pyro.sample("y", dist.Normal(mu, 1.0), obs=torch.tensor(0.5))


def stepped(path: Path | None, steps: int = 10, **options: Any) -> FitResult:
    settings = FitSettings(steps=steps, method="adam", engine="eager")
    return fit(model, AutoNormal(model), settings=settings, checkpoint=path, **options)


def at_line(number: int, act: Callable[[], None]) -> tuple[Any, list[int]]:
    """A function for ``sys.settrace`` that acts at a line of the engine, and a count of lines."""
    count = [0]

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.endswith(WATCHED):
            return None
        if event in ("call", "line"):
            count[0] += 1
            if count[0] == number:
                act()
        return trace

    return trace, count


def traced(work: Callable[[], object], number: int, act: Callable[[], None]) -> int:
    """Run, act at a line; returns how many lines were run."""
    trace, count = at_line(number, act)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count[0]


def surroundings() -> tuple[Any, ...]:
    """What a fit must leave as it was."""
    held = [signal.getsignal(number) for number in SIGNALS]
    return (*held, sorted(pyro.get_param_store().keys()), torch.get_rng_state().tolist())


@pytest.mark.parametrize(("keep", "often", "seed"), [(False, 10, 1), (True, 25, 2)])
def test_a_signal_at_any_line_ends_the_fit(
    keep: bool, often: int, seed: int, tmp_path: Path
) -> None:
    path = tmp_path / "fit.pt" if keep else None
    for _ in range(2):  # the first has more to do
        (tmp_path / "fit.pt").unlink(missing_ok=True)
        lines = traced(lambda: stepped(path), -1, lambda: None)
    chance = random.Random(seed)
    last = chance.sample(range(lines - 150, lines - 5), often)
    for number in (*chance.sample(range(1, lines - 5), often), *last):
        (tmp_path / "fit.pt").unlink(missing_ok=True)
        before, which = surroundings(), SIGNALS[number % 2]
        sent: list[int] = []

        def send(which: int = which, sent: list[int] = sent) -> None:
            sent.append(which)
            signal.raise_signal(which)

        try:
            traced(lambda: stepped(path), number, send)
            came = 0
        except (KeyboardInterrupt, TerminatedError) as error:
            came = signal.SIGINT if isinstance(error, KeyboardInterrupt) else signal.SIGTERM
        # How many lines there are hangs on how often progress is reported.
        assert came == (which if sent else 0), number
        assert surroundings() == before, number


def in_a_destructor() -> None:
    class Dying:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    model()
    Dying()


def in_a_callback_from_c() -> None:
    model()
    ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("lost", [in_a_destructor, in_a_callback_from_c])
@pytest.mark.parametrize("family", [AutoNormal, AutoMultivariateNormal])
def test_what_python_swallows_is_raised_after_all(lost: Callable[[], None], family: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(lost, family(lost), settings=FitSettings(steps=5))


def test_a_signal_within_compiled_code_arrives() -> None:
    def step(
        x: torch.Tensor, y: torch.Tensor, row: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        # Most of the time passes in C++, which then calls Python for what is left to torch.
        return torch.linalg.inv(x), y.exp().log1p().sin(), row[0]

    state = {"x": torch.eye(2), "y": torch.linspace(0.0, 1.0, 50_000)}
    steps = compiled(step, {name: value.double() for name, value in state.items()})
    assert steps.foreign
    chance = random.Random(3)
    for _ in range(5):
        sender = threading.Timer(chance.uniform(0.0, 0.02), signal.raise_signal, (signal.SIGINT,))
        sender.start()
        with pytest.raises(KeyboardInterrupt):
            steps.run(rows=ROW.expand(200, -1))
        sender.join()


def within(interrupts: Interrupts, *signals: int) -> None:
    with interrupts:
        for number in signals:
            signal.raise_signal(number)
        assert interrupts.came
        if len(signals) > 1:
            raise AssertionError("the second signal acts at once")


def test_signals_are_held_and_then_act() -> None:
    with pytest.raises(KeyboardInterrupt):
        within(Interrupts(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        within(Interrupts(), signal.SIGTERM, signal.SIGINT)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with pytest.raises(SystemExit) as left:
        within(Interrupts(including_default=True), signal.SIGTERM)
    assert left.value.code == 128 + signal.SIGTERM


def test_other_handlers_keep_their_say() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        assert not interrupts.came
    seen: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    with Interrupts() as interrupts:
        for count in range(3):
            signal.raise_signal(signal.SIGINT)
            assert len(seen) == count
            interrupts.act()
