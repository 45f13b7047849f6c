"""Models that are more than operations on tensors: each fit is right, by the plain way if need be.

The oracle is Pyro's own estimator at the same guide, or an exact posterior.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO
from pyro.nn import PyroModule, PyroSample
from torch import Tensor, nn

from autoguide_core import (
    AutoDelta,
    AutoMultivariateNormal,
    AutoNormal,
    FitError,
    FitResult,
    FitSettings,
    fit,
)
from autoguide_core.engine.curvature.density import LogDensity
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.kept import kept_values, what_changed
from autoguide_core.engine.tracing.record import Unrecordable, record
from autoguide_core.engine.tracing.values import watched_values

Model = Callable[[], Any]
STANDING = FitSettings(
    steps=300,
    optimizer="SGD",
    optimizer_options={"lr": 0.0},
    schedule="constant",
    averaging=False,
    method="adam",
)
"""Steps that move nothing, so that the mean of their ELBOs is that of the guide as it is."""


def elbo_as_stock(model: Model, sd: float = 5.0) -> FitResult:
    """A fit whose mean ELBO is that of stock Pyro's estimator, but for its Monte Carlo error."""
    guide = AutoNormal(model)
    pyro.set_rng_seed(1)
    guide()
    theirs = np.array([-Trace_ELBO().loss(model, guide) for _ in range(300)])
    result = fit(model, guide, settings=STANDING)
    error = np.hypot(theirs.std(), result.elbo.std()) / 300**0.5
    assert abs(theirs.mean() - result.elbo.mean()) < sd * error
    return result


# What Python sees of values --------------------------------------------------------------------


def reading(read: Callable[[Tensor], float]) -> Model:
    """A model that leaves torch with its latents."""

    def model() -> None:
        z = pyro.sample("z", dist.Normal(torch.zeros(3), 1.0).to_event(1))
        pyro.sample("y", dist.Normal(10.0 * read(z.detach()), 1.0), obs=torch.tensor(0.0))

    return model


READS: dict[str, Callable[[Tensor], float]] = {
    "tolist": lambda z: float(z.tolist()[0] > 1.5),
    "numpy": lambda z: float(z.numpy().max() > 2.0),
    "array": lambda z: float(np.asarray(z)[0] > 1.5),
    "memory": lambda z: float(z.untyped_storage()[3] == 192),
    "dlpack": lambda z: float(np.from_dlpack(z)[0] > 1.5),
    "list of tensors": lambda z: float(torch.tensor([z[0] > 1.5, False])[0]),
    "typed constructor": lambda z: float(torch.FloatTensor([z[0] > 1.5])),
    "iteration": lambda z: float(sum(1 for one in z if one > 1.5)),
    "index": lambda z: [0.0, 1.0][(z[0] > 1.5).long()],
    "number of positive ones": lambda z: float(z[z > 1.5].numel()),
    "places": lambda z: float(len((z > 1.5).nonzero())),
    "selected": lambda z: float(z.masked_select(z > 1.5).numel()),
    "different ones": lambda z: float(len((z > 1.5).unique())),
    "repeated": lambda z: float(len(z.repeat_interleave((z > 1.5).long()))),
    "split": lambda z: float(len(z.tensor_split((z[:1] > 1.5).long())[0])),
}


@pytest.mark.parametrize("way", READS)
def test_no_value_is_read_unseen(way: str) -> None:
    def function(z: Tensor) -> Tensor:
        with watched_values([z]):
            return torch.tensor(READS[way](2.0 * z))

    with pytest.raises(Unrecordable, match="values"):
        record(function, torch.randn(3))


@pytest.mark.parametrize("way", ["tolist", "number of positive ones"])
def test_models_that_read_values_are_stepped_eagerly(way: str) -> None:
    result = elbo_as_stock(reading(READS[way]))
    assert result.engine == "eager"
    assert "values" in result.engine_reason


def test_what_the_data_say_may_be_read() -> None:
    groups = torch.tensor([0, 2, 1, 2])
    rows = np.arange(4.0)

    def model() -> None:
        count = int(groups.max().item()) + len(groups.unique()) + max(groups.tolist())
        shift = torch.tensor(groups.numpy() * rows).float()
        z = pyro.sample("z", dist.Normal(torch.zeros(count), 1.0).to_event(1))
        with pyro.plate("rows", 4):
            pyro.sample("y", dist.Normal(z.sum(-1) + shift, 1.0), obs=torch.ones(4))

    settings = FitSettings(steps=300, method="adam", engine="graph")
    assert fit(model, AutoNormal(model), settings=settings).engine == "graph"
    density = LogDensity(model)
    assert Gradients(density, torch.zeros(density.dim, dtype=torch.float64)).obstacle is None


def test_a_draw_from_torch_s_own_generator_is_no_constant() -> None:
    def model() -> None:
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        count = torch.poisson(torch.tensor(1.0))
        pyro.sample("y", dist.Normal(z, 1.0), obs=count if count < 4 else 5.0 * count)

    assert elbo_as_stock(model).engine_reason == "stepped eagerly: the model branches on values"


# What changes from call to call ----------------------------------------------------------------


def elbos_that_rise(model: Model, rise: float) -> FitResult:
    """A fit to a point, in which only what the model itself changes can change the ELBO."""
    result = fit(model, AutoDelta(model), settings=STANDING)
    np.testing.assert_allclose(np.diff(result.elbo), rise, rtol=0.05)
    return result


def test_a_schedule_by_a_counter_is_followed_in_single_precision() -> None:
    clock = iter(range(100_000)).__next__  # nothing that the model itself keeps

    def model() -> None:
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        pyro.factor("schedule", 0.0 * z + 1e-4 * clock())

    assert "changes from run to run" in elbos_that_rise(model, 1e-4).engine_reason


def test_a_counter_that_is_a_tensor_is_followed() -> None:
    calls = torch.zeros(())

    def model() -> None:
        calls.add_(1.0)
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        pyro.factor("schedule", 0.0 * z + 1e-3 * calls)

    assert "changes from run to run" in elbos_that_rise(model, 1e-3).engine_reason


CALLS = 0


class Keeper:
    """Something that a model keeps, of each kind."""

    def __init__(self) -> None:
        self.number, self.numbers, self.array = 0, {"calls": [0]}, np.zeros(1)
        self.list: list[int] = []
        self.iterator, self.counter = iter(range(10_000)), itertools.count()
        self.generator = (number for number in range(10_000))
        self.numpy, self.random = np.random.default_rng(0), random.Random(0)
        self.torch = torch.Generator()


def count_globally(_: Keeper) -> None:
    global CALLS
    CALLS += 1


KEEPING: dict[str, Callable[[Keeper], Any]] = {
    "attribute": lambda own: setattr(own, "number", own.number + 1),
    "item": lambda own: own.numbers["calls"].__setitem__(0, own.numbers["calls"][0] + 1),
    "list": lambda own: own.list.append(0),
    "array": lambda own: own.array.__iadd__(1),
    "iterator": lambda own: next(own.iterator),
    "counter": lambda own: next(own.counter),
    "generator": lambda own: next(own.generator),
    "numpy": lambda own: own.numpy.random(),
    "random": lambda own: own.random.random(),
    "torch": lambda own: torch.rand(1, generator=own.torch),
    "global": count_globally,
}


@pytest.mark.parametrize("way", [*KEEPING, "nothing"])
def test_what_a_model_keeps_from_call_to_call_is_seen(way: str) -> None:
    own, keep = Keeper(), KEEPING.get(way, lambda own: own.number)

    def model() -> None:
        keep(own)

    before = kept_values(poutine.block(model), (1, 2))
    model()
    changed = what_changed(before, kept_values(poutine.block(model), (1, 2)))
    assert (changed is None) == (way == "nothing")


def test_a_schedule_that_begins_late_is_followed() -> None:
    calls = {"so far": 0}

    def model() -> None:
        calls["so far"] += 1
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        pyro.factor("late", 0.0 * z + (calls["so far"] > 150))

    result = fit(model, AutoDelta(model), settings=STANDING)
    assert result.elbo[-1] - result.elbo[0] == pytest.approx(1.0)
    assert result.engine_reason == (
        "stepped eagerly: the model keeps \"calls['so far']\", which changes from call to call"
    )


@pytest.mark.parametrize("way", ["draws", "counts"])
def test_a_density_that_changes_is_climbed_by_steps(way: str) -> None:
    calls = {"so far": 0}

    def model() -> None:
        calls["so far"] += way == "counts"
        noise = torch.randn(()) if way == "draws" else torch.zeros(())
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        pyro.sample("y", dist.Normal(z, 1.0), obs=2.0 + noise)

    result = fit(model, AutoMultivariateNormal(model), settings=FitSettings(steps=300))
    assert result.method == "adam"
    refused = FitSettings(method="curvature")
    with pytest.raises(FitError, match=r"'curvature' cannot be used: the model (draws|keeps)"):
        fit(model, AutoMultivariateNormal(model), settings=refused)


@pytest.mark.parametrize(
    "draw", [lambda: random.random(), lambda: np.random.rand()], ids=["python", "numpy"]
)
def test_rare_outcomes_of_other_generators_are_drawn(draw: Callable[[], float]) -> None:
    def model() -> None:
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        pyro.sample("y", dist.Normal(z, 1.0), obs=torch.tensor(9.0 if draw() < 0.03 else 0.0))

    result = elbo_as_stock(model)
    assert "draws random numbers of Python's or numpy's" in result.engine_reason
    again = fit(model, AutoNormal(model), settings=STANDING)
    np.testing.assert_array_equal(result.elbo, again.elbo)


def with_statistics() -> tuple[Model, nn.BatchNorm1d]:
    norm = nn.BatchNorm1d(2, affine=False)
    x = torch.tensor([[1.0, 2.0], [3.0, 6.0]])

    def model() -> None:
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        pyro.factor("f", z + norm(x + 0.0 * z).sum())

    return model, norm


@pytest.mark.parametrize("engine", ["eager", "graph", "auto"])
def test_statistics_that_a_module_keeps_are_those_of_the_steps(engine: str) -> None:
    model, norm = with_statistics()
    settings = FitSettings(steps=300, method="adam", engine=engine)
    found = fit(model, AutoNormal(model), settings=settings)
    assert found.engine == ("eager" if engine == "eager" else "graph")
    assert norm.num_batches_tracked == 300
    torch.testing.assert_close(norm.running_mean, torch.tensor([2.0, 4.0]))

    model, norm = with_statistics()  # stock Pyro, whose guide runs the model once to be set up
    svi = SVI(model, AutoNormal(model), pyro.optim.Adam({"lr": 0.01}), Trace_ELBO())
    for _ in range(4):
        svi.step()
    model, ours = with_statistics()
    fit(model, AutoNormal(model), settings=FitSettings(steps=5, method="adam", engine=engine))
    assert norm.num_batches_tracked == ours.num_batches_tracked == 5
    torch.testing.assert_close(ours.running_mean, norm.running_mean)


def test_a_model_that_keeps_statistics_is_climbed_by_steps() -> None:
    model, norm = with_statistics()
    found = fit(model, AutoMultivariateNormal(model), settings=FitSettings(steps=400))
    assert (found.method, int(norm.num_batches_tracked)) == ("adam", 400)
    with pytest.raises(FitError, match=r"keeps 'norm\.num_batches_tracked', which"):
        fit(model, AutoMultivariateNormal(model), settings=FitSettings(method="curvature"))
    norm.eval()
    assert fit(model, AutoMultivariateNormal(model)).method == "curvature"


# What was made before --------------------------------------------------------------------------

PRIOR = dist.Normal(0.0, 1.0).expand([3]).to_event(1)


class Regression(PyroModule):  # type: ignore[misc]
    """The regression of Pyro's tutorial."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = PyroModule[nn.Linear](3, 1)
        self.linear.weight = PyroSample(dist.Normal(0.0, 1.0).expand([1, 3]).to_event(2))
        self.linear.bias = PyroSample(dist.Normal(0.0, 10.0).expand([1]).to_event(1))

    def forward(self) -> None:
        mean = self.linear(torch.eye(3)).squeeze(-1)
        with pyro.plate("data", 3):
            pyro.sample("y", dist.Normal(mean, 1.0), obs=torch.arange(3.0))


def by_module_level_prior() -> None:
    w = pyro.sample("w", PRIOR)
    with pyro.plate("data", 3):
        pyro.sample("y", dist.Normal(w, 1.0), obs=torch.arange(3.0))


@pytest.mark.parametrize("model", [Regression(), by_module_level_prior], ids=["module", "global"])
def test_priors_made_before_cost_no_graph(model: Model) -> None:
    settings = FitSettings(steps=300, method="adam", engine="graph")
    assert fit(model, AutoNormal(model), settings=settings).notes == ()
    density = LogDensity(model)
    assert Gradients(density, torch.zeros(density.dim, dtype=torch.float64)).obstacle is None
    with pytest.raises(ValueError, match="invalid values"):  # it still checks elsewhere
        PRIOR.log_prob(torch.full((3,), torch.nan))
