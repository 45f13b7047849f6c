"""Checks the options of a part against the sites that it covers."""

from __future__ import annotations

from compiler.checks.parts import families_of, sites_of
from compiler.diagnostics import Diagnostics
from compiler.ir.guides import Part
from compiler.ir.program import Program
from compiler.ir.queries import unconstrained_size
from compiler.tables.flows import FLOWS


def check_rank(program: Program, diagnostics: Diagnostics) -> None:
    """PPL066: a low-rank covariance has a rank below the dimension of its sites."""
    for _, part, family in families_of(program):
        if family.covers == "plate":  # each element has a dimension of its own
            continue
        rank = part.options.get("rank")
        dimension = _dimension(program, part)
        if isinstance(rank, int) and dimension is not None and rank >= dimension:
            diagnostics.report(
                "PPL066",
                part.location.span,
                f"the rank {rank} is not below {dimension}, the dimension of part `{part.name}`",
                f"write a rank below {dimension}, or take AutoMultivariateNormal",
            )


def check_flow(program: Program, diagnostics: Diagnostics) -> None:
    """PPL065 and PPL066: the flow has the networks and the dimension that its options ask for."""
    for _, part, family in families_of(program):
        if not family.flow:
            continue
        flow = FLOWS[str(part.options.get("flow", "iaf"))]
        dimension = _dimension(program, part)
        if "hidden" in part.options and not flow.hidden:
            with_networks = ", ".join(f"`{row.name}`" for row in FLOWS.values() if row.hidden)
            diagnostics.report(
                "PPL065",
                part.location.span,
                f"the flow `{flow.name}` has no hidden layers",
                f"leave `hidden` out, or take one of {with_networks}",
            )
        if dimension is not None and dimension < flow.least_dimension:
            diagnostics.report(
                "PPL066",
                part.location.span,
                f"the flow `{flow.name}` needs {flow.least_dimension} dimensions; part "
                f"`{part.name}` has {dimension}",
                "take another flow, or AutoNormal",
            )


def _dimension(program: Program, part: Part) -> int | None:
    """Return the dimension of a part's sites together, None where it depends on the data."""
    total = 0
    for site in sites_of(program, part):
        size = unconstrained_size(program, site)
        if size is None:
            return None
        total += size
    return total
