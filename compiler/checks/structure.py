"""Checks of the model's structure: that it has a likelihood, and that every latent reaches it."""

from __future__ import annotations

from compiler.diagnostics import Diagnostics
from compiler.ir import FactorTerm, PlateBlock, Program, Site, Statement
from compiler.ir.program import statements
from compiler.ir.queries import references, values_of


def check_likelihood(program: Program, diagnostics: Diagnostics) -> None:
    """Warn of a model that nothing observed enters: its posterior is its prior."""
    if diagnostics.errors:
        return  # what failed may have been the likelihood
    for statement in statements(program.model):
        if isinstance(statement, FactorTerm) or (
            isinstance(statement, Site) and statement.observed
        ):
            return
    first = next((s for s in statements(program.model)), None)
    diagnostics.report(
        "PPL044",
        None if first is None else first.location.span,
        "the model observes nothing, so that its posterior is its prior",
        f"draw a variable of the data block: `{_outcome(program)} ~ …`",
    )


def _outcome(program: Program) -> str:
    """Return the name of data that nothing reads, which may have been meant to be drawn."""
    values = (value for one in statements(program.model) for value in values_of(one))
    read = {reference.name for value in values for reference in references(value)}
    return next((data.name for data in reversed(program.data) if data.name not in read), "y")


def check_reached(program: Program, diagnostics: Diagnostics) -> None:
    """Tell of latents that no observed site or factor depends on.

    With a proper prior such a latent keeps its prior, which is worth a warning; with a flat one it
    has no posterior at all.
    """
    if diagnostics.errors:
        return  # what failed may have been the use
    reads = _reads(program)
    wanted = {
        statement.name
        for statement in statements(program.model)
        if isinstance(statement, FactorTerm) or (isinstance(statement, Site) and statement.observed)
    }
    reached: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in reached:
            reached.add(name)
            wanted |= reads.get(name, set())
    if not reached:
        return
    predicted: set[str] = set().union(*(_names(s) for s in statements(program.predict)))
    for site in program.latents():
        if site.name in reached:
            continue
        if site.distribution.name == "Flat":
            diagnostics.report(
                "PPL043",
                site.location.span,
                f"`{site.name}` has a flat prior, and nothing observed depends on it",
                "give it a proper prior, or take it away",
            )
        elif site.name not in predicted:
            diagnostics.report(
                "PPL019",
                site.location.span,
                f"nothing observed depends on `{site.name}`, which keeps its prior",
                "take it away, or use it",
            )


def _reads(program: Program) -> dict[str, set[str]]:
    """Return the names that each site, value and factor of the model is computed from."""
    return {
        statement.name: _names(statement)
        for statement in statements(program.model)
        if not isinstance(statement, PlateBlock)
    }


def _names(statement: Statement) -> set[str]:
    return {r.name for value in values_of(statement) for r in references(value)}
