"""Checks that an init value of literals lies inside the support of its site."""

from __future__ import annotations

import math
from itertools import pairwise

from compiler.checks.init_shapes import has_shape_of
from compiler.checks.parts import values_of
from compiler.diagnostics import Diagnostics
from compiler.ir.literals import Array, literal_array, matrices, numbers, rows
from compiler.ir.program import Program
from compiler.ir.queries import known_size
from compiler.ir.statements import Site

_TOLERANCE = 1e-6


def check_values(program: Program, diagnostics: Diagnostics) -> None:
    """PPL073: the numbers of a value are inside the support, not on its border."""
    for _, value, site in values_of(program):
        if not has_shape_of(program, site, value.value):
            continue  # told by check_shapes
        array = literal_array(value.value)
        trouble = None if array is None else _trouble(program, site, array)
        if trouble is not None:
            message, remedy = trouble
            diagnostics.report(
                "PPL073",
                value.location.span,
                f"the init value of `{site.name}` {message}",
                remedy,
                [(f"`{site.name}` is drawn here", site.location.span)],
            )


def _trouble(program: Program, site: Site, array: Array) -> tuple[str, str] | None:
    """Return what is wrong with a value, and what to write."""
    match site.support.kind:
        case "simplex":
            return _simplex(program, site, array)
        case "ordered" | "positive_ordered":
            return _ordered(site, array)
        case "corr_cholesky" | "lower_cholesky":
            return _cholesky(site, array)
        case "positive_definite" | "corr_matrix":
            return _positive_definite(site, array)
        case _:
            return _bounds(site, array)


def _bounds(site: Site, array: Array) -> tuple[str, str] | None:
    lower, upper = site.support.lower, site.support.upper
    for number in numbers(array):
        if lower is not None and number <= lower:
            return (
                f"has the entry {number:g}, which is not above {lower:g}",
                f"write a number above {lower:g}",
            )
        if upper is not None and number >= upper:
            return (
                f"has the entry {number:g}, which is not below {upper:g}",
                f"write a number below {upper:g}",
            )
    return None


def _simplex(program: Program, site: Site, array: Array) -> tuple[str, str] | None:
    remedy = "write positive numbers that add up to 1"
    if any(number <= 0 for number in numbers(array)):
        return "has an entry that is not positive", remedy
    if isinstance(array, float):
        size = known_size(program, site.event[-1])
        sums = [] if size is None else [array * size]
    else:
        sums = [math.fsum(row) for row in rows(array)]
    wrong = [total for total in sums if abs(total - 1) > _TOLERANCE]
    return (f"adds up to {wrong[0]:g}, not to 1", remedy) if wrong else None


def _ordered(site: Site, array: Array) -> tuple[str, str] | None:
    remedy = "write numbers in increasing order, one for each entry"
    if isinstance(array, float):
        return "is one number for all entries, which have to increase", remedy
    if any(a >= b for row in rows(array) for a, b in pairwise(row)):
        return "does not increase from entry to entry", remedy
    if site.support.kind == "positive_ordered" and any(number <= 0 for number in numbers(array)):
        return "has an entry that is not positive", "write positive numbers in increasing order"
    return None


def _cholesky(site: Site, array: Array) -> tuple[str, str] | None:
    remedy = "write a lower triangular matrix with a positive diagonal, or `identity(…)`"
    if isinstance(array, float):
        return "is one number for all entries of a triangular matrix", remedy
    for matrix in matrices(array):
        for i, row in enumerate(matrix):
            if any(row[i + 1 :]) or row[i : i + 1] <= (0.0,):
                return "is not lower triangular with a positive diagonal", remedy
            if site.support.kind == "corr_cholesky" and abs(math.hypot(*row) - 1) > _TOLERANCE:
                return "has a row whose squares do not add up to 1", "write `identity(…)`"
    return None


def _positive_definite(site: Site, array: Array) -> tuple[str, str] | None:
    remedy = "write a symmetric positive definite matrix, or `identity(…)`"
    if isinstance(array, float):
        return "is one number for all entries of a matrix", remedy
    for matrix in matrices(array):
        transposed = tuple(zip(*matrix, strict=False))
        if transposed != matrix or any(row[i] <= 0 for i, row in enumerate(matrix)):
            return "is not symmetric with a positive diagonal", remedy
        unit = site.support.kind == "corr_matrix"
        if unit and any(abs(row[i] - 1) > _TOLERANCE for i, row in enumerate(matrix)):
            return "has a diagonal that is not 1", remedy
    return None
