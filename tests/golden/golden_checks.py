"""Checks of an emitted model: that it means what its program does, for one draw and for many."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pyro
import pytest
import torch
from golden_data import arguments, environment, sizes
from golden_densities import (
    DRAWS,
    Run,
    by_draw,
    condition,
    draw,
    one_by_one,
    ranks_of,
    stacked,
    summed_out,
)
from golden_meaning import Meaning
from pyro.poutine import Trace

from compiler.ir import Program, Recorded, Site
from compiler.ir.program import statements
from compiler.run.axes import Variable, named_axes
from compiler.run.module import EmittedModule


def check_vectorised(program: Program, module: EmittedModule) -> None:
    """Hold log densities of several draws in one pass against those of a run for each."""
    nesting = program.max_plate_nesting
    run = bound(module.function("model"), environment(program, module))
    traces = [draw(run) for _ in range(DRAWS)]
    enumerated = {s.name for s in program.latents() if s.discrete and s.states is None}
    ranks = {n: r for n, r in ranks_of(traces[0]).items() if n not in enumerated}
    together = condition(run, stacked(traces, ranks, nesting))
    apart = [condition(run, {n: t.nodes[n]["value"] for n in ranks}) for t in traces]
    if enumerated:
        looped = sum(summed_out(one, nesting) for one in apart)
        plate = pyro.plate("_draws", DRAWS, dim=-1 - nesting)
        assert math.isfinite(looped)
        assert summed_out(plate(together), nesting + 1) == pytest.approx(looped, rel=1e-9)
        return
    _same(together, apart, nesting)


def check_predict(program: Program, module: EmittedModule) -> None:
    """Do the same for the `predict` block."""
    values = environment(program, module)
    run_model = bound(module.function("model"), values)
    traces = [draw(run_model) for _ in range(DRAWS)]
    ranks = {s.name: len(s.event) for s in program.latents()}
    ranks |= {r.name: len(r.value.type.event) for r in program.records()}
    predict = module.function("predict")
    apart, predicted = [], []
    for trace in traces:
        run = bound(predict, values | {name: trace.nodes[name]["value"] for name in ranks})
        predicted.append(draw(run))
        names = ranks_of(predicted[-1])
        apart.append(condition(run, {n: predicted[-1].nodes[n]["value"] for n in names}))
    nesting = program.max_plate_nesting
    together = bound(predict, values | stacked(traces, ranks, nesting))
    _same(condition(together, stacked(predicted, names, nesting)), apart, nesting)


def _same(together: Run, apart: list[Run], nesting: int) -> None:
    expected = one_by_one(apart)
    found = by_draw(together, nesting)
    assert list(found) == list(expected)
    for name, density in expected.items():
        assert torch.isfinite(density).all(), name
        torch.testing.assert_close(found[name], density, rtol=1e-9, atol=1e-9, msg=name)


def check_meaning(program: Program, module: EmittedModule) -> None:
    """Hold log densities and recorded values against those worked out without the emitter."""
    values = environment(program, module)
    trace = draw(bound(module.function("model"), values))
    found = {name: value for name, value in values.items() if isinstance(value, torch.Tensor)}
    found |= {s.name: _of(trace, s, program) for s in program.latents()}
    meaning = Meaning(program, sizes(program), found)
    meaning.run(program.model)
    _compare(meaning, trace, program.sites())
    for record in program.records():
        recorded = meaning.recorded(record).to(torch.get_default_dtype())
        torch.testing.assert_close(_of(trace, record, program), recorded, msg=record.name)
    if not program.predict:
        return
    kept = [s.name for s in (*program.latents(), *program.records())]
    given = values | {name: trace.nodes[name]["value"] for name in kept}
    trace = draw(bound(module.function("predict"), given))
    predicted = [s for s in statements(program.predict) if isinstance(s, Site)]
    found |= {r.name: meaning.recorded(r) for r in program.records()}
    found |= {site.name: _of(trace, site, program) for site in predicted}
    meaning = Meaning(program, sizes(program), found)
    meaning.run(program.predict)
    _compare(meaning, trace, predicted)


def _of(trace: Trace, statement: Site | Recorded, program: Program) -> torch.Tensor:
    """Return a site's value with its own axes: its plates first."""
    value = trace.nodes[statement.name]["value"][None]
    if isinstance(statement, Site):
        lengths = [sizes(program)[a] if isinstance(a, str) else a for a in statement.event]
        assert list(value.shape[value.dim() - len(lengths) :]) == lengths, statement.name
    shaped = named_axes(value, Variable.of(statement), program, sizes(program))
    return torch.as_tensor(shaped)[0].to(torch.get_default_dtype())


def _compare(meaning: Meaning, trace: Trace, sites: Iterable[Site]) -> None:
    """Hold the log densities that a trace has against those that the program means."""
    trace.compute_log_prob()
    lowered = {site.name for site in sites if site.lowered}
    names = {site.name: site.base_name or site.name for site in sites}
    for name, density in meaning.densities.items():
        if name not in lowered:
            found = trace.nodes[names.get(name, name)]["log_prob"].sum()
            near = meaning.tolerance
            torch.testing.assert_close(found, density, rtol=near, atol=near, msg=name)


def bound(function: Any, values: dict[str, Any]) -> Run:
    """Return a function with its arguments taken from some values."""
    kwargs = arguments(function, values)
    return lambda: function(**kwargs)
