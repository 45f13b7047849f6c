"""Random syntax trees, and ragged texts that must parse to them."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

from hypothesis import strategies as st

from grammar import nodes as n
from grammar import write
from grammar.layout import flat
from grammar.span import NOWHERE

WORDS = [
    "x",
    "mu",
    "y_rep",
    "_a",
    "B2",
    "data",
    "dim",
    "index",
    "from",
    "part",
    "at",
    "fit",
    "plate",
]
WORDS += ["record", "factor", "recur", "over", "missing", "guide", "time", "auto", "default", "for"]

names = st.sampled_from(WORDS).map(lambda text: n.Name(text, NOWHERE))
plain_names = st.sampled_from(["a", "feasible", "Normal"]).map(lambda text: n.Name(text, NOWHERE))
texts = st.text(st.sampled_from('ab:# {(;~"\\\n\t'), max_size=6)
strings = st.builds(n.String, texts, st.just(NOWHERE))
variables = st.builds(n.Variable, names, st.just(NOWHERE))


def _number(text: str) -> n.Number:
    value = float(text) if set(text) & set(".eE") else int(text)
    return n.Number(value, text, NOWHERE)


numbers = st.sampled_from(["0", "1", "1_000", ".5", "1.", "2.50", "1e-3", "3E5"]).map(_number)
dims = st.lists(variables | st.just("4").map(_number), max_size=2).map(tuple)

_STRENGTH = {"or": 1, "and": 2, "+": 5, "-": 5, "*": 6, "/": 6, "//": 6, "%": 6, "@": 6, "**": 8}
_COMPARISON, _SUM, _UNARY, _PRIMARY = 4, 5, 7, 9


def _strength(node: n.Expr) -> int:
    match node:
        case n.Conditional():
            return 0
        case n.Unary("not"):
            return 3
        case n.Unary():
            return _UNARY
        case n.Binary():
            return _STRENGTH.get(node.operator, _COMPARISON)
    return _PRIMARY


def _at_least(strength: int, node: n.Expr) -> n.Expr:
    return node if _strength(node) >= strength else n.Group(node, NOWHERE)


def _unary(operator: Any, operand: n.Expr) -> n.Unary:
    return n.Unary(operator, _at_least(3 if operator == "not" else _UNARY, operand), NOWHERE)


def _binary(operator: Any, left: n.Expr, right: n.Expr) -> n.Binary:
    own = _STRENGTH.get(operator, _COMPARISON)
    at_left, at_right = own, own + 1
    if own == _COMPARISON:
        at_left = _SUM
    if operator == "**":
        at_left, at_right = _PRIMARY, _UNARY
    return n.Binary(operator, _at_least(at_left, left), _at_least(at_right, right), NOWHERE)


def _compound(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    operators = [*_STRENGTH, "==", "!=", "<", "<=", ">", ">="]
    optional = st.none() | inner
    subscripts = inner | st.builds(n.Slice, optional, optional, st.just(NOWHERE))
    return st.one_of(
        st.builds(_unary, st.sampled_from(["-", "+", "not"]), inner),
        st.builds(_binary, st.sampled_from(operators), inner, inner),
        st.builds(
            lambda a, b, c: n.Conditional(_at_least(1, a), b, c, NOWHERE), inner, inner, inner
        ),
        _calls(inner),
        st.builds(
            lambda base, given: n.Index(_at_least(_PRIMARY, base), tuple(given), NOWHERE),
            inner,
            st.lists(subscripts, min_size=1, max_size=2),
        ),
        st.builds(n.ListLiteral, st.lists(inner, max_size=3).map(tuple), st.just(NOWHERE)),
        st.builds(n.Group, inner, st.just(NOWHERE)),
    )


def _keywords(inner: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[Any]:
    one = st.builds(n.Keyword, names, inner, st.just(NOWHERE))
    return st.lists(one, min_size=least, max_size=2).map(tuple)


def _calls(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    positional = st.lists(inner, max_size=3).map(tuple)
    return st.builds(n.Call, names, positional, _keywords(inner), st.just(NOWHERE))


booleans = st.builds(n.Bool, st.booleans(), st.just(NOWHERE))
expressions = st.recursive(numbers | variables | strings | booleans, _compound, max_leaves=6)
calls = _calls(expressions)
sums = expressions.map(lambda node: _at_least(_SUM, node))


def _bounds(operators: list[str]) -> st.SearchStrategy[Any]:
    return st.tuples(
        *(st.builds(n.Bound, st.just(sign), sums, st.just(NOWHERE)) for sign in operators)
    )


_type_parts = st.one_of(
    st.sampled_from([[], [">"], ["<="], [">=", "<"]]).flatmap(_bounds).map(lambda b: (b, False)),
    _bounds([">=", "<="]).map(lambda b: (b, True)),
)
types = st.builds(
    lambda kind, arguments, keywords, bounds: n.Type(kind, arguments, keywords, *bounds, NOWHERE),
    names,
    st.lists(expressions, max_size=2).map(tuple),
    _keywords(expressions),
    _type_parts,
)

dim_decls = st.one_of(
    st.builds(
        n.DimDecl, st.lists(names, min_size=1, max_size=3).map(tuple), st.none(), st.just(NOWHERE)
    ),
    st.builds(n.DimDecl, names.map(lambda name: (name,)), expressions, st.just(NOWHERE)),
)
data_decls = st.builds(n.DataDecl, names, dims, types, st.booleans(), st.just(NOWHERE))
assigns = st.builds(n.Assign, names, dims, expressions, st.just(NOWHERE))

modifiers = st.one_of(
    st.builds(
        n.Modifier,
        st.sampled_from(["truncated", "censored"]),
        st.none(),
        _keywords(expressions, 1),
        st.just(NOWHERE),
    ),
    st.builds(
        n.Modifier, st.sampled_from(["reparam", "over"]), names, st.just(()), st.just(NOWHERE)
    ),
    st.just(n.Modifier("marginalize", None, (), NOWHERE)),
)
samples = st.builds(
    n.Sample,
    names,
    dims,
    st.none() | types,
    calls,
    st.lists(modifiers, max_size=2).map(tuple),
    st.just(NOWHERE),
)
leaves = st.one_of(
    samples,
    assigns,
    st.builds(n.Record, names, dims, expressions, st.just(NOWHERE)),
    st.builds(n.Factor, names, expressions, st.just(NOWHERE)),
)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    body = st.lists(inner, max_size=3).map(tuple)
    plate_dims = st.lists(names, min_size=1, max_size=2).map(tuple)
    kept = st.booleans()
    steps = st.builds(n.RecurAssign, names, dims, expressions, expressions, kept, st.just(NOWHERE))
    begun = st.builds(replace, samples, initial=calls)
    sequence = st.lists(inner | steps | begun, max_size=2).map(tuple)
    return st.one_of(
        st.builds(n.Plate, plate_dims, st.none() | numbers, body, st.just(NOWHERE)),
        st.builds(n.Recur, names, sequence, st.just(NOWHERE)),
    )


statements = st.recursive(leaves, _nested, max_leaves=4)
bodies = st.lists(statements, max_size=3).map(tuple)

parameters = st.lists(names, max_size=2).map(tuple)
extern_parameters = st.builds(n.ExternParameter, names, dims, st.just(NOWHERE))
functions = st.one_of(
    st.builds(
        n.FunctionDef,
        names,
        parameters,
        st.lists(assigns, max_size=2).map(tuple),
        expressions,
        st.just(NOWHERE),
    ),
    st.builds(
        n.ExternDef,
        names,
        st.lists(extern_parameters, max_size=2).map(tuple),
        types,
        dims,
        strings,
        st.just(NOWHERE),
    ),
)

at = st.lists(st.builds(n.InitAt, names, expressions, st.just(NOWHERE)), max_size=2).map(tuple)
inits = st.one_of(
    st.builds(
        n.Init, plain_names, _keywords(expressions), st.none() | strings, at, st.just(NOWHERE)
    ),
    st.builds(n.Init, st.none(), st.just(()), st.none(), at, st.just(NOWHERE)),
)
options = st.builds(n.Option, names, expressions, st.just(()), st.just(NOWHERE))
own_options = st.builds(n.Option, names, expressions, at, st.just(NOWHERE))
part_options = st.lists(own_options | inits, max_size=3).map(tuple)
sites = st.lists(names, min_size=1, max_size=3).map(tuple)
parts = st.one_of(
    st.builds(n.Part, names, plain_names, sites, st.just(False), part_options, st.just(NOWHERE)),
    st.builds(
        n.Part, names, plain_names, st.just(()), st.just(True), part_options, st.just(NOWHERE)
    ),
    st.builds(n.CallablePart, names, strings, sites, part_options, st.just(NOWHERE)),
)
guide_statements = st.one_of(parts, st.builds(n.DefaultInit, inits, st.just(NOWHERE)))
guides = st.builds(
    n.GuideBlock,
    st.none() | plain_names,
    st.lists(guide_statements, max_size=3).map(tuple),
    st.just(False),
    st.just(NOWHERE),
)

blocks = st.one_of(
    st.builds(
        n.DataBlock, st.lists(dim_decls | data_decls, max_size=3).map(tuple), st.just(NOWHERE)
    ),
    st.builds(n.DeriveBlock, st.lists(assigns, max_size=3).map(tuple), st.just(NOWHERE)),
    st.builds(n.ModelBlock, st.none() | names, bodies, st.just(NOWHERE)),
    st.builds(n.PredictBlock, bodies, st.just(NOWHERE)),
    functions,
    guides,
    st.just(n.GuideBlock(None, (), True, NOWHERE)),
    st.builds(n.FitBlock, st.lists(options, max_size=3).map(tuple), st.just(NOWHERE)),
)
specs = st.lists(blocks, max_size=3)


def bare(node: Any) -> Any:
    """Return a node as nested tuples without its spans."""
    if isinstance(node, tuple | list):
        return tuple(map(bare, node))
    if is_dataclass(node):
        values = (bare(getattr(node, f.name)) for f in fields(node) if f.name != "span")
        return (type(node).__name__, *values)
    return node


def lines_of(node: Any) -> list[str]:
    """Return the lines of a block, a declaration or a statement, without indentation."""
    match node:
        case n.DataBlock():
            return _braces("data", node.declarations)
        case n.DeriveBlock():
            return _braces("derive", node.statements)
        case n.ModelBlock():
            return _braces(f"model {node.name.text if node.name else ''}", node.body)
        case n.PredictBlock():
            return _braces("predict", node.body)
        case n.FunctionDef():
            head, result = flat(write.function_head(node)), flat(write.expression(node.result))
            if not node.body:
                return [f"{head} = {result}"]
            return [*_braces(head, node.body)[:-1], f"return {result}", "}"]
        case n.ExternDef():
            return [flat(write.function_head(node))]
        case n.GuideBlock(auto=True):
            return ["guide auto"]
        case n.GuideBlock():
            return _braces(f"guide {node.name.text if node.name else ''}", node.statements)
        case n.FitBlock():
            return _braces("fit", node.options)
        case n.Plate() | n.Recur():
            return _braces(flat(write.statement(node)), node.body)
        case n.Part() | n.CallablePart():
            return _braces(flat(write.guide_statement(node)), node.options)
        case n.DefaultInit():
            first, *rest = lines_of(node.init)
            return [f"default {first}", *rest]
        case n.Init() | n.Option():
            head = flat(write.guide_statement(node))
            bare = isinstance(node, n.Init) and node.strategy is None
            return _braces(head, node.at) if node.at or bare else [head]
    return [flat(write.statement(node))]


def _braces(head: str, body: tuple[Any, ...]) -> list[str]:
    return [f"{head} {{", *(line for node in body for line in lines_of(node)), "}"]
