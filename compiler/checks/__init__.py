"""The checks of a resolved program: a function each, run in this order by `run_checks`."""

from __future__ import annotations

from collections.abc import Callable

from compiler.checks.discrete import (
    check_enumerable,
    check_enumerated_plates,
    check_enumeration_size,
    check_handled_once,
)
from compiler.checks.guide_coverage import check_alone, check_coverage, check_overlap
from compiler.checks.guide_families import check_minibatched, check_supports
from compiler.checks.guide_options import check_flow, check_rank
from compiler.checks.guide_order import check_order
from compiler.checks.init_noncentered import check_carried
from compiler.checks.init_parts import check_complete, check_membership, check_taken
from compiler.checks.init_shapes import check_shapes
from compiler.checks.init_supports import check_values
from compiler.checks.structure import check_likelihood, check_reached
from compiler.diagnostics import Diagnostics
from compiler.ir.program import Program

Check = Callable[[Program, Diagnostics], None]

CHECKS: tuple[Check, ...] = (
    check_likelihood,
    check_reached,
    check_enumerable,
    check_handled_once,
    check_enumeration_size,
    check_enumerated_plates,
    check_coverage,
    check_overlap,
    check_alone,
    check_order,
    check_minibatched,
    check_supports,
    check_rank,
    check_flow,
    check_taken,
    check_membership,
    check_complete,
    check_shapes,
    check_values,
    check_carried,
)
"""All checks; none changes the program, and none depends on another's having run."""


def run_checks(program: Program, diagnostics: Diagnostics) -> None:
    """Run every check, so that one run tells of everything that is wrong."""
    for check in CHECKS:
        check(program, diagnostics)
