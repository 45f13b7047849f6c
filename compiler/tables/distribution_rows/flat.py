"""The flat (improper) prior, the language's own."""

from __future__ import annotations

import math

from compiler.tables.distribution_row import DistributionRow, Parameter, Sum, SupportRule

ROWS = (
    DistributionRow(
        "Flat",
        (
            Parameter("lower", default=-math.inf, keyword_only=True),
            Parameter("upper", default=math.inf, keyword_only=True),
        ),
        "a prior of constant density, on all reals or from and to the bounds given",
        "1",
        support=SupportRule(lower=Sum(("lower",)), upper=Sum(("upper",))),
        in_order=("lower", "upper"),
        mean_known=False,
        ours=True,
        note="Improper unless both bounds are given: a likelihood has to reach the site.",
    ),
)
