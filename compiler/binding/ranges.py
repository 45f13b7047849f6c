"""Checks data against their declared bounds and forms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from compiler.binding.draft import Draft, first_and_more
from compiler.binding.forms import FORMS
from compiler.diagnostics import Diagnostics

Values = npt.NDArray[np.float64]


def check_values(drafted: Draft, diagnostics: Diagnostics) -> None:
    """Report the entries that are outside the declared bounds, and values not of the form."""
    variable = drafted.variable
    values = drafted.values
    bounds = (
        (variable.lower, variable.lower_strict, ">", np.less),
        (variable.upper, variable.upper_strict, "<", np.greater),
    )
    for bound, strict, sign, beyond in bounds:
        if bound is None:
            continue
        outside = beyond(values, bound) | (values == bound if strict else False)
        if np.any(outside):
            _report_range(
                drafted, outside, f"{sign}{'' if strict else '='} {bound:.10g}", diagnostics
            )
    if variable.element == "bool" and (odd := (values != 0) & (values != 1)).any():
        _report_range(drafted, odd, "true or false (1 or 0)", diagnostics)
    if variable.form is not None:
        _check_form(drafted, diagnostics)


def _report_range(
    drafted: Draft, outside: npt.NDArray[np.bool_], wanted: str, diagnostics: Diagnostics
) -> None:
    place, more = first_and_more(outside)
    diagnostics.report(
        "PPL093",
        drafted.variable.location.span,
        f"{drafted.show(place)}{more}; {drafted.variable.name!r} is declared to be {wanted}",
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
