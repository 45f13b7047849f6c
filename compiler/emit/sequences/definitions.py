"""What the statements of a `recur` define, as one form: a first value, and one from then on."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.emit.sequences.sites import loc_and_scale, moved
from compiler.ir import (
    Assignment,
    Expression,
    Initially,
    Recorded,
    Reference,
    Site,
    Statement,
    ValueType,
)
from compiler.ir.queries import references, subexpressions
from compiler.ir.rewrite import Arithmetic, rewritten


@dataclass(frozen=True)
class Definition:
    """A value of a `recur`.

    Attributes:
        statement: The statement that defines it.
        value: The value over all steps.
        initial: What it is at the first steps; None where `then` holds throughout.
        then: What it is from then on.
        steps: How many the first steps are.
    """

    statement: Assignment | Recorded | Site
    value: Expression
    initial: Expression | None
    then: Expression
    steps: int

    @property
    def name(self) -> str:
        """Its name."""
        return self.statement.name

    @property
    def kept(self) -> bool:
        """Whether it is kept in the posterior."""
        return not isinstance(self.statement, Assignment)

    def reads(self) -> set[str]:
        """Return the names that it reads, at whatever step."""
        return {reference.name for reference in references(self.value)}


def definition(statement: Statement, dim: str, calc: Arithmetic) -> Definition | None:
    """Return what a statement defines; None where it draws, observes or adds a term."""
    match statement:
        case Assignment(value=value) | Recorded(value=value):
            return _of(statement, value)
        case Site(noncentered=True):
            loc, scale = loc_and_scale(statement, dim)
            base = _base(statement)

            def drawn(loc: Expression, scale: Expression) -> Expression:
                return moved(loc, scale, base, statement, calc)

            parts = _of(statement, loc), _of(statement, scale)
            firsts = [part.value if part.initial is None else part.initial for part in parts]
            steps = max(part.steps for part in parts)
            return Definition(
                statement=statement,
                value=drawn(loc, scale),
                initial=drawn(firsts[0], firsts[1]) if steps else None,
                then=drawn(parts[0].then, parts[1].then),
                steps=steps,
            )
        case _:
            return None


def _of(statement: Assignment | Recorded | Site, value: Expression) -> Definition:
    parts = _initials(value)
    if not parts:
        return Definition(statement, value, None, value, 0)
    return Definition(
        statement=statement,
        value=value,
        initial=rewritten(value, lambda e: e.initial if isinstance(e, Initially) else None),
        then=rewritten(value, lambda e: e.then if isinstance(e, Initially) else None),
        steps=parts[0].steps,
    )


def _initials(value: Expression) -> list[Initially]:
    return [part for part in subexpressions(value) if isinstance(part, Initially)]


def _base(site: Site) -> Reference:
    assert site.base_name is not None
    return Reference(
        name=site.base_name,
        kind="site",
        plates=site.plates,
        event=site.event,
        type=ValueType(element="real", batch=site.plates, event=site.event, random=True),
    )
