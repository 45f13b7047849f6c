"""Steps recorded for a GPU: what can be told without one, and their numbers where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from torch import Tensor

from autoguide_core import AutoMultivariateNormal, AutoNormal, FitSettings, fit
from autoguide_core.engine.estimators import make_estimator
from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.optimisers import Averaged, make_optimiser, rates
from autoguide_core.engine.stepping import choice, cuda
from autoguide_core.engine.stepping.choice import Choice
from autoguide_core.engine.stepping.cuda import CudaGraphRunner
from autoguide_core.engine.stepping.graph import GraphRunner
from autoguide_core.engine.stepping.noise import NoiseSource
from autoguide_core.engine.stepping.parameters import packed
from autoguide_core.engine.stepping.step import Step, copied, restore
from autoguide_core.engine.stepping.step_graph import StepGraph, trace_step
from autoguide_core.engine.stepping.supply import discover
from autoguide_core.engine.structure import inspect, parameters

STEPS = 200
ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of CUDA")


def schools() -> None:
    y = torch.tensor([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    sigma = torch.tensor([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
    mu = pyro.sample("mu", dist.Normal(torch.tensor(0.0), 5.0))
    tau = pyro.sample("tau", dist.HalfCauchy(torch.tensor(5.0)))
    with pyro.plate("schools", 8):
        theta = pyro.sample("theta", dist.Normal(mu, tau))
        pyro.sample("y", dist.Normal(theta, sigma), obs=y)


def _regression(rows: int) -> tuple[Tensor, Tensor]:
    grid = torch.linspace(-1.0, 1.0, rows)
    design = torch.stack([torch.ones_like(grid), grid, (7 * grid).sin()], dim=1)
    return design, (grid + (5 * grid).cos() > 0.3).to(grid)


def logistic() -> None:
    design, seen = _regression(100)
    beta = pyro.sample("beta", dist.Normal(torch.zeros(3), 2.0).to_event(1))
    with pyro.plate("rows", 100):
        pyro.sample("y", dist.Bernoulli(logits=design @ beta), obs=seen)


def minibatches() -> None:
    design, seen = _regression(100)
    beta = pyro.sample("beta", dist.Normal(torch.zeros(3), 2.0).to_event(1))
    with pyro.plate("rows", 100, subsample_size=8, device=str(design.device)) as index:
        pyro.sample("y", dist.Bernoulli(logits=design[index] @ beta), obs=seen[index])


def gamma_draws() -> None:
    rate = pyro.sample("rate", dist.Gamma(torch.tensor(2.0), 1.0))
    pyro.sample("y", dist.Poisson(rate), obs=torch.tensor(3.0))


def gamma_guide() -> None:
    shape = pyro.param("shape", torch.tensor(2.0), constraint=dist.constraints.positive)
    pyro.sample("rate", dist.Gamma(shape, 1.0))


def waits_for_the_gpu() -> None:
    mu = pyro.sample("mu", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    matrix = torch.eye(2) + mu.unsqueeze(-1) * mu
    pyro.factor("fit", -torch.linalg.eigvalsh(matrix).sum())


MODELS: dict[str, tuple[Callable[[], None], Callable[[Any], Any]]] = {
    "eight schools": (schools, AutoNormal),
    "logistic": (logistic, AutoMultivariateNormal),
    "minibatches": (minibatches, AutoNormal),
}


@contextmanager
def stepping(
    model: Callable[[], None], guide: Any, dtype: torch.dtype, device: str
) -> Iterator[tuple[Step, dict[str, Tensor], Tensor]]:
    """A step, its first state, and the rows of all steps."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            structure = inspect(model, guide, (), {})
            estimator, _ = make_estimator(structure, model, guide, (), {}, particles=1)
            rule = Averaged(make_optimiser("Adam"), STEPS)
            leaves = tuple(parameters().values())
            with pyro.validation_enabled(False), packed(leaves) as theta:
                step = Step(estimator, rule, leaves)
                step = replace(step, draws=discover(lambda: step.gradient(estimator.start())))
                numbers = torch.arange(1, STEPS + 1, device="cpu")
                rows = rule.rows(numbers, rates("cosine", rule.lr, numbers, STEPS)).to(theta)
                yield step, step.start(theta), rows
    finally:
        torch.set_default_dtype(default)


def in_blocks(
    runner: Any, source: NoiseSource, state: dict[str, Tensor], rows: Tensor, sizes: list[int]
) -> Tensor:
    """The ELBOs of steps that are made in blocks of some sizes."""
    elbo, first = [], 0
    for size in sizes:
        block = slice(first, first + size)
        elbo.append(runner.run(state, source.block(first, size), rows[block]))
        first += size
    return torch.cat(elbo)


def check_parity(
    name: str, dtype: torch.dtype, device: str, sizes: list[int], **options: Any
) -> None:
    """Compare with the graph runner, whose steps are all made in one block."""
    model, family = MODELS[name]
    exact = dtype == torch.float64
    with stepping(model, family(model), dtype, device) as (step, state, rows):
        graph, start = trace_step(step, state, rows[0]), copied(state)
        source = NoiseSource(step.draws, 7, device)
        expected_elbo = GraphRunner(graph).run(
            state, source.block(0, sum(sizes)), rows[: sum(sizes)]
        )
        expected = copied(state)
        restore(state, start)
        runner = CudaGraphRunner(graph, state, rows[0], **options)
        assert all(torch.equal(state[name], value) for name, value in start.items())
        places = {name: value.data_ptr() for name, value in state.items()}
        elbo = in_blocks(runner, source, state, rows, sizes)
        tolerance = {"rtol": 1e-9, "atol": 1e-9} if exact else {"rtol": 1e-2, "atol": 1e-2}
        torch.testing.assert_close(elbo, expected_elbo, **tolerance)
        for key, value in expected.items():
            torch.testing.assert_close(state[key], value, **tolerance)
        assert {name: value.data_ptr() for name, value in state.items()} == places
        assert not torch.equal(start["theta"], state["theta"])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("sizes", [[70, 1, 31, 32, 33], [5]])
def test_blocks_of_any_size_are_the_same_steps(name: str, sizes: list[int]) -> None:
    recorded = []

    def once_more(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
        work()  # as a warm-up does
        recorded.append(device)
        return work

    check_parity(name, torch.float64, "cpu", sizes, record=once_more)
    assert recorded == [torch.device("cpu")] * 2  # nothing is recorded on the way


def test_long_recordings_make_most_of_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "_STEPS_IN_A_ROW", 10)
    replayed = []

    def counting(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
        place = len(replayed)
        replayed.append(0)

        def again() -> None:
            replayed[place] += 1
            work()

        return again

    check_parity("eight schools", torch.float64, "cpu", [43, 7, 10], record=counting)
    assert replayed == [5, 10]


def test_without_a_gpu_there_are_no_recordings_and_draws_must_be_plain_noise() -> None:
    with stepping(gamma_draws, gamma_guide, torch.float64, "cpu") as (step, state, rows):
        graph = trace_step(step, state, rows[0])
        with pytest.raises(NativeUnavailable, match="torch's own generator"):
            CudaGraphRunner(graph, state, rows[0], record=lambda work, device: work)
        with pytest.raises(NativeUnavailable, match="not on a GPU"):
            Choice(step, state, rows[0], "guide").replayed()


@pytest.mark.parametrize("trouble", [None, "waits"])
def test_a_fit_on_a_gpu_takes_recorded_steps_and_else_the_graph(
    monkeypatch: pytest.MonkeyPatch, trouble: str | None
) -> None:
    def record(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
        if trouble:
            raise NativeUnavailable(f"it cannot be a CUDA graph: {trouble}")
        return work

    def runner(graph: StepGraph, state: dict[str, Tensor], row: Tensor) -> CudaGraphRunner:
        return CudaGraphRunner(graph, state, row, record=record)

    settings = FitSettings(steps=400, method="adam", seed=2)
    usual = fit(schools, AutoNormal(schools), settings=replace(settings, engine="graph"))
    monkeypatch.setattr(choice, "CudaGraphRunner", runner)
    monkeypatch.setattr(Choice, "is_on_gpu", True)
    found = fit(schools, AutoNormal(schools), settings=settings)
    assert found.engine == ("graph" if trouble else "cuda")
    notes = (
        ["stepped by the graph, not compiled: it cannot be a CUDA graph: waits"] if trouble else []
    )
    assert list(found.notes) == notes
    assert found.elbo.tolist() == pytest.approx(usual.elbo.tolist())


@ON_GPU
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", MODELS)
def test_a_gpu_makes_the_steps_of_the_graph(name: str, dtype: torch.dtype) -> None:
    check_parity(name, dtype, "cuda", [4, 32, 7, 1, 90, 66])


@ON_GPU
def test_a_gpu_that_is_waited_for_is_told_and_does_no_harm() -> None:
    settings = FitSettings(steps=400, method="adam")
    with torch.device("cuda"):
        found = fit(waits_for_the_gpu, AutoNormal(waits_for_the_gpu), settings=settings)
        assert found.engine == "graph"
        assert any("cannot be a CUDA graph" in note for note in found.notes)
        assert torch.cuda.get_sync_debug_mode() == 0
        assert torch.randn(3).isfinite().all()  # torch's own generator draws on
        again = fit(schools, AutoNormal(schools), settings=replace(settings, engine="cuda"))
    assert again.engine == "cuda"
    assert not again.notes


@ON_GPU
def test_a_fit_on_a_gpu_repeats_and_finds_the_posterior() -> None:
    settings = FitSettings(steps=3000, method="adam", seed=3)
    with torch.device("cuda"):
        first, second = (fit(logistic, AutoNormal(logistic), settings=settings) for _ in range(2))
    assert first.engine == "cuda"
    assert first.elbo.tolist() == second.elbo.tolist()
    on_host = fit(logistic, AutoNormal(logistic), settings=settings)
    assert first.elbo[-500:].mean() == pytest.approx(on_host.elbo[-500:].mean(), abs=0.3)
