"""Resolves the data block: dims, and the type, range and axes of each declared variable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from compiler.diagnostics import did_you_mean
from compiler.ir import DataVariable, Dimension, Location, Support, ValueType
from compiler.ir.types import Axis
from compiler.resolve.constants import A_COUNT, constant, count, whole_number
from compiler.resolve.scope import Scope
from grammar import nodes

Element = Literal["real", "int", "bool", "index"]

ELEMENTS: dict[str, Element] = {"real": "real", "int": "int", "bool": "bool", "index": "index"}
"""Types of data, by the word for each."""

FOREIGN_TYPES = {
    "boolean": "bool",
    "categorical": "index(dim)",
    "double": "real",
    "factor": "index(dim)",
    "float": "real",
    "integer": "int",
    "matrix": "real",
    "number": "real",
    "str": "index(dim)",
    "string": "index(dim)",
    "vector": "real",
}
"""What types are called elsewhere, with their names here."""

FORMS = {
    "simplex": 1,
    "ordered": 1,
    "positive_definite": 2,
    "lower_cholesky": 2,
    "corr_cholesky": 2,
}
"""Declared forms of a vector or matrix of data, with the number of axes that they speak of."""


@dataclass
class Declarations:
    """What the data block declares."""

    dims: list[Dimension]
    data: list[DataVariable]


def resolve_data(block: nodes.DataBlock | None, scope: Scope) -> Declarations:
    """Enter all dims and data of the block into the scope, and return them."""
    found = Declarations([], [])
    declarations = block.declarations if block is not None else ()
    for declaration in declarations:
        if isinstance(declaration, nodes.DimDecl):
            _resolve_dim(declaration, scope, found)
    for declaration in declarations:
        if isinstance(declaration, nodes.DataDecl):
            _resolve_variable(declaration, scope, found)
    return found


def _resolve_dim(declaration: nodes.DimDecl, scope: Scope, found: Declarations) -> None:
    size: int | None = None
    if declaration.size is not None:
        size = count(declaration.size)
        if size is None:
            scope.diagnostics.report(
                "PPL029",
                declaration.size.span,
                f"a dim's size must be {A_COUNT}",
                "write `dim k = 3`, or leave the size away to take it from the data",
            )
    for name in declaration.names:
        scope.define(name, "dim")
        found.dims.append(Dimension(name=name.text, size=size, location=Location.of(name.span)))


def _resolve_variable(declaration: nodes.DataDecl, scope: Scope, found: Declarations) -> None:
    dims = resolve_dims(declaration.dims, scope)
    declared = declaration.type
    kind = declared.kind.text
    span = declared.kind.span
    if kind not in ELEMENTS and kind not in FORMS:
        guess = FOREIGN_TYPES.get(kind) or did_you_mean(kind, ELEMENTS, FORMS)
        scope.diagnostics.report(
            "PPL018",
            span,
            f"`{kind}` is not a type of data",
            f"did you mean `{guess}`?" if guess else "types are real, int, bool and index(dim)",
        )
        kind = "real"
    if kind in FORMS and len(dims) < FORMS[kind]:
        scope.diagnostics.report(
            "PPL021",
            span,
            f"`{kind}` needs {'a vector' if FORMS[kind] == 1 else 'a matrix'}, but "
            f"`{declaration.name.text}` has {len(dims)} dims",
            "give its dims in brackets behind the name",
        )
    index_of, base = _resolve_index(declared, scope) if kind == "index" else (None, 0)
    lower, lower_strict, upper, upper_strict = _resolve_bounds(declared, scope)
    if kind == "bool":
        lower, upper = 0.0, 1.0
    missing = declaration.missing and kind not in FORMS and bool(dims)
    if declaration.missing and not missing:
        scope.diagnostics.report(
            "PPL038",
            declaration.span,
            f"{f'a `{kind}`' if kind in FORMS else 'a single number'} cannot have gaps",
            "take `missing` away",
        )
    support = Support(lower=lower, upper=upper)
    failed = kind == "index" and index_of is None
    if kind in FORMS:
        support = Support.model_validate({"kind": kind})
    if index_of is not None:
        support = Support(lower=0.0)
    symbol = scope.define(
        declaration.name,
        "data",
        ValueType(
            element="real" if kind in (*FORMS, "real") else "int",
            event=dims,
            index_of=index_of,
            support=support,
        ),
    )
    symbol.failed |= failed
    if missing:
        symbol.gaps = "skipped"
        gap = nodes.Name(f"{declaration.name.text}_gap", declaration.name.span)
        scope.define(gap, "dim").used = True
        found.dims.append(
            Dimension(
                name=gap.text,
                size=None,
                gaps_of=declaration.name.text,
                location=Location.of(declaration.span),
            )
        )
    found.data.append(
        DataVariable(
            name=declaration.name.text,
            element=ELEMENTS.get(kind, "real"),
            dims=dims,
            lower=lower,
            lower_strict=lower_strict,
            upper=upper,
            upper_strict=upper_strict,
            index_of=index_of,
            base=base,
            missing=missing,
            form=kind if kind in FORMS else None,
            location=Location.of(declaration.span),
        )
    )


def resolve_dims(exprs: tuple[nodes.Expr, ...], scope: Scope) -> tuple[Axis, ...]:
    """Return the axes that stand in brackets behind a declared name."""
    axes: list[Axis] = []
    for expr in exprs:
        if isinstance(expr, nodes.Variable):
            symbol = scope.look_up(expr.name, ("dim",))
            if symbol is not None and symbol.kind != "dim":
                scope.diagnostics.report(
                    "PPL018",
                    expr.span,
                    f"`{expr.name.text}` is not a dim",
                    f"declare it in the data block: `dim {expr.name.text}`",
                    [(f"`{expr.name.text}` is defined here", symbol.span)],
                )
            axes.append(expr.name.text)
        else:
            size = count(expr)
            if size is None:
                scope.diagnostics.report(
                    "PPL029",
                    expr.span,
                    f"a dim is a declared name or {A_COUNT}",
                    "declare `dim name` in the data block and write the name here",
                )
                size = 1
            axes.append(size)
    return tuple(axes)


def _resolve_index(declared: nodes.Type, scope: Scope) -> tuple[str | None, int]:
    dim: str | None = None
    if len(declared.arguments) == 1 and isinstance(declared.arguments[0], nodes.Variable):
        axes = resolve_dims(declared.arguments, scope)
        dim = str(axes[0])
    else:
        scope.diagnostics.report(
            "PPL024",
            declared.span,
            "`index` needs the dim that it points into",
            "write `index(county)`, or `index(county, base = 1)` if it counts from 1",
        )
    base = 0
    for keyword in declared.keywords:
        value = whole_number(keyword.value)
        if keyword.name.text != "base" or value not in (0, 1):
            scope.diagnostics.report(
                "PPL024",
                keyword.span,
                "`index` takes only `base = 0` or `base = 1`",
                "write `base = 1` if the data counts from 1",
            )
        else:
            base = value
    return dim, base


def _resolve_bounds(
    declared: nodes.Type, scope: Scope
) -> tuple[float | None, bool, float | None, bool]:
    lower: float | None = None
    upper: float | None = None
    lower_strict = upper_strict = False
    for bound in declared.bounds:
        value = constant(bound.value)
        if value is None:
            scope.diagnostics.report(
                "PPL029",
                bound.value.span,
                "a bound in the data block must be a number",
                "write the number, or check the relation in the data itself",
            )
        elif bound.operator[0] == ">":
            lower, lower_strict = float(value), bound.operator == ">"
        else:
            upper, upper_strict = float(value), bound.operator == "<"
    strict = lower_strict or upper_strict
    if lower is not None and upper is not None and (lower > upper or (lower == upper and strict)):
        scope.diagnostics.report(
            "PPL034",
            declared.span,
            f"no value lies between {lower:g} and {upper:g}",
            "write the smaller bound first",
        )
    return lower, lower_strict, upper, upper_strict
