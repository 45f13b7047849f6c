"""How every node of the syntax tree is written, but for blocks and comments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from grammar import nodes as n
from grammar.layout import Bracket, Doc, flat

_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\t": r"\t"}


def expression(node: n.Expr | n.Slice | n.Keyword) -> Doc:
    """Return an expression, an argument or a subscript as it is written."""
    match node:
        case n.Number():
            return (node.text,)
        case n.String():
            return (f'"{"".join(_ESCAPES.get(c, c) for c in node.value)}"',)
        case n.Bool():
            return ("true" if node.value else "false",)
        case n.Variable():
            return (node.name.text,)
        case n.Unary():
            blank = " " if node.operator == "not" else ""
            return (node.operator + blank, *expression(node.operand))
        case n.Binary():
            return (*expression(node.left), f" {node.operator} ", *expression(node.right))
        case n.Conditional():
            return (
                *("if ", *expression(node.condition)),
                *(" then ", *expression(node.then)),
                *(" else ", *expression(node.otherwise)),
            )
        case n.Call():
            return (node.function.text, _arguments(node.arguments, node.keywords))
        case n.Keyword():
            return (f"{node.name.text} = ", *expression(node.value))
        case n.Index():
            return (*expression(node.base), _list("[", node.indices, "]"))
        case n.Slice():
            lower = expression(node.lower) if node.lower else ()
            upper = expression(node.upper) if node.upper else ()
            return (*lower, ":", *upper)
        case n.ListLiteral():
            return (_list("[", node.items, "]"),)
        case n.Group():
            return (_list("(", [node.inner], ")"),)


def declared_type(node: n.Type, dims: Sequence[n.Expr] = ()) -> Doc:
    """Return a type as it is written, with the dims that an extern's result has."""
    arguments = (
        (_arguments(node.arguments, node.keywords),) if node.arguments or node.keywords else ()
    )
    values = [expression(bound.value) for bound in node.bounds]
    if node.interval:
        bounds: Doc = (" in ", *values[0], " .. ", *values[1])
    else:
        written = [
            f" {bound.operator} {flat(value)}"
            for bound, value in zip(node.bounds, values, strict=True)
        ]
        bounds = (",".join(written),)
    return (node.kind.text, *arguments, *_dims(dims), *bounds)


def statement(node: n.DimDecl | n.DataDecl | n.Statement | n.RecurAssign | n.InitAt) -> Doc:
    """Return a declaration or a statement as it is written, up to its `{` if it has one."""
    match node:
        case n.DimDecl():
            size = (" = ", *expression(node.size)) if node.size else ()
            return (f"dim {names(node.names)}", *size)
        case n.DataDecl():
            missing = (" missing",) if node.missing else ()
            return (*_named(node), " : ", *declared_type(node.type), *missing)
        case n.Assign():
            return (*_named(node), " = ", *expression(node.value))
        case n.Sample():
            annotation = (" : ", *declared_type(node.type)) if node.type else ()
            modifiers = [part for modifier in node.modifiers for part in _modifier(modifier)]
            first = ("init ", *expression(node.initial), " then ") if node.initial else ()
            drawn = (*first, *expression(node.distribution), *modifiers)
            return (*_named(node), *annotation, " ~ ", *drawn)
        case n.Record():
            return ("record ", *_named(node), " = ", *expression(node.value))
        case n.Factor():
            return (f"factor {node.name.text} = ", *expression(node.value))
        case n.InitAt():
            return (f"{node.name.text} = ", *expression(node.value))
        case n.RecurAssign():
            initial, then = expression(node.initial), expression(node.then)
            record = "record " if node.recorded else ""
            return (record, *_named(node), " = init ", *initial, " then ", *then)
        case n.Plate():
            minibatch = (" minibatch ", *expression(node.minibatch)) if node.minibatch else ()
            return (f"plate {names(node.dims)}", *minibatch)
        case n.Recur():
            return (f"recur {node.dim.text}",)


def guide_statement(node: n.DefaultInit | n.Part | n.CallablePart | n.Option | n.Init) -> Doc:
    """Return what stands in a guide as it is written, up to its `{` if it has one."""
    match node:
        case n.Option():
            at = (" at",) if node.at else ()
            return (f"{node.name.text} = ", *expression(node.value), *at)
        case n.DefaultInit():
            return ("default ", *guide_statement(node.init))
        case n.Init():
            strategy = (f" {node.strategy.text}",) if node.strategy else ()
            keywords = (_arguments((), node.keywords),) if node.keywords else ()
            path = (" ", *expression(node.path)) if node.path else ()
            at = (" at",) if node.at or not node.strategy else ()
            return ("init", *strategy, *keywords, *path, *at)
        case n.Part():
            sites = Bracket("(", tuple((site.text,) for site in node.sites) or (("*",),), ")")
            return (f"part {node.name.text} = {node.family.text}", sites)
        case n.CallablePart():
            sites = Bracket("(", tuple((site.text,) for site in node.sites), ")")
            path = expression(node.path)
            return (f"part {node.name.text} = callable ", *path, " for ", sites)


def function_head(node: n.FunctionDef | n.ExternDef) -> Doc:
    """Return a function's head as it is written; an extern's is all there is of it."""
    if isinstance(node, n.FunctionDef):
        parameters = tuple((parameter.text,) for parameter in node.parameters)
        return (f"def {node.name.text}", Bracket("(", parameters, ")"))
    return (
        f"extern def {node.name.text}",
        Bracket("(", tuple(_named(parameter) for parameter in node.parameters), ")"),
        *(" : ", *declared_type(node.result_type, node.result_dims)),
        *(" from ", *expression(node.path)),
    )


def names(written: Iterable[n.Name]) -> str:
    """Return names as they are written, with commas."""
    return ", ".join(name.text for name in written)


def _named(
    node: n.DataDecl | n.Assign | n.Sample | n.Record | n.RecurAssign | n.ExternParameter,
) -> Doc:
    return (node.name.text, *_dims(node.dims))


def _dims(dims: Sequence[n.Expr]) -> Doc:
    return (_list("[", dims, "]"),) if dims else ()


def _arguments(positional: Sequence[n.Expr], keywords: Sequence[n.Keyword]) -> Bracket:
    return _list("(", [*positional, *keywords], ")")


def _list(opening: str, items: Iterable[n.Expr | n.Slice | n.Keyword], closing: str) -> Bracket:
    return Bracket(opening, tuple(expression(item) for item in items), closing)


def _modifier(node: n.Modifier) -> Doc:
    argument = (f" {node.argument.text}",) if node.argument else ()
    keywords = (_arguments((), node.keywords),) if node.keywords else ()
    return (f" {node.kind}", *argument, *keywords)
