"""Resolves the statements of `model` and `predict`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from compiler.ir import (
    Assignment,
    Expression,
    FactorTerm,
    Location,
    PlateBlock,
    Recorded,
    Site,
    Statement,
    ValueType,
)
from compiler.ir.axes import shown
from compiler.resolve.constants import A_COUNT, count
from compiler.resolve.declarations import resolve_dims
from compiler.resolve.expressions import Expressions, with_axes
from compiler.resolve.gaps import summed
from compiler.resolve.recur import resolve_recur
from compiler.resolve.scope import Scope
from compiler.resolve.sites import resolve_site
from grammar import nodes


@dataclass
class Body:
    """Resolves the body of `model` or, with `predicting`, of `predict`."""

    expressions: Expressions
    predicting: bool = False

    def resolve(self, body: tuple[nodes.Statement, ...], scope: Scope) -> tuple[Statement, ...]:
        """Return the resolved statements; those that something is wrong with are left out."""
        found: list[Statement] = []
        for statement in body:
            match statement:
                case nodes.Sample():
                    site = resolve_site(statement, self.expressions, scope, self.predicting)
                    if site is not None and site.missing and self._sums_gaps(site, scope):
                        found += summed(site, scope)
                    found += [] if site is None else [site]
                case nodes.Assign():
                    found += self._assign(statement, scope)
                case nodes.Record():
                    found += self._record(statement, scope)
                case nodes.Factor():
                    found += self._factor(statement, scope)
                case nodes.Plate():
                    found += self._plate(statement, scope)
                case nodes.Recur():
                    found += resolve_recur(self, statement, scope)
        return tuple(found)

    def _sums_gaps(self, site: Site, scope: Scope) -> bool:
        return scope.symbols[site.name].gaps == "summed"

    def _value(self, statement: nodes.Assign | nodes.Record, scope: Scope) -> Expression | None:
        value = self.expressions.resolve(statement.value, scope)
        return None if value is None else self.as_declared(statement, value, scope)

    def as_declared(
        self,
        statement: nodes.Assign | nodes.Record | nodes.RecurAssign,
        value: Expression,
        scope: Scope,
    ) -> Expression | None:
        """Return a value with the dims that its statement declares; None if it has others."""
        if statement.dims:
            declared = resolve_dims(statement.dims, scope)
            named = self.expressions.sizes.declare(declared, value.type.event)
            if named is None:
                scope.diagnostics.report(
                    "PPL021",
                    statement.span,
                    f"`{statement.name.text}` is declared with {shown(declared)}, but its value "
                    f"has {shown(value.type.event)}",
                    f"write `{statement.name.text}{_brackets(value.type)} = …`",
                )
                return None
            return with_axes(value, named)
        return value

    def _assign(self, statement: nodes.Assign, scope: Scope) -> list[Statement]:
        value = self._value(statement, scope)
        self.define(statement.name, "local", value, scope)
        if value is None:
            return []
        location = Location.of(statement.span)
        return [Assignment(name=statement.name.text, value=value, location=location)]

    def _record(self, statement: nodes.Record, scope: Scope) -> list[Statement]:
        value = self._value(statement, scope)
        self.define(statement.name, "record", value, scope)
        if value is None:
            return []
        return [
            Recorded(
                name=statement.name.text,
                value=value,
                plates=value.type.batch,
                location=Location.of(statement.span),
            )
        ]

    def _factor(self, statement: nodes.Factor, scope: Scope) -> list[Statement]:
        if self.predicting:
            scope.diagnostics.report(
                "PPL004",
                statement.span,
                "`factor` has no meaning in `predict`",
                "move it into the model",
            )
            return []
        value = self.expressions.resolve(statement.value, scope)
        scope.define(statement.name, "factor").used = True
        if value is None:
            return []
        if value.type.event:
            scope.diagnostics.report(
                "PPL021",
                statement.value.span,
                f"a factor is one number, but this has {shown(value.type.event)}",
                "sum it: `factor name = sum(…)`",
            )
            return []
        location = Location.of(statement.span)
        return [FactorTerm(name=statement.name.text, value=value, location=location)]

    def define(self, name: nodes.Name, kind: str, value: Expression | None, scope: Scope) -> None:
        """Enter the name of a value, which is None where it is wrong."""
        value_type = ValueType(element="real", random=True) if value is None else value.type
        symbol = scope.define(name, "record" if kind == "record" else "local", value_type)
        symbol.failed |= value is None
        symbol.used |= symbol.failed or kind == "record"
        symbol.minibatched = frozenset(
            plate for plate in value_type.batch if scope.plates[plate] is not None
        )

    def _plate(self, statement: nodes.Plate, scope: Scope) -> list[Statement]:
        minibatch = self._minibatch(statement, scope)
        inner = scope
        entered: list[nodes.Name] = []
        for name in statement.dims:
            symbol = scope.look_up(name, ("dim",))
            if symbol is None:
                inner = replace(inner, broken=True)
                continue
            if symbol.kind != "dim":
                inner = replace(inner, broken=True)
                scope.diagnostics.report(
                    "PPL018",
                    name.span,
                    f"`{name.text}` is not a dim",
                    f"a plate runs over a dim; declare `dim {name.text}` in the data block",
                    [(f"`{name.text}` is defined here", symbol.span)],
                )
                continue
            if name.text in inner.plates:
                scope.diagnostics.report(
                    "PPL022",
                    name.span,
                    f"plate `{name.text}` stands inside itself",
                    "take the inner one away, or declare a second dim",
                )
                continue
            # The minibatch belongs to the innermost of several dims.
            size = minibatch if name is statement.dims[-1] else None
            inner = inner.inside(name.text, size)
            entered.append(name)
        body = self.resolve(statement.body, inner)
        for name in reversed(entered):
            body = (
                PlateBlock(
                    dim=name.text,
                    minibatch=inner.plates[name.text],
                    body=body,
                    location=Location.of(name.span),
                ),
            )
        return list(body)

    def _minibatch(self, statement: nodes.Plate, scope: Scope) -> int | None:
        if statement.minibatch is None:
            return None
        size = count(statement.minibatch)
        if size is None:
            scope.diagnostics.report(
                "PPL029",
                statement.minibatch.span,
                f"a minibatch must be {A_COUNT}",
                "write `minibatch 256`",
            )
            return None
        if self.predicting:
            scope.diagnostics.report(
                "PPL004",
                statement.minibatch.span,
                "`predict` always runs over the whole data",
                "take the minibatch away",
            )
            return None
        return size


def _brackets(value: ValueType) -> str:
    return shown(value.event) if value.event else ""
