"""The emitted module of every right spec runs, and means the same for one draw and for many."""

import math
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import pyro
import pytest
import torch
from golden_cases import Case, cases
from golden_data import arguments, environment, sizes
from golden_densities import (
    DRAWS,
    by_draw,
    condition,
    draw,
    one_by_one,
    ranks_of,
    stacked,
    summed_out,
)
from golden_meaning import Meaning
from pyro.infer import Trace_ELBO, TraceEnum_ELBO
from pyro.poutine import Trace

from compiler.emit import emit_module
from compiler.emit.guide import guide_function_name
from compiler.ir import Program, Recorded, Site
from compiler.ir.program import statements
from compiler.ir.queries import minibatches
from compiler.run.axes import Variable, named_axes
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
    names = {n: r for n, r in ranks_of(traces[0]).items() if n not in enumerated}
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


@every_case
def test_meaning(case: Case) -> None:
    program, module = loaded(case.name)
    values = environment(program, module)
    model = module.function("model")
    trace = draw(lambda: model(**arguments(model, values)))
    found = {name: value for name, value in values.items() if isinstance(value, torch.Tensor)}
    found |= {s.name: of_site(trace, s, program) for s in program.latents()}
    meaning = Meaning(program, sizes(program), found)
    meaning.run(program.model)
    compare(meaning, trace, program.sites(), program)
    for record in program.records():
        recorded = meaning.recorded(record).to(torch.get_default_dtype())
        torch.testing.assert_close(of_site(trace, record, program), recorded, msg=record.name)
    if not program.predict:
        return
    kept = [s.name for s in (*program.latents(), *program.records())]
    predict = module.function("predict")
    given = values | {name: trace.nodes[name]["value"] for name in kept}
    trace = draw(lambda: predict(**arguments(predict, given)))
    predicted = [s for s in statements(program.predict) if isinstance(s, Site)]
    found |= {r.name: meaning.recorded(r) for r in program.records()}
    found |= {site.name: of_site(trace, site, program) for site in predicted}
    meaning = Meaning(program, sizes(program), found)
    meaning.run(program.predict)
    compare(meaning, trace, predicted, program)


def of_site(trace: Trace, statement: Site | Recorded, program: Program) -> torch.Tensor:
    """Return a site's value with its own axes: its plates first."""
    value = trace.nodes[statement.name]["value"][None]
    shaped = named_axes(value, Variable.of(statement), program, sizes(program))
    return torch.as_tensor(shaped)[0].to(torch.get_default_dtype())


def compare(meaning: Meaning, trace: Trace, sites: Iterable[Site], program: Program) -> None:
    """Hold the log densities that a trace has against those that the program means."""
    trace.compute_log_prob()
    lowered = {site.name for site in sites if site.lowered}
    names = {site.name: site.base_name or site.name for site in sites}
    for name, density in meaning.densities.items():
        if name not in lowered:
            found = trace.nodes[names.get(name, name)]["log_prob"].sum()
            torch.testing.assert_close(found, density, rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize("case", PREDICTING, ids=lambda case: case.name)
def test_predict(case: Case) -> None:
    program, module = loaded(case.name)
    nesting = program.max_plate_nesting
    values = environment(program, module)
    model, predict = module.function("model"), module.function("predict")
    traces = [draw(lambda: model(**arguments(model, values))) for _ in range(DRAWS)]
    ranks = {s.name: len(s.event) for s in program.latents()}
    ranks |= {r.name: len(r.value.type.event) for r in program.records()}
    apart, predicted = [], []
    for trace in traces:
        run = _bound(predict, values | {name: trace.nodes[name]["value"] for name in ranks})
        predicted.append(draw(run))
        names = ranks_of(predicted[-1])
        apart.append(condition(run, {n: predicted[-1].nodes[n]["value"] for n in names}))
    together = _bound(predict, values | stacked(traces, ranks, nesting))
    expected = one_by_one(apart)
    found = by_draw(condition(together, stacked(predicted, names, nesting)), nesting)
    assert list(found) == list(expected)
    for name, density in expected.items():
        torch.testing.assert_close(found[name], density, rtol=1e-9, atol=1e-9, msg=name)


def _bound(function: Any, values: dict[str, Any]) -> Any:
    kwargs = arguments(function, values)
    return lambda: function(**kwargs)
