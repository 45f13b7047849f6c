"""Parameters before and after a fit: stored ones, frozen ones, and those of functions."""

from __future__ import annotations

import copy
import io
import itertools
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Predictive, Trace_ELBO
from pyro.nn import PyroModule, PyroParam
from torch import Tensor, nn

import autoguide_core
from autoguide_core import (
    AutoCallable,
    AutoGuideList,
    AutoLaplaceApproximation,
    AutoMultivariateNormal,
    AutoNormal,
    FitError,
    FitResult,
    FitSettings,
    fit,
    fit_many,
)

Y = torch.tensor(2.0)
POSITIVE = dist.constraints.positive


def model(y: Tensor = Y) -> None:
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b", dist.Normal(a, 1.0))
    pyro.sample("y", dist.Normal(b, 1.0), obs=y)


def by_hand(y: Tensor = Y) -> None:
    scale = pyro.param("scale", torch.tensor(0.5), constraint=POSITIVE)
    pyro.sample("a", dist.Normal(pyro.param("a_loc", torch.tensor(0.0)), scale))
    pyro.sample("b", dist.Normal(pyro.param("b_loc", torch.tensor(0.0)), 0.5))


def of_b(y: Tensor = Y) -> None:
    pyro.sample("b", dist.Normal(pyro.param("b_loc", torch.tensor(0.0)), 0.5))


def only(name: str) -> Any:
    return poutine.block(model, expose=[name])


def two_parts(second: Callable[..., Any] | None = None) -> AutoGuideList:
    guide = AutoGuideList(model)
    guide.append(AutoNormal(only("a")))
    guide.append(second or AutoNormal(only("b")))
    return guide


def fitted(guide: Any, y: float = 2.0, steps: int = 500, **options: Any) -> FitResult:
    settings = FitSettings(steps=steps, optimizer_options={"lr": 0.1}, **options)
    return fit(model, guide, (torch.tensor(y),), settings=settings)


def mean_of_b(guide: Any) -> float:
    return float(Predictive(model, guide=guide, num_samples=400)(Y)["b"].mean())


@pytest.mark.parametrize(
    "make",
    [lambda: by_hand, lambda: two_parts(of_b), two_parts, lambda: AutoMultivariateNormal(model)],
    ids=["function", "list with a function", "list", "joint"],
)
def test_a_fitted_guide_has_its_own_values_in_any_store(make: Callable[[], Any]) -> None:
    results = {y: fitted(make(), y) for y in (2.0, -4.0)}
    for y in (2.0, -4.0, 2.0):  # after each other in one store, under the same names
        assert mean_of_b(results[y].guide) == pytest.approx(y * 2 / 3, abs=0.4)
    with results[2.0].parameters():
        assert mean_of_b(results[2.0].guide) == pytest.approx(4 / 3, abs=0.4)
    twin = pickle.loads(pickle.dumps(results[-4.0].guide))
    assert mean_of_b(twin) == pytest.approx(-8 / 3, abs=0.4)
    again = fitted(copy.deepcopy(results[-4.0].guide), -4.0, steps=2, method="adam")
    assert mean_of_b(again.guide) == pytest.approx(-8 / 3, abs=0.5)


def test_stock_svi_goes_on_from_a_fitted_function() -> None:
    found = fitted(by_hand)
    before = found.parameter_values()
    svi = SVI(model, found.guide, pyro.optim.Adam({"lr": 0.05}), Trace_ELBO())
    for _ in range(200):
        svi.step(torch.tensor(8.0))
    after = found.parameter_values()
    assert after["b_loc"] == pytest.approx(8 * 2 / 3, abs=0.5)
    assert all(after[name] != before[name] for name in before)
    with pytest.raises(FitError):  # which leaves the function as it was bound
        fit(model, found.guide, ("no tensor",))
    assert fitted(found.guide, 8.0, steps=1).parameter_values()["b_loc"] == pytest.approx(
        float(after["b_loc"]), abs=0.1
    )


def test_a_function_starts_from_what_the_store_holds() -> None:
    pyro.param("a_loc", torch.tensor(7.0))
    pyro.param("scale", torch.tensor(0.125), constraint=POSITIVE)
    pyro.param("of another", torch.tensor(1.0))
    for guide in (by_hand, AutoCallable(model, by_hand)):
        found = fitted(guide, steps=1)
        values = found.parameter_values()
        assert values.keys() == {"scale", "a_loc", "b_loc"}
        assert values["a_loc"] == pytest.approx(7.0, abs=0.2)
        assert values["scale"] == pytest.approx(0.125, abs=0.05)
        assert not found.notes
    many = fit_many(
        model,
        by_hand,
        data=[((torch.tensor(y),), {}) for y in (1.0, 2.0)],
        settings=FitSettings(steps=1),
    )
    assert [float(one.parameter_values()["a_loc"]) for one in many.results] == pytest.approx(
        [7.0, 7.0], abs=0.1
    )
    assert float(pyro.param("a_loc").detach()) == 7.0  # the store itself stays as it was
    pyro.clear_param_store()
    pyro.param("a_loc", torch.zeros(3))
    with pytest.raises(FitError, match=r"holds 'a_loc' with an unconstrained shape of \(3,\)"):
        fitted(by_hand, steps=1)


def test_values_under_the_names_of_an_automatic_guide_are_not_taken_for_its_own() -> None:
    fresh = AutoNormal(model)
    svi = SVI(model, AutoNormal(model), pyro.optim.Adam({"lr": 0.05}), Trace_ELBO())
    for _ in range(20):
        svi.step()
    assert not fitted(svi.guide, steps=1).notes  # the very guide goes on
    assert not fitted(fresh, steps=1).notes  # what is there is another's, which is still there
    stored = io.BytesIO()
    torch.save(pyro.get_param_store().get_state(), stored)
    stored.seek(0)
    pyro.clear_param_store()
    pyro.get_param_store().set_state(torch.load(stored, weights_only=False))
    (note,) = fitted(AutoNormal(model), steps=1).notes
    assert "'AutoNormal.locs.a' and 3 more was not used: the guide starts from values" in note


@pytest.mark.parametrize("engine", ["auto", "plain", "eager", "graph", "native"])
def test_frozen_parts_stay_as_they_are(engine: str) -> None:
    def drawing(y: Tensor = Y) -> None:  # what only plain Pyro can step
        model(y)
        pyro.sample("c", dist.Bernoulli(0.5), infer={"enumerate": "parallel"})

    guide = two_parts()
    guide(Y)
    guide[0].requires_grad_(False)
    before = {name: value.clone() for name, value in guide.named_parameters()}
    chosen = "auto" if engine == "plain" else engine
    settings = FitSettings(steps=400, method="adam", engine=chosen, averaging=engine != "eager")
    found = fit(drawing if engine == "plain" else model, guide, settings=settings)
    after = dict(guide.named_parameters())
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert torch.equal(value, after[name]) == name.startswith("0."), name
        assert after[name].requires_grad != name.startswith("0.")
    assert found.parameter_values().keys() == {f"AutoGuideList.{n}" for n in _plain(before)}


def _plain(names: Any) -> Iterator[str]:
    return (name.removesuffix("_unconstrained") for name in names)


def test_frozen_parameters_of_joint_guides_and_models() -> None:
    guide = AutoMultivariateNormal(model)
    guide(Y)
    guide.loc.requires_grad_(False)
    with pytest.raises(FitError, match="curvature' cannot be used: the guide's parameter 'loc' is"):
        fitted(guide, method="curvature")
    before = guide.loc.clone()
    assert fitted(guide, steps=50).method == "adam"
    assert torch.equal(guide.loc, before)
    guide.requires_grad_(False)
    with pytest.raises(FitError, match="a parameter to fit that is not frozen"):
        fitted(guide)

    class Linear(PyroModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = PyroModule[nn.Linear](1, 1)
            self.shift = nn.Parameter(torch.tensor(1.0))
            self.rate = PyroParam(torch.tensor(1.0), constraint=POSITIVE)

        def forward(self) -> None:
            a = pyro.sample("a", dist.Normal(self.shift, self.rate))
            pyro.sample("y", dist.Normal(self.net(a.reshape(1, 1)).squeeze(), 1.0), obs=Y)

    linear = Linear()
    linear.net.requires_grad_(False)
    linear.shift.requires_grad_(False)
    values = {name: value.clone() for name, value in linear.named_parameters()}
    fit(linear, AutoNormal(linear), settings=FitSettings(steps=60))
    for name, value in linear.named_parameters():
        assert torch.equal(value, values[name]) == (name != "rate_unconstrained"), name
    linear.requires_grad_(False)
    assert fit(linear, AutoMultivariateNormal(linear)).method == "curvature"


class Named(PyroModule):  # type: ignore[misc]
    """A linear map that goes by a name of its own wherever it is used."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.linear = PyroModule[nn.Linear](1, 1)
        self.rate = PyroParam(torch.tensor(1.0), constraint=POSITIVE)

    def forward(self, x: Tensor) -> Tensor:
        product: Tensor = self.rate * self.linear(x)
        return product


def test_frozen_modules_that_a_model_closes_over() -> None:
    nets = {name: Named(name) for name in ("frozen", "late", "free")}
    nets["frozen"].requires_grad_(False)
    nets["late"].requires_grad_(False)
    leaves = {n: leaf for n, net in nets.items() for leaf in nn.Module.parameters(net)}
    before = {name: leaf.clone() for name, leaf in leaves.items()}
    calls = itertools.count()

    def with_nets() -> None:
        a = pyro.sample("a", dist.Normal(0.0, 1.0)).reshape(1, 1)
        for name in ("frozen", "late", "free") if next(calls) > 20 else ("frozen", "free"):
            a = nets[name](a)
        pyro.sample("y", dist.Normal(a.squeeze(), 1.0), obs=Y)

    fit(with_nets, AutoNormal(with_nets), settings=FitSettings(steps=60, method="adam"))
    for name, leaf in leaves.items():
        assert leaf.requires_grad == name.startswith("free"), name
        assert torch.equal(leaf, before[name]) != name.startswith("free"), name


@pytest.mark.parametrize(
    "family",
    ["AutoNormal", "AutoMultivariateNormal", "AutoLaplaceApproximation", "AutoIAFNormal", "list"],
)
def test_module_local_params_work(family: str) -> None:
    with pyro.settings.context(module_local_params=True):
        guide = two_parts(of_b) if family == "list" else getattr(autoguide_core, family)(model)
        found = fitted(guide)
        assert mean_of_b(found.guide) == pytest.approx(4 / 3, abs=0.4)
        with found.parameters():
            assert mean_of_b(found.guide) == pytest.approx(4 / 3, abs=0.4)
        again = fitted(found.guide, steps=2)
        assert mean_of_b(again.guide) == pytest.approx(4 / 3, abs=0.4)


def test_a_model_with_parameters_of_its_own_is_run_with_them() -> None:
    def learned(y: Tensor = Y) -> None:
        loc = pyro.param("loc", torch.tensor(0.0))
        a = pyro.sample("a", dist.Normal(loc, 0.1))
        pyro.sample("y", dist.Normal(a, 0.1), obs=y)

    for guide in (AutoNormal(learned), AutoLaplaceApproximation(learned)):
        found = fit(learned, guide, settings=FitSettings(steps=1500, method="adam"))
        assert found.notes[-1].startswith("the model has parameters of its own (loc): run it as")
        with poutine.trace() as tracer:
            found.bound(learned)()
        assert float(tracer.trace.nodes["loc"]["value"].detach()) == pytest.approx(2.0, abs=0.1)
        assert "loc" not in pyro.get_param_store()


def test_a_result_is_copied_and_pickled_together_with_its_density() -> None:
    found = fitted(AutoMultivariateNormal(model))
    assert found.gaussian is not None
    points, *densities = found.gaussian.draw(5, seed=1)  # which compiles the density
    for twin in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert mean_of_b(twin.guide) == pytest.approx(4 / 3, abs=0.4)
        assert twin.parameter_values().keys() == found.parameter_values().keys()
        again, *others = twin.gaussian.draw(5, seed=1)
        assert torch.equal(again, points)
        for one, other in zip(densities, others, strict=True):
            torch.testing.assert_close(one, other)
        assert twin.gaussian.gradients is not found.gaussian.gradients
        assert twin.gaussian.gradients.engine == found.gaussian.gradients.engine
