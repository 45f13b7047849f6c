"""A guide in an IR file is checked against the tables before anything is emitted from it."""

import pytest
from guide_specs import SCHOOLS, guide, program

from compiler.ir import Program
from compiler.pipeline import compile_source

SPEC = program(
    SCHOOLS,
    guide(
        "part a = AutoNormal(mu, tau) { init uniform(radius = 1); init_scale = 0.2 }",
        'part b = AutoNormal(theta) { init generated "m:f" }',
    ),
    guide('part a = callable "m:f" for (mu, tau, theta) { median = "m:g" }', name="own"),
)


def test_guides_round_trip_through_json() -> None:
    text = SPEC.model_dump_json()
    assert Program.model_validate_json(text) == SPEC
    assert compile_source(text, "spec.json").program == SPEC


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ('"AutoNormal"', '"AutoEvil"'),
        ('"uniform"', '"evil"'),
        ('"init_scale":0.2', '"init_scale":-1'),
        ('"init_scale":0.2', '"x=print(1), y":1'),
        ('"radius":1.0', '"evil":1.0'),
        ('"m:f"', '"m:f()"'),
        ('"m:g"', '"import os"'),
        ('"sites":["theta"]', '"sites":["y"]'),
    ],
)
def test_a_guide_that_is_not_well_formed_is_refused(written: str, instead: str) -> None:
    text = SPEC.model_dump_json()
    assert written in text
    compilation = compile_source(text.replace(written, instead), "spec.json")
    assert compilation.program is None
    assert {d.code for d in compilation.diagnostics.errors} == {"PPL002"}
