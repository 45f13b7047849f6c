"""The proof of compiled code on the spot: what is wrong is not used, and what is right is."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyro
import pyro.distributions as dist
import pytest
import torch
from native_harness import ROW, Function, compiled
from native_together import compiler
from torch import Tensor

from autoguide_core import AutoDelta, AutoNormal, FitSettings, fit, fit_many, init_to_value
from autoguide_core.engine.curvature import compiled as compiled_gradients
from autoguide_core.engine.curvature.compiled import CompiledGradients
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.errors import FitError, RequestError
from autoguide_core.engine.native import evidence, loops, passes, start
from autoguide_core.engine.native.cache import open_cache
from autoguide_core.engine.native.errors import NativeWrong
from autoguide_core.engine.native.proof import Outcome, Trial, prove
from autoguide_core.engine.native.refusals import refusals
from autoguide_core.engine.stepping.capture import capture
from autoguide_core.functions import odes
from autoguide_core.sampling.evaluators import Evaluators

STATE = {"a": torch.linspace(-1.0, 2.0, 6, dtype=torch.float64)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("PPLC_CACHE_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, Outcome]]:
    """The proofs that are made: whether there had been one before, and what came out."""
    made: list[tuple[bool, Outcome]] = []

    def noted(*arguments: object, again: bool) -> Outcome:
        outcome = prove(*arguments, again=again)  # type: ignore[arg-type]
        made.append((again, outcome))
        return outcome

    monkeypatch.setattr(start, "prove", noted)
    return made


def record_in(folder: Path) -> Path:
    (record,) = (path for path in folder.glob("*.json") if len(path.stem) == 64)
    return record


def step(a: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
    return a * 0.5 + row[1], (a * a).sum()


def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the compiler take another constant than that of the step."""
    written = passes.program_source

    def source(*arguments: object) -> str:
        text = written(*arguments)  # type: ignore[arg-type]
        assert "0.5" in text
        return text.replace("0.5", "0.5000001")

    monkeypatch.setattr(passes, "program_source", source)


def test_what_was_proved_is_tried_once_more_at_one_point(
    folder: Path, trials: list[tuple[bool, Outcome]]
) -> None:
    compiled(step, STATE)
    compiled(step, STATE)
    assert trials == [(False, Outcome("", True)), (True, Outcome(""))]
    record = record_in(folder)
    (told,) = evidence.proved(record)
    assert told["threads"] == torch.get_num_threads()
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        compiled(step, STATE)  # with other threads it may be another thing
    finally:
        torch.set_num_threads(before)
    assert [again for again, _ in trials] == [False, True, False]
    # Nor does a proof hold for another engine, and a record that says nothing proves nothing.
    for listed in ([{**told, "engine": "older"}], "nonsense", None):
        record.write_text(json.dumps({**json.loads(record.read_text()), "proved": listed}))
        compiled(step, STATE)
        assert not trials[-1][0]


def test_what_is_wrong_is_refused_said_and_not_tried_again(
    folder: Path, trials: list[tuple[bool, Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    with refusals() as told, pytest.raises(NativeWrong) as first:
        compiled(step, STATE)
    record = record_in(folder)
    assert f"`pplc cache show {record.stem[:10]}`" in str(first.value)
    assert "a: off by 2e-07, of which rounding explains" in str(first.value)
    assert told == [str(first.value)]
    assert not evidence.proved(record)
    written = record.stat().st_mtime_ns
    with pytest.raises(NativeWrong) as second:
        compiled(step, STATE)
    assert str(second.value) == str(first.value)
    assert len(trials) == 1
    assert record.stat().st_mtime_ns >= written
    (entry,) = open_cache().entries()
    assert entry.proof == "failed"


def test_a_proof_changes_nothing(trials: list[tuple[bool, Outcome]]) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    noise = [torch.ones(6, dtype=torch.float64)]
    steps = compiled(lambda a, n, row: (a + n * row[0], a.sum()), STATE, noise)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(steps.state["a"], STATE["a"])
    assert trials[-1][1].is_complete or trials[-1][0]


# --- What rounding explains ---


class Other:
    """Steps by a function that should compute the same as that which was recorded."""

    def __init__(self, function: Function, state: dict[str, Tensor]) -> None:
        self._function, self._state = function, state

    def run(self, state: object, noise: object, rows: Tensor) -> Tensor:
        results = []
        for row in rows:
            *new, result = self._function(*self._state.values(), row)
            for old, value in zip(self._state.values(), new, strict=True):
                old.copy_(value)
            results.append(result.double())
        return torch.stack(results)


def found(function: Function, other: Function, *state: Tensor) -> str:
    """What a proof says of one function in the place of another."""
    named = {f"s{place}": value for place, value in enumerate(state)}
    graph = capture(lambda *values: tuple(function(*values)), {**named, "row": ROW}, [], "s0")
    trial = Trial.of(named, [ROW], None)
    return prove(graph, lambda own: Other(other, dict(own)), trial, ("s0",), again=False).difference


WIDE = torch.sin(torch.arange(200_000.0)) + 3.0


def backwards(x: Tensor) -> Tensor:
    """The sum in another order, by simple addition."""
    return x.flip(0).view(-1, 8).cumsum(0)[-1].sum()


def without_last(x: Tensor) -> Tensor:
    return x[:-1].sum()


def twice(x: Tensor) -> Tensor:
    return torch.cat([x[:1], x[1:2], x[1:-1]]).sum()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_order_of_a_sum_is_rounding(dtype: torch.dtype) -> None:
    x = WIDE.to(dtype)
    assert not found(lambda v, row: (v * 1.0, v.sum()), lambda v, row: (v * 1.0, backwards(v)), x)
    # A difference of two large sums, small against both.
    few = lambda v, row: (v * 1.0, v.sum() - (v + 1e-6).sum())  # noqa: E731
    assert not found(few, lambda v, row: (v * 1.0, backwards(v) - backwards(v + 1e-6)), x)


@pytest.mark.parametrize("wrong", [without_last, twice])
def test_a_sum_that_leaves_a_term_out_is_wrong(wrong: Callable[[Tensor], Tensor]) -> None:
    expected = lambda v, row: (v * 1.0, v.sum())  # noqa: E731
    other = lambda v, row: (v * 1.0, wrong(v))  # noqa: E731
    assert "the result: off by" in found(expected, other, WIDE.double())
    few = WIDE[:2000].clone()
    assert bool(found(expected, other, few)) == (wrong is without_last)  # in single precision


# --- Wherever compiled code comes to be ---


@pytest.fixture
def subtracting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that subtracts where it is to add."""
    monkeypatch.setenv("PPLC_COMPILER", compiler(folder))
    monkeypatch.setitem(loops._ACCUMULATE, "+", "{0} -= {1};")


WRONG = "the compiled code is wrong ("


def schools(y: Tensor) -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    with pyro.plate("data", 8):
        pyro.sample("y", dist.Normal(mu, 10.0), obs=y)


@pytest.mark.usefixtures("subtracting")
def test_fits_take_the_graph() -> None:
    y = torch.tensor([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    settings = FitSettings(steps=400, method="adam", engine="native")
    with pytest.raises(RequestError, match=r"the compiled code is wrong \("):
        fit(schools, AutoNormal(schools), (y,), settings=settings)
    settings = replace(settings, engine="auto")  # the library is there: it would take over at once
    found = fit(schools, AutoNormal(schools), (y,), settings=settings)
    right = fit(schools, AutoNormal(schools), (y,), settings=replace(settings, engine="graph"))
    assert found.engine == "graph"
    assert (found.elbo == right.elbo).all()
    assert [WRONG in note for note in found.notes] == [True]
    for _ in range(2):  # it is compiled, then known
        native = replace(settings, engine="native")
        with pytest.raises(FitError, match=r"the compiled code is wrong \("):
            fit_many(schools, AutoNormal(schools), (y,), restarts=2, settings=native)
    many = fit_many(schools, AutoNormal(schools), (y,), restarts=2, settings=settings)
    for one in many.results:
        assert one.engine == "graph"
        assert [WRONG in note for note in one.notes] == [True]
    assert many.notes == ()  # it has been said


@pytest.mark.usefixtures("subtracting")
@pytest.mark.parametrize("count", [1, 64])
def test_densities_take_the_graph(count: int) -> None:
    x = torch.linspace(-1.0, 1.0, 50, dtype=torch.float64)
    gradients = Gradients(lambda z: -((x * z[0] - z[1]) ** 2).sum(), x[:2])
    compiled = CompiledGradients(gradients, 2, count)
    assert compiled.engine == "graph"
    assert compiled.obstacle.startswith(WRONG)
    points = torch.stack([x[:2], x[2:4]])
    for found, right in zip(
        compiled.value_and_grad(points), gradients.value_and_grad(points), strict=True
    ):
        assert torch.equal(found, right)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("alike", "proofs"), [(0.0, 8), (1e-10, 0)])
@pytest.mark.parametrize("count", [1, 64])
def test_a_right_density_holds_where_it_was_used(
    trials: list[tuple[bool, Outcome]],
    monkeypatch: pytest.MonkeyPatch,
    alike: float,
    proofs: int,
    count: int,
) -> None:
    """What differs in its last digits is proved, and rounding explains it."""
    monkeypatch.setattr(compiled_gradients, "_ALIKE", alike)
    x = torch.linspace(-1.0, 1.0, 50, dtype=torch.float64)
    gradients = Gradients(lambda z: -((x * z[0] - z[1]).exp() ** 2).sum(), x[:2])
    compiled = CompiledGradients(gradients, 2, count)
    assert compiled.engine == "native", compiled.obstacle
    points = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    compiled.value_and_grad(points)  # by all workers, each of which is proved
    before = len(trials)
    assert compiled.holds_at(points)
    assert (compiled.engine, len(trials) - before) == ("native", proofs)


def test_a_density_is_left_to_torch_if_one_of_its_workers_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = torch.linspace(-1.0, 1.0, 50, dtype=torch.float64)
    gradients = Gradients(lambda z: -((x * z[0] - z[1]) ** 2).sum(), x[:2])
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    compiled = CompiledGradients(gradients, 2, 1)
    assert compiled.engine == "native"
    monkeypatch.setattr(start, "prove", lambda *_, **__: Outcome("values: off by 1"))
    monkeypatch.setattr(evidence, "note_wrong", lambda *_: None)
    points = torch.randn(20, 2, dtype=torch.float64)
    values, _ = compiled.value_and_grad(points)
    torch.testing.assert_close(values, gradients.value_and_grad(points)[0])
    assert compiled.engine == "graph"
    assert WRONG in compiled.obstacle
    evaluators = Evaluators(gradients, 2, 10**6, 2)
    assert (evaluators.count, evaluators.engine) == (1, "graph")


@pytest.mark.usefixtures("subtracting")
def test_equations_are_solved_by_torch_and_that_is_said() -> None:
    def decay(t: Tensor, z: Tensor, rates: Tensor) -> Tensor:
        return -z * rates.sum(-1, keepdim=True)

    times = torch.tensor([0.5, 1.0], dtype=torch.float64)
    rates = torch.tensor([0.5, 0.25], dtype=torch.float64)

    def model() -> None:
        start = pyro.sample("start", dist.LogNormal(torch.zeros(1).double(), 1.0).to_event(1))
        path = odes.solve(decay, start, 0.0, times, rates, event_dims=(1, 1))
        pyro.sample("y", dist.Normal(path[:, 0], 0.1).to_event(1), obs=2.0 * torch.exp(-times))

    with refusals() as told:
        start = torch.ones(1, dtype=torch.float64)
        path = odes.solve(decay, start, 0.0, times, rates, event_dims=(1, 1))
    torch.testing.assert_close(path[:, 0], torch.exp(-0.75 * times), rtol=1e-4, atol=0.0)
    assert [WRONG in reason for reason in told] == [True]
    found = fit(model, AutoNormal(model), settings=FitSettings(steps=3, method="adam"))
    assert [note[:42] for note in found.notes] == ["evaluated by the graph, not compiled: the "]


@pytest.fixture
def wrong_from_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the compiler's exponential be a tenth too great beyond one."""
    written = passes.program_source

    def source(*arguments: object) -> str:
        text = written(*arguments)  # type: ignore[arg-type]
        return re.sub(r"m_exp\((\w+)\)", r"(m_exp(\1) * (\1 > 1 ? 1.1 : 1))", text)

    monkeypatch.setattr(passes, "program_source", source)


def rate() -> None:
    a = pyro.sample("a", dist.Normal(0.0, 3.0))
    pyro.sample("y", dist.Normal(a.exp(), 0.5), obs=torch.tensor(7.5))


def delta(at: float = 0.0) -> AutoDelta:
    return AutoDelta(rate, init_loc_fn=init_to_value(values={"a": torch.tensor(at)}))


@pytest.mark.usefixtures("wrong_from_one")
@pytest.mark.parametrize("engine", ["native", "auto"])
def test_steps_that_are_wrong_only_where_they_lead_to_are_made_again(engine: str) -> None:
    """The proof at the start, where a is 0, finds nothing."""
    if engine == "auto":  # so that it is there at once
        fit(rate, delta(), settings=FitSettings(method="adam", steps=1, engine="native"))
    settings = FitSettings(method="adam", steps=1500, engine=engine)
    result = fit(rate, delta(), settings=settings)
    assert result.guide.median()["a"].item() == pytest.approx(math.log(7.5), abs=0.01)
    assert result.engine == "graph"
    assert "by the graph, not compiled: the compiled code is wrong (" in result.engine_reason
    assert len(result.elbo) == len(result.elbo_steps) == 1500


@pytest.mark.usefixtures("wrong_from_one")
def test_what_is_said_of_steps_made_again_is_said_of_those() -> None:
    """Its verdict, too: the parameter is still on its way."""
    options = {"lr": 0.001}
    asked = FitSettings(method="adam", steps=400, tolerance=1e9, optimizer_options=options)
    native, graph = (
        fit(rate, delta(0.9), settings=replace(asked, engine=engine))
        for engine in ("native", "graph")
    )
    assert "compiled code is wrong" in native.engine_reason
    assert not graph.converged
    assert native.verdict == graph.verdict
    assert native.elbo.tolist() == graph.elbo.tolist()


@pytest.mark.usefixtures("wrong_from_one")
def test_steps_of_many_fits_are_made_again() -> None:
    settings = FitSettings(method="adam", steps=1500, engine="native")
    many = fit_many(rate, delta(), restarts=2, jitter=0.1, settings=settings)
    for result in many.results:
        assert result.engine == "graph"
        assert result.guide.median()["a"].item() == pytest.approx(math.log(7.5), abs=0.01)
