"""Checks data against their declared bounds and forms."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from compiler.binding.draft import Draft
from compiler.binding.forms import FORMS
from compiler.binding.parts import Found, Mask, search
from compiler.diagnostics import Diagnostics

Values = npt.NDArray[np.float64]


def check_values(drafted: Draft, diagnostics: Diagnostics) -> None:
    """Report the entries that are outside the declared bounds, and values not of the form."""
    variable = drafted.variable
    tests: dict[str, Callable[[Values], Mask]] = {}
    bounds = (
        (variable.lower, variable.lower_strict, ">", np.less),
        (variable.upper, variable.upper_strict, "<", np.greater),
    )
    for bound, strict, sign, beyond in bounds:
        if bound is not None:
            wanted = f"{sign}{'' if strict else '='} {bound:.10g}"
            tests[wanted] = partial(_outside, bound=bound, strict=strict, beyond=beyond)
    if variable.element == "bool":
        tests["true or false (1 or 0)"] = lambda values: (values != 0) & (values != 1)
    if tests:
        for wanted, found in zip(tests, search(drafted.parts(), [*tests.values()]), strict=True):
            if found is not None:
                _report_range(drafted, found, wanted, diagnostics)
    if variable.form is not None:
        _check_form(drafted, diagnostics)


def _outside(values: Values, bound: float, strict: bool, beyond: Any) -> Mask:
    outside: Mask = beyond(values, bound) | (values == bound if strict else False)
    return outside


def _report_range(drafted: Draft, outside: Found, wanted: str, diagnostics: Diagnostics) -> None:
    diagnostics.report(
        "PPL093",
        drafted.variable.location.span,
        f"{drafted.show(outside.place)}{outside.more}; {drafted.variable.name!r} is declared to "
        f"be {wanted}",
        "correct the data, or the declaration",
    )


def _check_form(drafted: Draft, diagnostics: Diagnostics) -> None:
    name = str(drafted.variable.form)
    form = FORMS.get(name)
    values = drafted.values
    if form is None or values.ndim < form.axes:
        return
    batch = values.shape[: values.ndim - form.axes]
    for place in np.ndindex(*batch):
        fault = form.fault(values[place])
        if fault is not None:
            diagnostics.report(
                "PPL093",
                drafted.variable.location.span,
                f"{drafted.match.where(place)} is no {form.title}: {fault}",
                "correct the data, or the declaration",
            )
            return
