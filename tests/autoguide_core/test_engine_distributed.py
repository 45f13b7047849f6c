"""Fits that several processes make together: the numbers of one, and no process left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import distributed_fits as fits
import pyro
import pytest
import torch
from torch import Tensor

from autoguide_core import AutoNormal
from autoguide_core.engine.distributed import Workers
from autoguide_core.engine.distributed.sharing import Shares, smaller_minibatches
from autoguide_core.engine.estimators import make_estimator
from autoguide_core.engine.optimisers import make_optimiser
from autoguide_core.engine.stepping.noise import NoiseSource
from autoguide_core.engine.stepping.step import Step
from autoguide_core.engine.stepping.supply import discover, seed_generators
from autoguide_core.engine.structure import inspect, parameters

ROOT = Path(__file__).parents[2]
processes = pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds workers in /proc")


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    pyro.clear_param_store()
    yield
    pyro.clear_param_store()
    torch.set_default_dtype(before)


@contextlib.contextmanager
def launched(count: int, *words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Start a script in several processes; on the way out they are gone, whatever happened."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={count}"),
            *("--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"),  # any port that is free
            *map(str, words),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            kill(process)


def kill(process: subprocess.Popen[str]) -> None:
    """Kill all: `torchrun`, and its workers, which are in sessions of their own."""
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        listing = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        for pid in (process.pid, *map(int, listing.read_text().split())):
            os.kill(pid, signal.SIGKILL)


def written(process: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for the processes to end with a code; what they have written."""
    text, _ = process.communicate(timeout=120)
    assert process.returncode == code, text
    return text


def equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name in one.keys() - {"notes"}:
        scale = float(other[name].abs().max())
        assert float((one[name] - other[name]).abs().max()) < 1e-10 * max(scale, 1.0), name


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(
    ("model", "guide", "particles"),
    [
        (fits.logistic, None, 1),
        (fits.local, None, 1),
        (fits.local, None, 4),
        (fits.scored, fits.scored_guide, 1),
        (fits.scored, fits.scored_guide, 3),
        (fits.mixture, fits.mixture_guide(), 2),
    ],
)
def test_the_mean_over_shares_is_the_gradient_of_the_whole(
    model: Any, guide: Any, particles: int, count: int
) -> None:
    arguments = (*fits.data(),)
    guide = guide or AutoNormal(model)
    structure = inspect(model, guide, arguments, {})
    estimator, _ = make_estimator(structure, model, guide, arguments, {}, particles=particles)
    leaves, rule = tuple(parameters().values()), make_optimiser("Adam", {})

    def discovered() -> Step:
        draws = discover(lambda: step.gradient(estimator.start()))
        return Step(estimator, rule, leaves, draws)

    def estimated(one: Step, noise: list[Tensor]) -> Tensor:
        given = [drawn[1] for drawn in noise]
        seed_generators(one.draws, given)
        with pyro.validation_enabled(False):
            elbo, gradient, carry = (
                one.estimate({}, given) if not start else one.estimate(start, given)
            )
        return torch.cat([elbo.reshape(1), gradient, *(v.reshape(-1) for v in carry.values())])

    step = Step(estimator, rule, leaves)
    step = discovered()
    start = {f"carry.{name}": value for name, value in estimator.start().items()}
    noise = NoiseSource(step.draws, 5).block(0, 2)
    expected = estimated(step, noise)
    shares = []
    for rank in range(count):
        workers = Workers(rank, count)
        with smaller_minibatches(workers):
            own = discovered()
            shares.append(estimated(own, Shares(step.draws, own.draws, workers).of(noise)))
    assert not torch.allclose(shares[0], shares[1])
    assert torch.allclose(torch.stack(shares).mean(0), expected, rtol=1e-11, atol=1e-9)


@processes
@pytest.mark.slow
def test_two_processes_make_the_fit_of_one(tmp_path: Path) -> None:
    with launched(2, fits.__file__, tmp_path, "together") as process:
        alone = {name: fits.record(one()) for name, one in fits.FITS.items()}
        written(process)
    found = torch.load(tmp_path / "together.pt", weights_only=True)
    for name, expected in alone.items():
        equal(found[name], expected)
        assert "2 processes shared out the minibatches" in found[name]["notes"]
    refused = found["refused"]
    assert "the model draws none; write a plate with a minibatch" in refused["whole"]
    assert "minibatch of 61 of plate 'row'" in refused["odd"]
    assert "make it 60 or 62" in refused["odd"]
    assert "no sum over the minibatch; fit in one process" in refused["no sum"]
    assert "runs over two of them" in refused["crossed"]


@processes
@pytest.mark.slow
def test_a_killed_fit_goes_on_in_another_number_of_processes(tmp_path: Path) -> None:
    path = tmp_path / "fit.pt"
    with launched(2, fits.__file__, tmp_path, "resumed") as first:
        while first.poll() is None and not path.exists():
            time.sleep(0.02)
        kill(first)
    done = torch.load(path, weights_only=True)["done"]
    assert 0 < done < fits.LONG
    with launched(3, fits.__file__, tmp_path, "resumed") as second:
        written(second)
    equal(torch.load(tmp_path / "resumed.pt", weights_only=True), fits.resumed(None))


SPEC = """\
data {
  dim obs
  y[obs] : real
}
model centre {
  mu ~ Normal(0, 10)
  plate obs minibatch 4 { y ~ Normal(mu, 1) }
}
guide {
  part all = AutoNormal(*)
}
"""
COMMAND = """\
import os, sys, threading
from compiler.cli import compile_and_fit_main
os.chdir(sys.argv.pop(1))
second, fault = os.environ["RANK"] == "1", sys.argv.pop()
if second and fault == "killed":
    threading.Timer(8.0, lambda: os.kill(os.getpid(), 9)).start()
if second and fault == "missing":
    sys.argv[sys.argv.index("--data") + 1] = "missing.json"
compile_and_fit_main()
"""


@processes
@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "steps", "told"),
    [
        ("none", 20, "saved in"),
        ("missing", 20, "missing.json does not exist"),
        ("killed", 10**7, "Signal 9 (SIGKILL)"),
    ],
)
def test_all_processes_end_together_and_one_tells(
    tmp_path: Path, fault: str, steps: int, told: str
) -> None:
    (tmp_path / "spec.ppl").write_text(SPEC)
    (tmp_path / "data.json").write_text('{"y": [1, 2, 3, 4, 5, 6, 7, 8, 9]}')
    (tmp_path / "command.py").write_text(COMMAND)
    words = ("spec.ppl", "--data", "data.json", "--steps", steps, "--out", "out", fault)
    with launched(2, tmp_path / "command.py", tmp_path, *map(str, words)) as process:
        text = written(process, 0 if fault == "none" else 1)
    assert text.count(told) == 1, text
    assert (tmp_path / "out").exists() == (fault == "none")
    if fault != "killed":  # one that is killed cannot clean up
        assert not [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]
