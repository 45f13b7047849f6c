"""One step as a graph, with its noise given: against Python's own steps, and against Pyro's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO
from torch import Tensor

from autoguide_core import (
    AutoDelta,
    AutoGuideList,
    AutoIAFNormal,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    AutoNormal,
    FitError,
    FitSettings,
    fit,
)
from autoguide_core.engine.estimators import Untraceable, make_estimator
from autoguide_core.engine.isolation import own_randomness
from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.optimisers import Averaged, make_optimiser, rates
from autoguide_core.engine.stepping import choice, constants
from autoguide_core.engine.stepping.draws import SEED, Draw
from autoguide_core.engine.stepping.eager import EagerRunner
from autoguide_core.engine.stepping.graph import GraphRunner
from autoguide_core.engine.stepping.noise import NoiseSource
from autoguide_core.engine.stepping.parameters import packed
from autoguide_core.engine.stepping.step import Step, copied, restore
from autoguide_core.engine.stepping.step_graph import trace_gradient, trace_step
from autoguide_core.engine.stepping.supply import discover, supplied
from autoguide_core.engine.structure import inspect, parameters

Y = torch.tensor([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
SCALES = torch.tensor([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])

DRAWS = (
    Draw("normal", (3, 2), torch.float32),
    Draw("uniform", (), torch.float64),
    Draw("exponential", (2,), torch.float32),
    Draw("integers", (4,), torch.int64, 7),
    Draw("minibatch", (5,), torch.int64, 1000),
    Draw("minibatch", (6,), torch.int64, 8),
    SEED,
)


def schools() -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = pyro.sample("tau", dist.HalfCauchy(5.0))
    with pyro.plate("schools", 8):
        theta = pyro.sample("theta", dist.Normal(mu, tau))
        pyro.sample("y", dist.Normal(theta, SCALES.to(theta)), obs=Y.to(theta))


def minibatched() -> None:
    groups = int((Y > 5.0).sum().item())  # a number that is read off the data
    mu = pyro.sample("mu", dist.Normal(torch.zeros(groups), 5.0).to_event(1))
    with pyro.plate("schools", 8, subsample_size=3) as index:
        theta = pyro.sample("theta", dist.Normal(mu.sum(-1), 1.0))
        pyro.sample("y", dist.Normal(theta, SCALES.to(theta)[index]), obs=Y.to(theta)[index])


def with_parameter() -> None:
    scale = pyro.param("scale", torch.tensor(1.0), constraint=dist.constraints.positive)
    mu = pyro.sample("mu", dist.Normal(0.0, scale))
    seen = Y > 0.0
    with pyro.plate("seen", 6):
        pyro.sample("y", dist.StudentT(4.0, mu, SCALES.to(mu)[seen]), obs=Y.to(mu)[seen])


def mixture() -> None:
    weight = pyro.sample("weight", dist.Beta(2.0, 2.0))
    gap = pyro.sample("gap", dist.LogNormal(0.0, 1.0))
    with pyro.plate("data", 8):
        k = pyro.sample("k", dist.Bernoulli(weight), infer={"enumerate": "parallel"})
        pyro.sample("y", dist.Normal(k * gap, 5.0), obs=Y.to(gap))


def by_hand() -> None:
    loc = pyro.param("loc", torch.zeros(2))
    mu = pyro.sample("mu", dist.Laplace(loc[0], loc[1].exp()))
    pyro.sample("tau", dist.Gamma(1.0 + mu.detach() ** 2, 1.0))
    with pyro.plate("schools", 8):
        pyro.sample("theta", dist.Normal(mu, 1.0))


def in_parts(model: Callable[[], None]) -> AutoGuideList:
    guide = AutoGuideList(model)
    guide.append(AutoMultivariateNormal(poutine.block(model, expose=["mu", "tau"])))
    guide.append(AutoNormal(poutine.block(model, hide=["mu", "tau"])))
    return guide


def continuous(model: Callable[[], None]) -> AutoNormal:
    return AutoNormal(poutine.block(model, hide=["k"]))


CASES: dict[str, tuple[Callable[[], None], Callable[[Any], Any], int]] = {
    "normal": (schools, AutoNormal, 1),
    "normal, four particles": (schools, AutoNormal, 4),
    "multivariate": (schools, AutoMultivariateNormal, 1),
    "low rank": (schools, AutoLowRankMultivariateNormal, 1),
    "point": (schools, AutoDelta, 1),
    "flow": (schools, AutoIAFNormal, 1),
    "list": (schools, in_parts, 2),
    "hand-written, with gamma draws": (schools, lambda model: by_hand, 1),
    "minibatches": (minibatched, AutoNormal, 1),
    "minibatches, particle by particle": (minibatched, AutoDelta, 2),
    "parameter of the model": (with_parameter, AutoNormal, 1),
    "enumerated": (mixture, continuous, 1),
}
OPTIMISERS: dict[str, tuple[str, dict[str, float]]] = {
    "ClippedAdam": ("ClippedAdam", {"clip_norm": 0.5, "lrd": 0.99}),
    "AdamW": ("AdamW", {"max_grad_norm": 1.0}),
    "SGD": ("SGD", {"lr": 1e-4, "momentum": 0.5}),
}


@contextmanager
def stepping(
    case: str, optimiser: str = "Adam", dtype: torch.dtype = torch.float64
) -> Iterator[tuple[Step, dict[str, Tensor], Tensor]]:
    """A step of a case, its first state, and the rows of twenty steps."""
    model, make_guide, particles = CASES[case]
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        guide = make_guide(model)
        structure = inspect(model, guide, (), {})
        estimator, _ = make_estimator(structure, model, guide, (), {}, particles=particles)
        rule = Averaged(make_optimiser(*OPTIMISERS.get(optimiser, (optimiser, {}))), 20)
        leaves = tuple(parameters().values())
        with pyro.validation_enabled(False), packed(leaves) as theta:
            step = Step(estimator, rule, leaves)
            step = replace(step, draws=discover(lambda: step.gradient(estimator.start())))
            steps = torch.arange(1, 21)
            rows = rule.rows(steps, rates("cosine", rule.lr, steps, 20)).to(dtype)
            yield step, step.start(theta), rows
    finally:
        torch.set_default_dtype(default)


def test_noise_depends_on_seed_and_step_only() -> None:
    whole = NoiseSource(DRAWS, 5).block(0, 5000)
    source = NoiseSource(DRAWS, 5)
    for first, count in ((4990, 10), (0, 3), (3, 1), (1500, 3000), (0, 5000)):
        for part, drawn in zip(source.block(first, count), whole, strict=True):
            assert torch.equal(part, drawn[first : first + count])
    for draw, drawn, other in zip(DRAWS, whole, NoiseSource(DRAWS, 6).block(0, 5000), strict=True):
        assert drawn.shape == (5000, *draw.shape)
        assert drawn.dtype == draw.dtype
        assert not torch.equal(drawn, other)
        assert len(drawn.reshape(5000, -1).double().unique(dim=0)) > 1000
    assert float(whole[0].mean()) == pytest.approx(0.0, abs=0.02)
    assert float(whole[0].std()) == pytest.approx(1.0, abs=0.02)
    assert float(whole[1].mean()) == pytest.approx(0.5, abs=0.02)
    assert float(whole[2].mean()) == pytest.approx(1.0, abs=0.04)


@pytest.mark.parametrize(("count", "size"), [(4, 9), (3, 4), (2, 40)])
def test_minibatches_are_uniform_and_without_repeats(count: int, size: int) -> None:
    draw = Draw("minibatch", (count,), torch.int64, size)
    picks = draw.sample(20_000, torch.Generator().manual_seed(1))
    assert int(picks.min()) == 0
    assert int(picks.max()) == size - 1
    assert all(len(row.unique()) == count for row in picks[:500])
    # Every ordered pair of the first two places is as probable as every other.
    pairs = torch.bincount(picks[:, 0] * size + picks[:, 1], minlength=size * size)
    pairs = pairs.reshape(size, size)
    assert int(pairs.diagonal().sum()) == 0
    expected = 20_000 / (size * (size - 1))
    chi_square = float(((pairs - expected) ** 2 / expected).sum()) - size * expected
    freedom = size * (size - 1) - 1
    assert abs(chi_square - freedom) < 4.5 * (2 * freedom) ** 0.5


def test_a_minibatch_costs_its_own_size() -> None:
    draw = Draw("minibatch", (1000,), torch.int64, 2**40)  # all indices would not fit anywhere
    assert len(draw.sample(3, torch.Generator().manual_seed(0))[0].unique()) == 1000
    draw = replace(draw, size=100_000)
    assert all(len(row.unique()) == 1000 for row in draw.sample(5, torch.Generator()))


@pytest.mark.parametrize(
    ("op", "kind"),
    [
        (lambda: torch.randn(3, 2), "normal"),
        (lambda: torch.rand_like(torch.zeros(3)), "uniform"),
        (lambda: torch.normal(torch.zeros(4), torch.ones(4)), "normal"),
        (lambda: torch.empty(4).normal_(1.0, 2.0), "normal"),
        (lambda: torch.empty(4).uniform_(-1.0, 2.0), "uniform"),
        (lambda: torch.empty(4).exponential_(2.0), "exponential"),
        (lambda: torch.empty(4).cauchy_(), "uniform"),
        (lambda: torch.bernoulli(torch.full((5,), 0.3)), "uniform"),
        (lambda: torch.empty(5).bernoulli_(0.3), "uniform"),
        (lambda: torch.multinomial(torch.tensor([0.0, 0.3, 0.7, 0.0]), 1), "uniform"),
        (lambda: torch.randint(-2, 5, (6,)), "integers"),
        (lambda: torch.randperm(6), "minibatch"),
        (lambda: torch._standard_gamma(torch.full((4,), 0.7)), "seed"),
        (lambda: torch.poisson(torch.full((4,), 3.0)), "seed"),
    ],
)
def test_supplied_operations_have_their_distribution(op: Callable[[], Tensor], kind: str) -> None:
    draws = discover(op)
    assert [draw.kind for draw in draws] == [kind]
    source, size = NoiseSource(draws, 1), 3000
    block = source.block(0, size)
    first = [drawn[0] for drawn in block]
    made = []
    torch.manual_seed(3)
    for k in range(size):
        with supplied(draws, [drawn[k] for drawn in block]):
            made.append(op())
    supplied_values = torch.stack(made).double()
    own_values = torch.stack([op() for _ in range(size)]).double()
    assert supplied_values.shape == own_values.shape
    for q in (0.1, 0.3, 0.5, 0.8, 0.95):
        # The same share lies at or below a point, be it a point of weight or not.
        point = own_values.flatten()[:10_000].quantile(q)
        shares = [float((v <= point).double().mean()) for v in (supplied_values, own_values)]
        assert shares[0] == pytest.approx(shares[1], abs=0.03)
    with pytest.raises(Untraceable, match="changes from run to run"), supplied(draws, first):
        torch.stack([op() for _ in range(2)] + [torch.randn(17)])


@pytest.mark.parametrize(
    ("case", "optimiser"),
    [*((case, "Adam") for case in CASES), *(("minibatches", name) for name in OPTIMISERS)],
)
def test_graph_makes_the_steps_of_python(case: str, optimiser: str) -> None:
    with stepping(case, optimiser) as (step, state, rows), own_randomness(0):
        graph = GraphRunner(trace_step(step, state, rows[0]))
        noise = NoiseSource(step.draws, 3).block(0, len(rows))
        start = copied(state)
        expected_elbo = EagerRunner(step).run(state, noise, rows)
        expected = copied(state)
        restore(state, start)
        elbo = graph.run(state, noise, rows)
        assert torch.allclose(elbo, expected_elbo, rtol=1e-11, atol=1e-11)
        assert not torch.equal(expected["theta"], start["theta"])
        for name, value in expected.items():
            assert torch.allclose(state[name], value, rtol=1e-10, atol=1e-11), name
        flat = torch.cat([leaf.detach().reshape(-1) for leaf in step.leaves])
        assert torch.equal(flat, state["theta"])


def test_single_precision_graph_agrees_as_far_as_it_can() -> None:
    with stepping("multivariate", dtype=torch.float32) as (step, state, rows):
        graph = GraphRunner(trace_step(step, state, rows[0]))
        noise = NoiseSource(step.draws, 3).block(0, len(rows))
        start = copied(state)
        expected_elbo = EagerRunner(step).run(state, noise, rows)
        expected = copied(state)
        restore(state, start)
        assert torch.allclose(graph.run(state, noise, rows), expected_elbo, rtol=1e-5)
        assert torch.allclose(state["theta"], expected["theta"], rtol=1e-5, atol=1e-5)


def test_gradient_and_update_make_the_whole_step() -> None:
    with stepping("low rank") as (step, state, rows):
        half = trace_gradient(step, state)
        noise = [drawn[0] for drawn in NoiseSource(step.draws, 4).block(0, 1)]
        new, elbo = step(state, noise, rows[0])
        found, gradient = half.graph(*(state[name] for name in half.state_names), *noise)
        updated = step.update(state, gradient, rows[0])
        assert torch.allclose(found, elbo)
        assert all(torch.allclose(updated[name], new[name]) for name in new)


def test_graphs_hold_the_data_themselves_and_nothing_in_place_or_random(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constants, "_LARGEST_KEPT", 2**20)
    design = torch.randn(3000, 2, dtype=torch.float64)
    large = torch.randn(500_000, dtype=torch.float64)

    def model() -> None:
        beta = pyro.sample("beta", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        noise = pyro.sample("noise", dist.Exponential(1.0))
        pyro.factor("far", -(noise * large.float()).square().sum())
        with pyro.plate("rows", 3000):
            pyro.sample("y", dist.Normal(design @ beta, noise), obs=design.T[1])

    CASES["regression"] = model, AutoNormal, 1
    with stepping("regression") as (step, state, rows):
        graph = trace_step(step, state, rows[0]).graph
    del CASES["regression"]
    held = {
        node.target: getattr(graph, node.target) for node in graph.graph.find_nodes(op="get_attr")
    }
    assert any(tensor is large for tensor in held.values())
    assert any(tensor is design for tensor in held.values())
    own = [t for t in held.values() if t is not large and t is not design]
    assert (
        sum(
            t.untyped_storage().nbytes()
            for t in own
            if t.untyped_storage().data_ptr() != design.data_ptr()
        )
        < 1e6
    )
    operations = [
        n.target for n in graph.graph.nodes if isinstance(n.target, torch._ops.OpOverload)
    ]
    assert not any(op._schema.is_mutable for op in operations)
    assert not any(torch.Tag.nondeterministic_seeded in op.tags for op in operations)


def test_a_step_is_that_of_pyro_with_its_noise_given() -> None:
    with stepping("normal") as (step, state, rows):
        noise = NoiseSource(step.draws, 9).block(0, 20)
        EagerRunner(step).run(state, noise, rows)
        ours = state["theta"].clone()
    pyro.clear_param_store()
    torch.set_default_dtype(torch.float64)
    try:
        guide = AutoNormal(schools)
        guide()
        steps = torch.arange(1, 21)
        scheduled = rates("cosine", 0.02, steps, 20).tolist()
        optimiser = pyro.optim.PyroLRScheduler(
            torch.optim.lr_scheduler.LambdaLR,
            {
                "optimizer": torch.optim.Adam,
                "optim_args": {"lr": 1.0},
                "lr_lambda": lambda step: [*scheduled, 0.0][step],
            },
        )
        svi = SVI(schools, guide, optimiser, Trace_ELBO())
        with pyro.validation_enabled(False):
            for k in range(20):
                with supplied(step.draws, [drawn[k] for drawn in noise]):
                    svi.step()
                optimiser.step()
        theirs = torch.cat([leaf.detach().reshape(-1) for leaf in parameters().values()])
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-10)


def branching() -> None:
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    pyro.factor("f", a if float(a.detach()) > 0.0 else 3.0 * a)


def test_values_that_decide_are_stepped_eagerly_and_told() -> None:
    settings = FitSettings(steps=400, method="adam")
    result = fit(branching, AutoNormal(branching), settings=settings)
    assert result.engine == "eager"
    assert result.notes == ("stepped eagerly: the model branches on values",)
    with pytest.raises(FitError, match="engine 'graph' cannot be used: the model branches"):
        fit(branching, AutoNormal(branching), settings=replace(settings, engine="graph"))


def test_recorded_steps_that_fail_are_made_by_python_from_where_they_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks = iter(range(100))
    whole = GraphRunner.run

    def failing(self: GraphRunner, state: dict[str, Tensor], *args: Any) -> Tensor:
        elbo = whole(self, state, *args)
        if next(blocks) == 2:
            raise RuntimeError("shape '[2]' is invalid for input of size 3\nhere")
        return elbo

    settings = FitSettings(steps=400, method="adam", engine="graph")
    expected = fit(schools, AutoNormal(schools), settings=settings)
    monkeypatch.setattr(GraphRunner, "run", failing)
    result = fit(schools, AutoNormal(schools), settings=settings)
    assert result.engine.startswith("graph, then eager from step ")
    assert "recorded steps failed: RuntimeError: shape '[2]' is invalid" in result.notes[0]
    assert torch.allclose(torch.tensor(result.elbo), torch.tensor(expected.elbo), rtol=1e-4)


def test_an_error_of_the_model_itself_is_one_of_the_fit() -> None:
    calls = iter(range(10_000))

    def model() -> None:
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.factor("f", a * [1.0][next(calls) // 60])

    settings = FitSettings(steps=250, method="adam")
    with pytest.raises(FitError, match="cannot be run: IndexError: list index out of range"):
        fit(model, AutoNormal(model), settings=settings)


def test_models_that_change_on_the_way_are_left_to_pyro() -> None:
    calls = iter(range(10_000))

    def growing() -> None:
        late = pyro.param("late", torch.tensor(0.0)) if next(calls) > 60 else 0.0
        a = pyro.sample("a", dist.Normal(late, 1.0))
        pyro.sample("y", dist.Normal(a, 1.0), obs=torch.tensor(2.0))

    settings = FitSettings(steps=250, method="adam", optimizer_options={"lr": 0.1})
    grown = fit(growing, AutoNormal(growing), settings=settings)
    assert grown.engine.startswith("eager, then plain from step")
    assert grown.notes == ("stepped by plain Pyro: the model makes new parameters on its way",)
    assert grown.parameter_values()["late"] > 0.3
    assert len(grown.elbo) == 250

    def model() -> None:
        pyro.sample("y", dist.Normal(pyro.sample("a", dist.Normal(0.0, 1.0)), 1.0), obs=Y[5])

    def flickering() -> None:
        loc = pyro.param("loc", torch.tensor(0.0))
        for place in range(next(calls) % 3):
            pyro.sample(f"spare_{place}", dist.Normal(0.0, 1.0), infer={"is_auxiliary": True})
        pyro.sample("a", dist.Normal(loc, 0.7))

    result = fit(model, flickering, settings=settings)
    assert result.engine == "plain"
    assert result.notes == ("stepped by plain Pyro: what the model draws changes from run to run",)
    assert result.parameter_values()["loc"] == pytest.approx(0.5, abs=0.25)


def test_parameters_of_two_dtypes_are_left_to_pyro() -> None:
    def guide() -> None:
        loc = pyro.param("loc", torch.tensor(0.0))
        scale = pyro.param("scale", torch.tensor(0.7, dtype=torch.float64))
        pyro.sample("mu", dist.Normal(loc, scale.float().exp()))

    def model() -> None:
        pyro.sample("y", dist.Normal(pyro.sample("mu", dist.Normal(0.0, 1.0)), 1.0), obs=Y[1])

    settings = FitSettings(steps=300, method="adam", optimizer_options={"lr": 0.1})
    result = fit(model, guide, settings=settings)
    assert result.engine == "plain"
    assert "several dtypes (float32, float64)" in result.notes[0]
    values = result.parameter_values()
    assert values["loc"] == pytest.approx(4.0, abs=0.3)
    assert values["scale"].dtype == "float64"


def test_parameters_own_their_memory_again_afterwards() -> None:
    guide = AutoNormal(schools)
    fit(schools, guide, settings=FitSettings(steps=30, method="adam"))
    memories = {p.untyped_storage().data_ptr() for p in guide.parameters()}
    assert len(memories) == len(list(guide.parameters()))
    assert all(p.untyped_storage().nbytes() == p.numel() * 4 for p in guide.parameters())
    with pytest.raises(FitError):
        fit(
            schools,
            guide,
            settings=FitSettings(
                steps=30, method="adam", optimizer="SGD", optimizer_options={"lr": 1e30}
            ),
        )
    assert all(p.untyped_storage().nbytes() == p.numel() * 4 for p in guide.parameters())


class _Late:
    """A pending runner that is ready when it is asked for the third time."""

    note = ""

    def __init__(self, runner: Any) -> None:
        self._runner, self._asked = runner, 0
        self.is_cancelled = False

    def ready(self) -> bool:
        self._asked += 1
        return self._asked == 3

    def runner(self) -> Any:
        if self._runner is None:
            raise NativeUnavailable("the compiler failed")
        return self._runner

    def cancel(self) -> None:
        self.is_cancelled = True


@pytest.mark.parametrize("works", [True, False])
def test_a_faster_runner_takes_over_on_the_way(
    works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(step_graph: Any, *arguments: Any) -> _Late:
        runner = GraphRunner(step_graph)
        runner.name = "native"
        return _Late(runner if works else None)

    monkeypatch.setattr(choice, "start_native", start)
    settings = FitSettings(steps=1000, method="adam")
    late = fit(schools, AutoNormal(schools), settings=settings)
    whole = fit(schools, AutoNormal(schools), settings=replace(settings, engine="graph"))
    assert (late.elbo == whole.elbo).all()
    if works:
        assert late.engine.startswith("graph, then native from step ")
        assert late.notes == ()
    else:
        assert late.engine == "graph"
        assert late.notes == ("the steps were not compiled: the compiler failed",)
