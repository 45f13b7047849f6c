"""Every function of the table: of latents as of numbers, one by one and many, once compiled."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pyro import poutine

from autoguide_core.engine.curvature.compiled import CompiledGradients
from autoguide_core.engine.curvature.density import LogDensity
from autoguide_core.engine.curvature.gradients import Gradients, hessian_by_differences
from compiler.emit import emit_module
from compiler.ir import Program
from compiler.pipeline import compile_text
from compiler.run.module import load_module
from compiler.tables.function_row import FunctionRow
from compiler.tables.functions import FUNCTIONS, OPERATORS
from fuzz.compilers import quick_compiler

ARGUMENTS = {
    "log1m_exp": "(-u)",
    "log_diff_exp": "(u + 1, u)",
    "log_choose": "(u + 5, u)",
    "choose": "(u + 5, u)",
    "clip": "(v, 0 - n, n)",
    "cholesky": "(A)",
    "solve": "(A, v)",
    "solve_lower": "(L, v)",
    "linear_kernel": "(v, n)",
    "rational_quadratic": "(v, n, n, n + 1)",
    "periodic_kernel": "(v, n, n, n + 1)",
    "fill": "(n, k)",
    "zeros": "(k)",
    "ones": "(k, k)",
    "identity": "(k)",
    "count": "(k)",
    "place": "(k)",
    "quantile": "(v, 0.3)",
    "interpolate": "(n, [0, 0.4, 1], v)",
    "bspline": "(place(k), k)",
    "ode": "(decay, v, 0, [0.5, 1], n)",
    "if": "(if v > n then u else v)",
    "negative": "(-v)",
    "not": "(not (v > n))",
    "@": "(A @ v)",
    "and": "((v > n) and u)",
    "or": "((v > n) or (u > 0.6))",
}
"""The arguments of those that need others than the rule for their shape gives them."""

BY_SHAPE = {
    "reduce": "(v)",
    "along": "(v)",
    "dot": "(u, v)",
    "outer": "(u, v)",
    "transpose": "(outer(u, v))",
    "diagonal_matrix": "(u)",
    "diagonal": "(A)",
    "square": "(A)",
    "square_scalar": "(A)",
    "covariance": "(v, n, n + 1)",
    "add_diagonal": "(A, n)",
    "columns": "(u, v)",
    "concatenate": "(u, v)",
}


def call(row: FunctionRow) -> str:
    """Return a call of a function, or an operation, within its domain."""
    if row.name in ARGUMENTS and row.name in OPERATORS:
        return ARGUMENTS[row.name]
    if row.name in OPERATORS:
        return f"(v {row.name} u)" if row.name != "**" else "(u ** v)"
    if row.name in ARGUMENTS:
        return row.name + ARGUMENTS[row.name]
    if row.shape == "elementwise":
        return f"{row.name}({', '.join(['u', 'v * v', 'n'][: len(row.parameters)])})"
    return row.name + BY_SHAPE[row.shape]


CALLS = {name: call(row) for name, row in (OPERATORS | FUNCTIONS).items()}


SETTING = """\
data { dim k = 3 }
def decay(t, z, rate) = -rate * z
model m {
"""
LATENTS = """\
  u[k] ~ Uniform(0.2, 0.8)
  v[k] ~ Normal(0, 1)
  n ~ Uniform(0.2, 0.8)
  record L[k, k] = diag(u) + [[1, 0, 0], [0.3, 1, 0], [0, 0.1, 1]]
  record A[k, k] = L @ transpose(L)
"""
VALUES = {"u": [0.3, 0.55, 0.7], "v": [0.4, -1.1, 0.8], "n": 0.45}


def text_of(replaced: dict[str, str]) -> str:
    """Return a spec that keeps the value of every call, some names in them replaced."""
    lines = []
    for place, text in enumerate(CALLS.values()):
        for name, other in replaced.items():
            text = re.sub(rf"\b{name}\b", other, text)
        lines.append(f"  record r{place} = {text}\n")
    return SETTING + ("  u ~ Normal(0, 1)\n" if replaced else LATENTS) + "".join(lines) + "}\n"


def program_of(text: str) -> Program:
    compilation = compile_text(text, "functions.ppl")
    assert compilation.program is not None, list(compilation.diagnostics)
    return compilation.program


def kept(text: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return what a spec keeps, at some values of its latents."""
    program = program_of(text)
    module = load_module(emit_module(program), "functions.ppl")
    model = poutine.condition(
        module.function("model"), {name: torch.tensor(value) for name, value in values.items()}
    )
    trace = poutine.trace(model).get_trace(**module.arguments("model", {"k": 3}))
    return {record.name: trace.nodes[record.name]["value"] for record in program.records()}


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def test_functions_of_numbers_alone_are_those_of_latents() -> None:
    expected = kept(text_of({}), VALUES)
    numbers = {name: str(value) for name, value in VALUES.items()}
    numbers |= {name: str(expected[name].tolist()) for name in ("L", "A")}
    found = kept(text_of(numbers), {"u": 0.5})
    for place, name in enumerate(CALLS):
        value, wanted = found[f"r{place}"], expected[f"r{place}"]
        message = f"{name}: {value} where {wanted} was expected"
        assert value.shape == wanted.shape, message
        torch.testing.assert_close(value.to(wanted.dtype), wanted, msg=message)


TERMS = ("sin(r{0})", "sum(sin(r{0}))")


def density(without: Collection[str] = ()) -> LogDensity:
    """Return a density that has a bounded term for each entry of each function's value."""
    ranks = {r.name: len(r.value.type.event) for r in program_of(text_of({})).records()}
    lines = [
        f"  factor f{place} = " + TERMS[ranks[f"r{place}"] > 0].format(place)
        for place, name in enumerate(CALLS)
        if name not in without
    ]
    text = text_of({}).removesuffix("}\n") + "\n".join(lines) + "\n}\n"
    module = load_module(emit_module(program_of(text)), "functions.ppl")
    return LogDensity(module.function("model"), (), module.arguments("model", {"k": 3}))


def points(whole: LogDensity) -> torch.Tensor:
    return 0.8 * torch.randn(3, whole.dim, generator=torch.Generator().manual_seed(1))


def test_functions_are_the_same_for_many_points_and_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warnings are errors here: those of operations that cannot be batched among them."""
    monkeypatch.setenv("PPLC_COMPILER", quick_compiler(tmp_path))
    whole = density()
    leaves = points(whole).requires_grad_()
    values = torch.stack([whole(point) for point in leaves])
    (slopes,) = torch.autograd.grad(values.sum(), leaves)
    gradients = Gradients(whole, points(whole)[0])
    compiled = CompiledGradients(gradients, whole.dim, 3)
    assert (gradients.obstacle, compiled.obstacle) == (None, "")
    for evaluator in (gradients, compiled):
        found, found_slopes = evaluator.value_and_grad(points(whole))
        torch.testing.assert_close(found, values.detach(), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(found_slopes, slopes, rtol=1e-8, atol=1e-8)


NO_SECOND = ("logdet", "solve", "ode")
"""Functions whose recorded gradient has no true derivative, so that differences are taken."""


@pytest.mark.parametrize("without", [(), NO_SECOND], ids=["all", "exact"])
def test_second_derivatives(without: tuple[str, ...]) -> None:
    whole = density(without)
    point = points(whole)[0]
    gradients = Gradients(whole, point)
    found = gradients.hessian(point)
    torch.testing.assert_close(
        found, hessian_by_differences(gradients, point), rtol=1e-5, atol=1e-5
    )
    assert (gradients._hessian == gradients._exact_hessian) == bool(without)
