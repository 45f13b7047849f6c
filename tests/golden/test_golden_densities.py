"""The emitted module of every right spec runs, and means the same for one draw and for many."""

import math
from collections.abc import Iterator
from functools import cache

import pyro
import pytest
import torch
from golden_cases import Case, cases
from golden_checks import check_meaning, check_predict, check_vectorised
from golden_data import arguments, environment
from pyro.infer import Trace_ELBO, TraceEnum_ELBO

from compiler.emit import emit_module
from compiler.emit.guide import guide_function_name
from compiler.ir import Program
from compiler.ir.queries import minibatches
from compiler.run.module import EmittedModule, load_module

CASES = cases("good")
PREDICTING = [case for case in CASES if "\npredict {" in case.spec]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
pytestmark = pytest.mark.filterwarnings("ignore:Singular sample")  # Wishart's, without reason


@pytest.fixture(autouse=True)
def _own_surroundings() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    pyro.set_rng_seed(0)
    with pyro.get_param_store().scope():
        yield
    torch.set_default_dtype(before)


@cache
def loaded(case: Case) -> tuple[Program, EmittedModule]:
    program = case.compiled().program
    assert program is not None
    return program, load_module(emit_module(program), case.path)


@every_case
def test_elbo_is_finite(case: Case) -> None:
    program, module = loaded(case)
    values = environment(program, module)
    small = {f"{dim}_minibatch": 2 for dim in minibatches(program)}
    model = module.function("model")
    for chosen in program.guides:
        pyro.clear_param_store()
        guide = module.call(guide_function_name(program, chosen), values | small)
        discrete = any(site.discrete and site.states is None for site in program.latents())
        kind = TraceEnum_ELBO if discrete else Trace_ELBO
        elbo = kind(max_plate_nesting=program.max_plate_nesting)
        kwargs = arguments(model, values | small)
        assert math.isfinite(elbo.loss(model, guide, **kwargs)), chosen.name


@every_case
def test_vectorised_is_looped(case: Case) -> None:
    check_vectorised(*loaded(case))


@every_case
def test_meaning(case: Case) -> None:
    check_meaning(*loaded(case))


@pytest.mark.parametrize("case", PREDICTING, ids=lambda case: case.name)
def test_predict(case: Case) -> None:
    check_predict(*loaded(case))
