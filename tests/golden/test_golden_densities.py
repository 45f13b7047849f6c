"""The emitted module of every right spec runs, and means the same for one draw and for many."""

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import pyro
import pytest
import torch
from golden_cases import Case, cases
from golden_data import arguments, environment, is_latent
from golden_densities import (
    DRAWS,
    by_draw,
    condition,
    draw,
    one_by_one,
    stacked,
    summed_out,
)
from pyro.infer import Trace_ELBO, TraceEnum_ELBO

from compiler.emit import emit_module
from compiler.emit.guide import guide_function_name
from compiler.ir import Program
from compiler.ir.queries import minibatches
from compiler.run.module import EmittedModule, load_module

CASES = cases("good")
pytestmark = pytest.mark.filterwarnings("ignore:Singular sample")  # Wishart's
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
PREDICTING = [case for case in CASES if "\npredict {" in case.spec]


@pytest.fixture(autouse=True)
def _own_surroundings() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    pyro.set_rng_seed(0)
    with pyro.get_param_store().scope():
        yield
    torch.set_default_dtype(before)


@cache
def loaded(name: str) -> tuple[Program, EmittedModule]:
    case = next(case for case in CASES if case.name == name)
    program = case.compiled().program
    assert program is not None
    return program, load_module(emit_module(program), case.path)


@every_case
def test_elbo_is_finite(case: Case) -> None:
    program, module = loaded(case.name)
    values = environment(program, module)
    small = {f"{dim}_minibatch": 2 for dim in minibatches(program)}
    model = module.function("model")
    for chosen in program.guides:
        pyro.clear_param_store()
        guide = module.call(guide_function_name(program, chosen), values | small)
        discrete = any(site.discrete for site in program.latents())
        kind = TraceEnum_ELBO if discrete else Trace_ELBO
        elbo = kind(max_plate_nesting=program.max_plate_nesting)
        kwargs = arguments(model, values | small)
        assert math.isfinite(elbo.loss(model, guide, **kwargs)), chosen.name


@every_case
def test_vectorised_is_looped(case: Case) -> None:
    program, module = loaded(case.name)
    nesting = program.max_plate_nesting
    model = module.function("model")
    kwargs = arguments(model, environment(program, module))

    def run() -> Any:
        return model(**kwargs)

    traces = [draw(run) for _ in range(DRAWS)]
    enumerated = {site.name for site in program.latents() if site.discrete}
    names = [n for n, site in traces[0].nodes.items() if is_latent(site) and n not in enumerated]
    together = condition(run, stacked(traces, names, nesting))
    apart = [condition(run, {n: t.nodes[n]["value"] for n in names}) for t in traces]
    if enumerated:
        looped = sum(summed_out(one, nesting) for one in apart)
        plate = pyro.plate("_draws", DRAWS, dim=-1 - nesting)
        assert summed_out(plate(together), nesting + 1) == pytest.approx(looped, rel=1e-9)
        assert math.isfinite(looped)
        return
    expected = one_by_one(apart)
    found = by_draw(together, nesting)
    assert list(found) == list(expected)
    for name, density in expected.items():
        assert torch.isfinite(density).all(), name
        torch.testing.assert_close(found[name], density, rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize("case", PREDICTING, ids=lambda case: case.name)
def test_predict(case: Case) -> None:
    program, module = loaded(case.name)
    nesting = program.max_plate_nesting
    values = environment(program, module)
    model, predict = module.function("model"), module.function("predict")
    traces = [draw(lambda: model(**arguments(model, values))) for _ in range(DRAWS)]
    kept = [s.name for s in (*program.latents(), *program.records())]
    apart, predicted = [], []
    for trace in traces:
        given = values | {name: trace.nodes[name]["value"] for name in kept}
        run = _bound(predict, given)
        predicted.append(draw(run))
        names = [n for n, site in predicted[-1].nodes.items() if is_latent(site)]
        apart.append(condition(run, {n: predicted[-1].nodes[n]["value"] for n in names}))
    together = _bound(predict, values | stacked(traces, kept, nesting))
    expected = one_by_one(apart)
    found = by_draw(condition(together, stacked(predicted, names, nesting)), nesting)
    assert list(found) == list(expected)
    for name, density in expected.items():
        torch.testing.assert_close(found[name], density, rtol=1e-9, atol=1e-9, msg=name)


def _bound(function: Any, values: dict[str, Any]) -> Any:
    kwargs = arguments(function, values)
    return lambda: function(**kwargs)
