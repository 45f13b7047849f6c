"""Resolves expressions: names to symbols, operators and calls to table rows, types throughout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from compiler.diagnostics import did_you_mean
from compiler.ir import (
    Apply,
    Constant,
    Expression,
    Filled,
    Invoke,
    Items,
    Reference,
    Support,
    ValueType,
)
from compiler.ir.axes import ShapeProblem, Sizes, shown
from compiler.ir.expressions import ReferenceKind
from compiler.ir.types import Axis
from compiler.resolve.bases import resolve_basis
from compiler.resolve.constants import constant, has_no_value, number
from compiler.resolve.equations import resolve_ode
from compiler.resolve.gaps import filled
from compiler.resolve.lags import (
    RESOLVERS,
    as_lagged,
    earlier_step,
    misread,
    resolve_lags,
    tell_unstarted,
)
from compiler.resolve.places import resolve_place
from compiler.resolve.scope import KIND_WORDS, Scope, Symbol, SymbolKind
from compiler.resolve.shapes import RULES
from compiler.tables.constants import CONSTANTS
from compiler.tables.distributions import DISTRIBUTIONS
from compiler.tables.foreign import function_hint
from compiler.tables.function_row import FunctionRow, hull
from compiler.tables.functions import FUNCTIONS, OPERATORS
from grammar import nodes
from grammar.span import Span


class Invoker(Protocol):
    """Resolves a call of a function that the spec defines."""

    def __call__(
        self,
        call: nodes.Call,
        arguments: tuple[Expression, ...],
        scope: Scope,
        *,
        imposed: int = 0,
    ) -> Invoke | None:
        """Return the typed call; of its parameters the first `imposed` need not be used."""
        ...


class Expressions:
    """Resolves expressions of one program.

    Every method returns None where something is wrong, once it has told so; what contains the
    expression then stays silent.
    """

    def __init__(self, sizes: Sizes, invoke: Invoker) -> None:
        self.sizes = sizes
        self.invoke = invoke

    def resolve(self, expr: nodes.Expr, scope: Scope) -> Expression | None:
        """Return the typed expression."""
        match expr:
            case nodes.Number(value=value):
                return number(value)
            case nodes.Bool(value=value):
                return Constant(
                    value=value,
                    type=ValueType(element="bool", support=Support(lower=0.0, upper=1.0)),
                )
            case nodes.String():
                scope.diagnostics.report(
                    "PPL026",
                    expr.span,
                    "a text cannot be computed with",
                    'texts stand only in paths such as `callable "module:function"`',
                )
                return None
            case nodes.Variable(name=name):
                return self._variable(name, scope)
            case nodes.Group(inner=inner):
                return self.resolve(inner, scope)
            case nodes.Unary():
                return self._unary(expr, scope)
            case nodes.Binary():
                return self._apply(
                    OPERATORS[expr.operator], (expr.left, expr.right), expr.span, scope
                )
            case nodes.Conditional():
                parts = (expr.condition, expr.then, expr.otherwise)
                return self._apply(OPERATORS["if"], parts, expr.span, scope)
            case nodes.Call():
                return self._call(expr, scope)
            case nodes.ListLiteral():
                return self._list(expr, scope)
            case nodes.Index():
                from compiler.resolve.indexing import resolve_index

                return resolve_index(self, expr, scope)

    # --- names --------------------------------------------------------------------------------

    def _variable(self, name: nodes.Name, scope: Scope) -> Expression | None:
        if scope.is_constant(name.text):
            return number(CONSTANTS[name.text])
        symbol = earlier_step(name, scope) or scope.look_up(
            name, ("site", "data", "derived", "local", "record", "dim")
        )
        if symbol is None:
            return None
        if symbol.kind in ("function", "extern"):
            scope.diagnostics.report(
                "PPL018",
                name.span,
                f"`{name.text}` is a function, not a value",
                f"call it: `{name.text}(…)`",
            )
            return None
        if symbol.kind == "factor":
            scope.diagnostics.report(
                "PPL018",
                name.span,
                f"`{name.text}` is the name of a factor, not of a value",
                f"name the value on a line of its own, `term = …`, then write `factor {name.text} "
                "= term`, and `term` here",
            )
            return None
        if symbol.kind == "dim":
            return Reference(
                name=name.text,
                kind="size",
                type=ValueType(element="int", support=Support(lower=1.0)),
            )
        return self.reference(symbol, name.span, scope)

    def reference(self, symbol: Symbol, span: Span, scope: Scope) -> Expression | None:
        """Return a use of a symbol's value, seen from inside the scope's plates."""
        if symbol.failed:
            return None
        if symbol.gaps is not None:
            return self._without_gaps(symbol, span, scope)
        if scope.data_only is not None and symbol.type.random:
            scope.diagnostics.report(
                "PPL041",
                span,
                f"`{symbol.name}` is {_latent_words(symbol)}, but {scope.data_only} may use only "
                "data and derived values",
                "compute it from the data",
                [(f"`{symbol.name}` is defined here", symbol.span)],
            )
            return None
        if symbol.begin and scope.recur is None:
            tell_unstarted(symbol, span, scope)
            return None
        outside = symbol.minibatched - set(scope.plates)
        if outside:
            plate = min(outside)
            scope.diagnostics.report(
                "PPL025",
                span,
                f"`{symbol.name}` exists only for the minibatch of plate `{plate}`, but is used "
                "outside it",
                f"use it inside `plate {plate}`, or take the minibatch away",
                [(f"`{symbol.name}` is defined here", symbol.span)],
            )
            return None
        axes = symbol.axes
        for plate in scope.plates:
            if axes.count(plate) > 1:
                scope.diagnostics.report(
                    "PPL028",
                    span,
                    f"`{symbol.name}` has the dim `{plate}` twice ({shown(axes)}) and cannot be "
                    f"used inside `plate {plate}`",
                    "use another dim name for one of its axes",
                )
                return None
        found = Reference(
            name=symbol.name,
            kind=_REFERENCE_KINDS[symbol.kind],
            plates=symbol.type.batch,
            event=symbol.type.event,
            type=symbol.type.model_copy(
                update={
                    "batch": tuple(plate for plate in scope.plates if plate in axes),
                    "event": tuple(axis for axis in axes if axis not in scope.plates),
                }
            ),
        )
        if misread(symbol, found, span, scope):
            return None
        return as_lagged(found, scope)

    def _without_gaps(self, symbol: Symbol, span: Span, scope: Scope) -> Expression | None:
        """Return a use of data with gaps: with what fills them."""
        whole = filled(symbol, span, scope)
        if whole is None:
            return None
        value = self.reference(whole, span, scope)
        if value is None or whole.name not in scope.not_kept:
            return value
        values = self.reference(scope.symbols[f"{symbol.name}_missing"], span, scope)
        if not isinstance(values, Reference):
            return None
        data = Reference(
            name=symbol.name,
            kind="data",
            event=symbol.type.event,
            type=value.type.model_copy(update={"random": False}),
        )
        return Filled(data=data, values=values, type=value.type)

    # --- operators and calls ------------------------------------------------------------------

    def _unary(self, expr: nodes.Unary, scope: Scope) -> Expression | None:
        value = constant(expr)
        if value is not None and expr.operator != "not":
            return number(value)
        if expr.operator == "+":
            return self.resolve(expr.operand, scope)
        row = OPERATORS["negative" if expr.operator == "-" else "not"]
        return self._apply(row, (expr.operand,), expr.span, scope)

    def _call(self, call: nodes.Call, scope: Scope) -> Expression | None:
        name = call.function.text
        symbol = scope.symbols.get(name)
        if symbol is not None and symbol.kind in ("function", "extern"):
            symbol.used = True
            arguments = self._all(call.arguments, scope)
            if arguments is None or symbol.failed:
                return None
            return self.invoke(call, arguments, scope)
        if name in RESOLVERS:
            return resolve_lags(self, call, scope)
        row = FUNCTIONS.get(name)
        if row is None:
            self._unknown_function(call.function, symbol, scope)
            return None
        if not self._count_fits(row, call, scope):
            return None
        if row.shape == "ode":
            return resolve_ode(self, row, call, scope)
        if row.shape == "basis":
            return resolve_basis(self, row, call, scope)
        if row.shape in ("filled", "identity"):
            return self._filled(row, call, scope)
        if row.shape == "place":
            return resolve_place(self, row, call, scope)
        if row.shape == "size":
            return self._size(row, call, scope)
        return self._apply(row, call.arguments, call.span, scope, call.keywords)

    def _count_fits(self, row: FunctionRow, call: nodes.Call, scope: Scope) -> bool:
        given = len(call.arguments)
        for keyword in call.keywords:
            if not _takes(row, keyword.name.text):
                scope.diagnostics.report(
                    "PPL027",
                    keyword.span,
                    f"`{row.name}` has no argument `{keyword.name.text}`",
                    f"write `{row.signature}`"
                    + (f", or `{row.name}(x, over = obs)`" if row.shape == "reduce" else ""),
                )
                return False
        if given < row.least or (row.most is not None and given > row.most):
            scope.diagnostics.report(
                "PPL027",
                call.span,
                f"`{row.name}` takes {_count_words(row)}, but {given} "
                f"{'is' if given == 1 else 'are'} given",
                f"write `{row.signature}`",
            )
            return False
        return True

    def _unknown_function(self, name: nodes.Name, symbol: Symbol | None, scope: Scope) -> None:
        if symbol is not None:
            message = f"`{name.text}` is {KIND_WORDS[symbol.kind]}, not a function"
            scope.diagnostics.report("PPL018", name.span, message, f"index it: `{name.text}[…]`")
            return
        if name.text in DISTRIBUTIONS:
            scope.diagnostics.report(
                "PPL018",
                name.span,
                f"`{name.text}` is a distribution, not a function",
                f"draw from it: `x ~ {name.text}(…)`",
            )
            return
        functions = [s.name for s in scope.of_kind("function")]
        guess = did_you_mean(name.text, functions, FUNCTIONS)
        scope.diagnostics.report(
            "PPL017",
            name.span,
            f"there is no function `{name.text}`",
            function_hint(name.text)
            or (f"did you mean `{guess}`?" if guess else "the reference lists the functions"),
        )

    def _all(self, exprs: Sequence[nodes.Expr], scope: Scope) -> tuple[Expression, ...] | None:
        resolved = [self.resolve(expr, scope) for expr in exprs]
        found = tuple(expr for expr in resolved if expr is not None)
        return found if len(found) == len(exprs) else None

    def _apply(
        self,
        row: FunctionRow,
        exprs: Sequence[nodes.Expr],
        span: Span,
        scope: Scope,
        keywords: Sequence[nodes.Keyword] = (),
    ) -> Expression | None:
        arguments = self._all(exprs, scope)
        if arguments is None:
            return None
        folded = self._fold(row, exprs, arguments)
        if folded is not None:
            return folded
        types = [argument.type for argument in arguments]
        options: dict[str, Expression] = {}
        if row.leading_optional and (len(types) == row.most) != bool(types[1].event):
            scope.diagnostics.report(
                "PPL027",
                span,
                f"`{row.name}` takes the inputs, and then single numbers",
                f"write `{row.signature}`",
            )
            return None
        try:
            if row.shape == "reduce":
                event, options = self._reduced(row, types[0], span, scope, keywords)
            else:
                event = RULES[row.shape]([t.event for t in types], self.sizes)
        except ShapeProblem as problem:
            prefix = f"`{row.name}`: " if row.name in FUNCTIONS else ""
            scope.diagnostics.report("PPL020", span, prefix + problem.message, problem.remedy)
            return None
        value = Apply(
            function=row.name,
            arguments=arguments,
            options=options,
            type=ValueType(
                element=_element(row, types),
                batch=join_batch(types, scope),
                event=event,
                random=any(t.random for t in types),
                support=row.support([t.support for t in types]),
            ),
        )
        if has_no_value(value):
            scope.diagnostics.report(
                "PPL026", span, "this stands for no finite number", "check the numbers in it"
            )
            return None
        return value

    @staticmethod
    def _fold(
        row: FunctionRow, exprs: Sequence[nodes.Expr], arguments: Sequence[Expression]
    ) -> Expression | None:
        """Fold `2 / 3`, which would otherwise be emitted as arithmetic; keep `2 * k`."""
        if row.name == "negative" and isinstance(arguments[0], Constant):
            operand = arguments[0].value
            return None if isinstance(operand, bool | str) else number(-operand)
        if row.name not in ("+", "-", "*", "/", "**"):
            return None
        values = [a.value for a in arguments if isinstance(a, Constant)]
        if len(values) < len(arguments):
            return None
        a, b = (v for v in values if isinstance(v, int | float))
        value = constant(
            nodes.Binary(
                row.name,  # type: ignore[arg-type]
                nodes.Number(a, "", exprs[0].span),
                nodes.Number(b, "", exprs[1].span),
                exprs[0].span,
            )
        )
        return None if value is None else number(value)

    def _reduced(
        self,
        row: FunctionRow,
        argument: ValueType,
        span: Span,
        scope: Scope,
        keywords: Sequence[nodes.Keyword],
    ) -> tuple[tuple[Axis, ...], dict[str, Expression]]:
        over = keywords[-1] if keywords else None
        if over is None:
            if not argument.event:
                raise ShapeProblem(
                    "there is a single number here, nothing to reduce",
                    "inside a plate a value is the one entry of that plate's dim; compute "
                    f"`{row.name}` over the whole dim outside the plate, or in the derive block",
                )
            return (), {}
        if not isinstance(over.value, nodes.Variable):
            raise ShapeProblem("`over` takes the name of a dim", "write `over = obs`")
        dim = over.value.name.text
        if dim in argument.batch:
            raise ShapeProblem(
                f"`{dim}` is a plate here, not a dim to reduce over",
                "compute it outside the plate, or in the derive block",
            )
        if dim not in argument.event:
            raise ShapeProblem(
                f"there is no dim `{dim}` in {shown(argument.event)}", "reduce over one of those"
            )
        if dim in scope.symbols:  # a dim that is not declared has been told of
            scope.symbols[dim].used = True
        position = argument.event.index(dim)
        axis = number(position - len(argument.event))
        return argument.event[:position] + argument.event[position + 1 :], {"axis": axis}

    def _filled(self, row: FunctionRow, call: nodes.Call, scope: Scope) -> Expression | None:
        count = 1 if row.name == "fill" else 0
        values = self._all(call.arguments[:count], scope)
        dims = call.arguments[count:]
        if row.name == "fill" and not dims:
            scope.diagnostics.report(
                "PPL027", call.span, "`fill` needs a dim", f"write `{row.signature}`"
            )
            return None
        sizes = self._all(dims, scope)
        if values is None or sizes is None:
            return None
        event: list[Axis] = []
        for dim, size in zip(dims, sizes, strict=True):
            axis = axis_of(size)
            if axis is None:
                scope.diagnostics.report(
                    "PPL026",
                    dim.span,
                    f"`{row.name}` takes dims or whole numbers as its shape",
                    "write the name of a dim",
                )
                return None
            event.append(axis)
        if any(value.type.event for value in values):
            scope.diagnostics.report(
                "PPL020", call.span, "`fill` takes a single number", "use `*` with `ones(…)`"
            )
            return None
        if row.shape == "identity":
            event = event * 2
        types = [value.type for value in values]
        return Apply(
            function=row.name,
            arguments=(*values, *sizes),
            type=ValueType(
                element=_element(row, types) if types else "real",
                batch=join_batch(types, scope),
                event=tuple(event),
                random=any(t.random for t in types),
                support=row.support([t.support for t in types]),
            ),
        )

    def _size(self, row: FunctionRow, call: nodes.Call, scope: Scope) -> Expression | None:
        size = self.resolve(call.arguments[0], scope)
        if size is None or (isinstance(size, Reference) and size.kind == "size"):
            return size
        scope.diagnostics.report(
            "PPL026",
            call.arguments[0].span,
            f"`{row.name}` takes the name of a dim",
            "write `count(obs)`, or the dim's name alone",
        )
        return None

    # --- lists --------------------------------------------------------------------------------

    def _list(self, expr: nodes.ListLiteral, scope: Scope) -> Expression | None:
        items = self._all(expr.items, scope)
        if items is None:
            return None
        if not items:
            scope.diagnostics.report(
                "PPL026", expr.span, "a list must not be empty", "write its entries"
            )
            return None
        event = items[0].type.event
        for item, node in zip(items, expr.items, strict=True):
            unified = self.sizes.unify_all(event, item.type.event)
            if unified is None:
                scope.diagnostics.report(
                    "PPL020",
                    node.span,
                    f"the list's first entry has {shown(event)}, this one {shown(item.type.event)}",
                    "give all entries the same dims",
                )
                return None
            event = unified
        types = [item.type for item in items]
        return Items(
            items=items,
            type=ValueType(
                element="real" if any(t.element == "real" for t in types) else "int",
                batch=join_batch(types, scope),
                event=(len(items), *event),
                random=any(t.random for t in types),
                support=hull([t.support for t in types]),
            ),
        )


def with_axes(value: Expression, axes: tuple[Axis, ...]) -> Expression:
    """Return a value whose axes are called as its declaration calls them."""
    return value.model_copy(update={"type": value.type.model_copy(update={"event": axes})})


def join_batch(types: Sequence[ValueType], scope: Scope) -> tuple[str, ...]:
    """Return the plates over which any of the values varies, outermost first."""
    return tuple(plate for plate in scope.plates if any(plate in t.batch for t in types))


def axis_of(expr: Expression) -> Axis | None:
    """Return the axis that a size stands for: a dim's name or a number; None if it is neither."""
    if isinstance(expr, Reference) and expr.kind == "size":
        return expr.name
    if isinstance(expr, Constant) and isinstance(expr.value, int) and expr.value > 0:
        return expr.value
    return None


def _element(row: FunctionRow, types: Sequence[ValueType]) -> Literal["real", "int", "bool"]:
    if row.element != "same":
        return row.element
    elements = {t.element for t in (types[1:] if row.name == "if" else types)}
    return "real" if "real" in elements else "int"


_REFERENCE_KINDS: dict[SymbolKind, ReferenceKind] = {
    "data": "data",
    "derived": "derived",
    "site": "site",
    "record": "site",
    "local": "local",
    "parameter": "parameter",
    "states": "states",
}


def _latent_words(symbol: Symbol) -> str:
    return "a latent site" if symbol.kind == "site" else "computed from latents"


def _takes(row: FunctionRow, keyword: str) -> bool:
    """Tell whether a function looks at a keyword; those of `ode` are its own affair."""
    return row.shape == "ode" or (row.shape == "reduce" and keyword == "over")


def _count_words(row: FunctionRow) -> str:
    if row.most is None:
        return f"at least {row.least} argument{'s' if row.least != 1 else ''}"
    if row.least == row.most:
        return f"{row.most} argument{'s' if row.most != 1 else ''}"
    return f"{row.least} to {row.most} arguments"
