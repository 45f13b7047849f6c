"""Fits that are killed and go on: the same numbers, and no checkpoint taken for another's."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch

from autoguide_core import AutoNormal, FitError, FitResult, FitSettings, fit
from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.progress import Progress
from autoguide_core.engine.stepping import choice
from autoguide_core.engine.stepping.checkpoint import Checkpoint
from autoguide_core.engine.stepping.progressed import Progressed
from autoguide_core.engine.stepping.record import read_record
from autoguide_core.engine.stepping.resume import Keeper

DATA = torch.linspace(-1.0, 3.0, 40)


def minibatched(y: torch.Tensor) -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 10.0))
    sigma = pyro.sample("sigma", dist.LogNormal(0.0, 1.0))
    with pyro.plate("data", 40, subsample_size=10) as index:
        pyro.sample("y", dist.Normal(mu, sigma), obs=y[index])


def run(path: Path | None, engine: str, steps: int = 400, **options: object) -> FitResult:
    settings = FitSettings(steps=steps, method="adam", engine=engine)
    guide = AutoNormal(minibatched)
    return fit(
        minibatched,
        guide,
        (DATA,),
        settings=settings,
        checkpoint=path,
        **options,  # type: ignore[arg-type]
    )


def equal(one: FitResult, other: FitResult) -> None:
    assert np.array_equal(one.elbo, other.elbo)
    assert one.verdict == other.verdict
    assert one.engine == other.engine
    values, others = one.parameter_values(), other.parameter_values()
    assert list(values) == list(others)
    assert all(np.array_equal(values[name], others[name]) for name in values)


def test_a_fit_that_is_killed_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    path, engine, steps = tmp_path / "fit.pt", "graph", 1500
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        f"import pathlib, {__name__} as tests\n"
        f"tests.run(pathlib.Path({str(path)!r}), {engine!r}, {steps}, checkpoint_seconds=0.0)\n"
    )
    chance, kills = random.Random(3), 0
    for _ in range(2):
        worker = subprocess.Popen(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": str(kills)}
        )
        before = path.stat().st_mtime_ns if path.exists() else 0
        while worker.poll() is None:
            time.sleep(0.01)
            if path.exists() and path.stat().st_mtime_ns != before:
                time.sleep(0.3 * chance.random())
                break
        worker.kill()
        kills += worker.wait() == -signal.SIGKILL
    assert kills == 2
    done = torch.load(path, weights_only=True)["done"]
    assert 0 < done < steps
    equal(run(path, engine, steps), run(None, engine, steps))


@pytest.mark.usefixtures("usual_signals")
def test_an_interrupt_is_written_down_and_a_finished_fit_is_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "fit.pt"

    def interrupt(progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGTERM if path.exists() else signal.SIGINT)

    done = 0
    for expected in (KeyboardInterrupt, SystemExit):
        with pytest.raises(expected):
            run(path, "eager", progress=interrupt)
        before, done = done, torch.load(path, weights_only=True)["done"]
        assert before < done < 400
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    whole = run(None, "eager")
    equal(run(path, "eager"), whole)
    seen: list[Progress] = []
    equal(run(path, "eager", progress=seen.append), whole)
    assert not seen


def test_another_fit_and_a_broken_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "fit.pt"
    run(path, "graph", 20)
    with pytest.raises(FitError, match="steps is 20 there and 30 here; remove it"):
        run(path, "graph", 30)
    settings = FitSettings(steps=20, method="adam", engine="graph")
    changed = DATA.clone()
    changed[7] += 1e-3
    with pytest.raises(FitError, match="the arguments differ"):
        fit(minibatched, AutoNormal(minibatched), (changed,), settings=settings, checkpoint=path)
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], b"not a checkpoint", b""):
        path.write_bytes(broken)
        with pytest.raises(FitError, match="cannot be read as a checkpoint"):
            run(path, "graph", 20)
    with pytest.raises(FitError, match="does not exist; make it first"):
        run(tmp_path / "missing" / "fit.pt", "graph", 20)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_ends_the_writing_leaves_the_last_record_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = tmp_path / "fit.pt"
    run(path, "graph", 20)
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else FitError
    record = Checkpoint(path, 0.0)
    with pytest.raises(expected):
        record.write(read_record(torch.load(path, weights_only=True)))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["fit.pt"]


def test_data_that_the_model_has_closed_over_tell_fits_apart(tmp_path: Path) -> None:
    def closed(centre: float, y: torch.Tensor) -> FitResult:
        def model() -> None:
            mu = pyro.sample("mu", dist.Normal(centre, 1.0))
            with pyro.plate("data", len(y)):
                pyro.sample("y", dist.Normal(mu, 1.0), obs=y)

        settings = FitSettings(steps=20, method="adam", engine="graph")
        path = tmp_path / "fit.pt"
        return fit(model, AutoNormal(model), settings=settings, checkpoint=path)

    equal(closed(0.0, DATA), closed(0.0, DATA.clone()))
    for centre, y in ((0.5, DATA), (0.0, DATA + 1.0)):
        with pytest.raises(FitError, match="the model, the guide or their data differ"):
            closed(centre, y)


def test_other_surroundings_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(*arguments: object) -> None:
        raise NativeUnavailable("there is no compiler")

    monkeypatch.setattr(choice, "start_native", no_compiler)
    path = tmp_path / "fit.pt"

    def stop(progress: Progress) -> None:
        if progress.step > 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(path, "auto", checkpoint_seconds=0.0, progress=stop)
    record = torch.load(path, weights_only=True)
    record["surroundings"]["torch"] = "0.0"
    record["engines"] = [["native", 0]]
    torch.save(record, path)
    notes = " ".join(run(path, "auto").notes)
    assert "with other torch" in notes
    assert "another engine, 'graph' instead of 'native'" in notes
    assert "not compiled: there is no compiler" in notes


def places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in nested dicts and lists but the outermost."""
    entries: Any = value.items() if isinstance(value, dict) else ()
    entries = enumerate(value) if isinstance(value, list | tuple) else entries
    for key, entry in entries:
        yield (*place, key)
        yield from places(entry, (*place, key))


def changed(value: Any, place: tuple[str | int, ...], change: Callable[[Any], Any]) -> Any:
    """A copy with what stands at a place exchanged, or left out where that is `GONE`."""
    if not place:
        return change(value)
    key, *rest = place
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    copied = {k: changed(v, tuple(rest), change) if k == key else v for k, v in pairs}
    kept = {k: v for k, v in copied.items() if v is not GONE}
    return kept if isinstance(value, dict) else type(value)(kept.values())


GONE = object()
CHANGES: dict[str, Callable[[Any], Any]] = {
    "is gone": lambda old: GONE,
    "is null": lambda old: None if old is not None else 3,
    "is of another type": lambda old: {"x": [1]} if not isinstance(old, dict) else 3,
    "is NaN": lambda old: old * math.nan if isinstance(old, torch.Tensor) else math.nan,
    "is too long": lambda old: (
        torch.ones(77) if isinstance(old, torch.Tensor) else -1 if isinstance(old, int) else 10**9
    ),
    "is sparse": lambda old: (
        old.to_sparse() if isinstance(old, torch.Tensor) and old.ndim else torch.ones(2).to_sparse()
    ),
    "is of another form": lambda old: (
        old.half() if isinstance(old, torch.Tensor) else torch.ones(2)
    ),
}


def test_a_checkpoint_with_any_field_damaged_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "fit.pt"
    run(path, "eager", 30)
    whole = torch.load(path, weights_only=True)
    met: list[Progressed] = []
    take_up = Keeper.take_up

    def remembered(keeper: Keeper, progressed: Progressed) -> str | None:
        met.append(progressed)
        return take_up(keeper, progressed)

    monkeypatch.setattr(Keeper, "take_up", remembered)
    os.rename(path, tmp_path / "kept.pt")
    run(path, "eager", 30)
    begun, file = met[0], Checkpoint(path, 0.0)
    begun.done = 0
    assert file.read(whole["fingerprint"], begun) is not None
    taken = set()
    for place in places(whole):
        for name, change in CHANGES.items():
            torch.save(changed(whole, place, change), path)
            with suppress(FitError):
                file.read(whole["fingerprint"], begun)
                taken.add((*place, name))
    # What a machine may lack, and numbers that nobody can tell to be wrong.
    assert taken == {
        *(("surroundings", name, "is gone") for name in whole["surroundings"]),
        *(("drift", name, "is too long") for name in ("path", "ratio")),
    }
    torch.save({**whole, "elbo": torch.nn.Parameter(whole["elbo"])}, path)
    plain = file.read(whole["fingerprint"], begun)
    assert plain is not None
    assert not plain.elbo.requires_grad
    for content in ([1, 2], torch.ones(3), "abc", 3, {}, {"fingerprint": None, "format": 1}):
        torch.save(content, path)
        with pytest.raises(FitError, match="damaged"):
            file.read(whole["fingerprint"], begun)


def test_what_is_no_file_is_no_checkpoint(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pt")
    for path in (tmp_path / "pipe.pt", tmp_path, Path("/dev/full")):
        with pytest.raises(FitError, match="is not a file; name another one"):
            run(path, "eager", 30)
