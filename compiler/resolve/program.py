"""Resolves a whole spec; the order of the steps is the order in which names come into being."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath

from compiler.diagnostics import Diagnostics
from compiler.ir import Derived, Expression, Location, Program
from compiler.ir.axes import Sizes, shown
from compiler.resolve.blocks import sort_blocks
from compiler.resolve.clashes import report_clashes, report_underscores
from compiler.resolve.declarations import resolve_data, resolve_dims
from compiler.resolve.expressions import Expressions, with_axes
from compiler.resolve.fit import resolve_fit
from compiler.resolve.functions import Functions
from compiler.resolve.gaps import impute
from compiler.resolve.guides import resolve_guides
from compiler.resolve.model import Body
from compiler.resolve.plates import allot_plates
from compiler.resolve.scope import Scope
from compiler.resolve.unused import tell_unused
from grammar import nodes


def resolve(spec: nodes.Spec, diagnostics: Diagnostics) -> Program | None:
    """Return the IR of a spec; None where there is no model to speak of."""
    blocks = sort_blocks(spec, diagnostics)
    if blocks.model is None:
        return None
    report_underscores(blocks.own_names(), diagnostics)
    scope = Scope({}, diagnostics)

    declared = resolve_data(blocks.data, scope)
    sizes = Sizes({dim.name: dim.size for dim in declared.dims if dim.size is not None})
    functions = Functions(sizes)
    expressions = Expressions(sizes, functions.invoke)
    for definition in blocks.functions:
        functions.define(definition, scope)
    for extern in blocks.externs:
        diagnostics.report(
            "PPL003", extern.span, "`extern` is not compiled yet", "write the function with `def`"
        )
        scope.define(extern.name, "extern").failed = True
    scope.bound_later = {name.text: name.span for name in _names(blocks.model.body)}
    scope.data_only = "a derived value"
    derived = _resolve_derived(blocks.derive, expressions, scope)
    scope.data_only = None

    predict = blocks.predict.body if blocks.predict is not None else ()
    plates = allot_plates([blocks.model.body, predict], diagnostics)
    scope.bound_later = {name.text: name.span for name in _names(blocks.model.body)}
    imputed = impute(declared.data, blocks.model.body, predict, scope)
    model = (*imputed, *Body(expressions).resolve(blocks.model.body, scope))
    scope.bound_later = {name.text: name.span for name in _names(predict)}
    with _as_posterior(scope):
        predicted = Body(expressions, predicting=True).resolve(predict, _predict_scope(scope))

    program = Program(
        name=_model_name(blocks.model, diagnostics.path),
        path=_file_name(diagnostics.path),
        dims=tuple(dim.model_copy(update={"plate": plates.get(dim.name)}) for dim in declared.dims),
        data=tuple(declared.data),
        derived=tuple(derived),
        functions=tuple(functions.instances),
        model=model,
        predict=predicted,
        max_plate_nesting=-min(plates.values(), default=0),
    )
    program = program.model_copy(
        update={
            "guides": resolve_guides(
                blocks.guides,
                program,
                _DataExpressions(expressions, scope),
                diagnostics,
                failed={symbol.name for symbol in scope.of_kind("site") if symbol.failed},
            ),
            "fit": resolve_fit(blocks.fit, diagnostics),
        }
    )
    report_clashes(program, scope)
    tell_unused(program, scope)
    return program


class _DataExpressions:
    """Resolves the expressions of the guide block, which see data and derived values only."""

    def __init__(self, expressions: Expressions, scope: Scope) -> None:
        self._expressions = expressions
        self._scope = Scope(scope.symbols, scope.diagnostics, data_only="an init value")

    def resolve(self, expr: nodes.Expr) -> Expression | None:
        return self._expressions.resolve(expr, self._scope)


def _resolve_derived(
    block: nodes.DeriveBlock | None, expressions: Expressions, scope: Scope
) -> list[Derived]:
    found: list[Derived] = []
    for statement in block.statements if block is not None else ():
        value = expressions.resolve(statement.value, scope)
        if value is not None and statement.dims:
            value = _as_declared(statement, value, expressions, scope)
        symbol = scope.define(statement.name, "derived", None if value is None else value.type)
        if value is None:
            symbol.used = symbol.failed = True
            continue
        found.append(
            Derived(name=statement.name.text, value=value, location=Location.of(statement.span))
        )
    return found


def _as_declared(
    statement: nodes.Assign, value: Expression, expressions: Expressions, scope: Scope
) -> Expression | None:
    """Return the value with the dims of its declaration; None where they differ, once told."""
    declared = resolve_dims(statement.dims, scope)
    named = expressions.sizes.declare(declared, value.type.event)
    if named is None:
        scope.diagnostics.report(
            "PPL021",
            statement.span,
            f"`{statement.name.text}` is declared with {shown(declared)}, but its value has "
            f"{shown(value.type.event)}",
            "correct the brackets, or take them away",
        )
        return None
    return with_axes(value, named)


@contextmanager
def _as_posterior(scope: Scope) -> Iterator[None]:
    """Let recorded values be random while inside: `predict` gets one for each posterior draw."""
    fixed = [symbol for symbol in scope.of_kind("record") if not symbol.type.random]
    for symbol in fixed:
        symbol.type = symbol.type.model_copy(update={"random": True})
    for symbol in scope.of_kind("states"):
        if symbol.posterior is not None:
            symbol.kind, symbol.type = "site", symbol.posterior
    yield
    for symbol in fixed:
        symbol.type = symbol.type.model_copy(update={"random": False})


def _predict_scope(scope: Scope) -> Scope:
    """Return what `predict` sees: everything but the model's own intermediate values."""
    not_kept = {symbol.name: symbol.span for symbol in scope.of_kind("local")}
    return Scope(scope.symbols, scope.diagnostics, bound_later=scope.bound_later, not_kept=not_kept)


def _names(body: tuple[nodes.Statement | nodes.RecurAssign, ...]) -> Iterator[nodes.Name]:
    """Yield the names that a body defines, in order."""
    for statement in body:
        match statement:
            case nodes.Plate() | nodes.Recur():
                yield from _names(statement.body)
            case _:
                yield statement.name


def _file_name(path: str) -> str:
    """Return the file's name as it may stand in a comment and in a docstring."""
    name = PurePath(path).name or "spec.ppl"
    return "".join(c if c.isprintable() and c not in '"\\' else "_" for c in name)


def _model_name(block: nodes.ModelBlock, path: str) -> str:
    if block.name is not None:
        return block.name.text
    stem = re.sub(r"\W", "_", PurePath(path).stem, flags=re.ASCII)
    return stem if re.match("[A-Za-z]", stem) else "model"
