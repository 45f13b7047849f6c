"""Builds the typed syntax tree from Lark's parse tree, rule by rule."""

# ruff: noqa: D102 - a method of `Builder` is documented by the rule of ppl.lark it is named for.

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lark import Token, v_args
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive

from grammar import nodes as n
from grammar.keywords import RESERVED
from grammar.problems import SyntaxProblem
from grammar.span import Span

_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}

Dims = tuple[n.Expr, ...]
Arguments = tuple[tuple[n.Expr, ...], tuple[n.Keyword, ...]]


def span_of(place: Token | Meta) -> Span:
    """Return where a token, or all that a rule matched, stands."""
    assert place.start_pos is not None
    assert place.end_pos is not None
    assert place.line is not None
    assert place.column is not None
    assert place.end_line is not None
    assert place.end_column is not None
    return Span(
        place.start_pos,
        place.end_pos,
        place.line,
        place.column,
        place.end_line,
        place.end_column,
    )


@dataclass(frozen=True, slots=True)
class _Return:
    """`return value` in a function's body."""

    value: n.Expr
    span: Span


@v_args(inline=True, meta=True)
class Builder(Transformer_NonRecursive[Token, Any]):
    """One method a rule of `ppl.lark`.

    Attributes:
        problems: What the grammar lets pass and the language does not: reserved words as names,
            numbers out of range, misplaced arguments.
    """

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[SyntaxProblem] = []

    def start(self, _: Meta, *blocks: n.Block) -> tuple[n.Block, ...]:
        return blocks

    # --- names and literals -------------------------------------------------------------------

    def name(self, _: Meta, token: Token) -> n.Name:
        span = span_of(token)
        if token in RESERVED:
            self.problems.append(reserved(token, span))
        return n.Name(str(token), span)

    data_name = name
    statement_name = name

    def number(self, _: Meta, token: Token) -> n.Number:
        span = span_of(token)
        try:
            value = float(token) if any(c in ".eE" for c in token) else int(token)
            float(value)
        except (ValueError, OverflowError):
            value = math.inf
        if value == math.inf:
            self.problems.append(
                SyntaxProblem(
                    "number",
                    "this number is larger than any that can be computed with",
                    "write a number below 1e308",
                    span,
                )
            )
        return n.Number(value, str(token), span)

    def string(self, _: Meta, token: Token) -> n.String:
        span = span_of(token)
        characters = iter(token[1:-1])
        value = []
        for character in characters:
            if character != "\\":
                value.append(character)
                continue
            escaped = next(characters)
            if escaped not in _ESCAPES:
                self.problems.append(
                    SyntaxProblem(
                        "character",
                        f"`\\{escaped}` is no escape of a string",
                        r"the escapes are \n, \t, \" and \\",
                        span,
                    )
                )
            value.append(_ESCAPES.get(escaped, escaped))
        return n.String("".join(value), span)

    def boolean(self, _: Meta, token: Token) -> n.Bool:
        return n.Bool(token == "true", span_of(token))

    # --- expressions --------------------------------------------------------------------------

    def variable(self, _: Meta, name: n.Name) -> n.Variable:
        return n.Variable(name, name.span)

    def sum_operator(self, _: Meta, token: Token) -> Token:
        return token

    term_operator = comparison_operator = bound_operator = sum_operator

    def unary(self, meta: Meta, operator: Any, operand: n.Expr) -> n.Unary:
        return n.Unary(str(operator), operand, span_of(meta))  # type: ignore[arg-type]

    def binary(self, meta: Meta, left: n.Expr, operator: Any, right: n.Expr) -> n.Binary:
        return n.Binary(str(operator), left, right, span_of(meta))  # type: ignore[arg-type]

    def conditional(
        self, meta: Meta, condition: n.Expr, then: n.Expr, otherwise: n.Expr
    ) -> n.Conditional:
        return n.Conditional(condition, then, otherwise, span_of(meta))

    def keyword(self, meta: Meta, name: n.Name, value: n.Expr) -> n.Keyword:
        return n.Keyword(name, value, span_of(meta))

    def arguments(self, _: Meta, *given: n.Expr | n.Keyword) -> Arguments:
        positional: list[n.Expr] = []
        keywords: list[n.Keyword] = []
        for argument in given:
            if isinstance(argument, n.Keyword):
                keywords.append(argument)
                continue
            if keywords:
                last = keywords[-1].name.text
                self.problems.append(
                    SyntaxProblem(
                        "unexpected",
                        f"an argument without a name stands after `{last} = …`",
                        "put the arguments without a name first, or give this one its name",
                        argument.span,
                    )
                )
            positional.append(argument)
        return tuple(positional), tuple(keywords)

    def call(self, meta: Meta, function: n.Name, arguments: Arguments) -> n.Call:
        return n.Call(function, *arguments, span_of(meta))

    def index_range(self, meta: Meta, lower: n.Expr | None, upper: n.Expr | None) -> n.Slice:
        return n.Slice(lower, upper, span_of(meta))

    def index(self, meta: Meta, base: n.Expr, *indices: n.Expr | n.Slice) -> n.Index:
        return n.Index(base, indices, span_of(meta))

    def list_literal(self, meta: Meta, *items: n.Expr) -> n.ListLiteral:
        return n.ListLiteral(items, span_of(meta))

    def group(self, meta: Meta, inner: n.Expr) -> n.Group:
        return n.Group(inner, span_of(meta))

    # --- data and derive ----------------------------------------------------------------------

    def dims(self, _: Meta, *dims: n.Expr) -> Dims:
        return dims

    def dim_decl(self, meta: Meta, *parts: Any) -> n.DimDecl:
        *names, size = parts
        if size and len(names) > 1:
            self.problems.append(
                SyntaxProblem(
                    "unexpected",
                    "several dims share one size",
                    "declare each with its size: `dim k = 3`",
                    span_of(meta),
                )
            )
        return n.DimDecl(tuple(names), size, span_of(meta))

    def bound(self, meta: Meta, operator: Token, value: n.Expr) -> n.Bound:
        return n.Bound(str(operator), value, span_of(meta))  # type: ignore[arg-type]

    def interval(self, meta: Meta, lower: n.Expr, _: Token, upper: n.Expr) -> tuple[n.Bound, ...]:
        span = span_of(meta)
        return n.Bound(">=", lower, span), n.Bound("<=", upper, span)

    def bounds(self, _: Meta, *bounds: Any) -> tuple[tuple[n.Bound, ...], bool]:
        interval = isinstance(bounds[0], tuple)
        written: tuple[n.Bound, ...] = bounds[0] if interval else bounds
        sides = [bound.operator[0] for bound in written]
        for number, bound in enumerate(written):
            if sides[number] in sides[:number]:
                side = "lower" if sides[number] == ">" else "upper"
                self.problems.append(
                    SyntaxProblem(
                        "unexpected",
                        f"the type has a second {side} bound",
                        "write at most one lower and one upper bound: `real > 0, < 1`",
                        bound.span,
                    )
                )
        return written, interval

    def type_arguments(self, _: Meta, arguments: Arguments) -> Arguments:
        return arguments

    def declared_type(
        self,
        meta: Meta,
        kind: n.Name,
        arguments: Arguments | None,
        bounds: tuple[tuple[n.Bound, ...], bool] | None,
    ) -> n.Type:
        positional, keywords = arguments or ((), ())
        written, interval = bounds or ((), False)
        return n.Type(kind, positional, keywords, written, interval, span_of(meta))

    def data_decl(
        self, meta: Meta, name: n.Name, dims: Dims, declared: n.Type, missing: Token | None
    ) -> n.DataDecl:
        return n.DataDecl(name, dims, declared, missing is not None, span_of(meta))

    def data_block(self, meta: Meta, *declarations: n.DimDecl | n.DataDecl) -> n.DataBlock:
        return n.DataBlock(declarations, span_of(meta))

    def assign(self, meta: Meta, name: n.Name, dims: Dims, value: n.Expr) -> n.Assign:
        return n.Assign(name, dims, value, span_of(meta))

    def derive_block(self, meta: Meta, *statements: n.Assign) -> n.DeriveBlock:
        return n.DeriveBlock(statements, span_of(meta))

    # --- model and predict --------------------------------------------------------------------

    def body(self, _: Meta, *statements: Any) -> tuple[Any, ...]:
        return statements

    recur_body = modifiers = parameters = extern_parameters = site_names = guide_body = body
    options = body

    def sample(
        self,
        meta: Meta,
        name: n.Name,
        dims: Dims,
        declared: n.Type | None,
        distribution: n.Call,
        modifiers: tuple[n.Modifier, ...],
    ) -> n.Sample:
        return n.Sample(name, dims, declared, distribution, modifiers, span_of(meta))

    model_assign = assign

    def bounding(self, meta: Meta, kind: Token, *keywords: n.Keyword) -> n.Modifier:
        return n.Modifier(str(kind), None, keywords, span_of(meta))  # type: ignore[arg-type]

    def reparam(self, meta: Meta, how: n.Name) -> n.Modifier:
        return n.Modifier("reparam", how, (), span_of(meta))

    def marginalize(self, meta: Meta, *keywords: n.Keyword | None) -> n.Modifier:
        given = tuple(keyword for keyword in keywords if keyword is not None)
        return n.Modifier("marginalize", None, given, span_of(meta))

    def over(self, meta: Meta, dim: n.Name) -> n.Modifier:
        return n.Modifier("over", dim, (), span_of(meta))

    def record(self, meta: Meta, name: n.Name, dims: Dims, value: n.Expr) -> n.Record:
        return n.Record(name, dims, value, span_of(meta))

    def factor(self, meta: Meta, name: n.Name, value: n.Expr) -> n.Factor:
        return n.Factor(name, value, span_of(meta))

    def plate(self, meta: Meta, *parts: Any) -> n.Plate:
        *dims, minibatch, body = parts
        return n.Plate(tuple(dims), minibatch, body, span_of(meta))

    def recur_sample(
        self,
        meta: Meta,
        name: n.Name,
        dims: Dims,
        declared: n.Type | None,
        initial: n.Call,
        then: n.Call,
        modifiers: tuple[n.Modifier, ...],
    ) -> n.Sample:
        return n.Sample(name, dims, declared, then, modifiers, span_of(meta), initial)

    def recur_assign(
        self, meta: Meta, name: n.Name, dims: Dims, initial: n.Expr, then: n.Expr
    ) -> n.RecurAssign:
        return n.RecurAssign(name, dims, initial, then, False, span_of(meta))

    def recur_record(
        self, meta: Meta, name: n.Name, dims: Dims, initial: n.Expr, then: n.Expr
    ) -> n.RecurAssign:
        return n.RecurAssign(name, dims, initial, then, True, span_of(meta))

    def recur(self, meta: Meta, dim: n.Name, body: Any) -> n.Recur:
        return n.Recur(dim, body, span_of(meta))

    def model_block(self, meta: Meta, name: n.Name | None, body: Any) -> n.ModelBlock:
        return n.ModelBlock(name, body, span_of(meta))

    def predict_block(self, meta: Meta, body: Any) -> n.PredictBlock:
        return n.PredictBlock(body, span_of(meta))

    # --- functions ----------------------------------------------------------------------------

    def return_(self, meta: Meta, value: n.Expr) -> _Return:
        return _Return(value, span_of(meta))

    def function_def(
        self,
        meta: Meta,
        name: n.Name,
        parameters: tuple[n.Name, ...],
        *body: n.Assign | _Return | n.Expr,
    ) -> n.FunctionDef:
        *before, last = body or (n.Variable(name, name.span),)
        assigns = tuple(statement for statement in before if isinstance(statement, n.Assign))
        early = next((statement for statement in before if isinstance(statement, _Return)), None)
        if early or not body or isinstance(last, n.Assign):
            self.problems.append(
                SyntaxProblem(
                    "unfinished",
                    f"the function `{name.text}` does not end with its one `return`",
                    "put `return expression` last",
                    early.span if early else name.span,
                )
            )
        result = last.value if isinstance(last, n.Assign | _Return) else last
        return n.FunctionDef(name, parameters, assigns, result, span_of(meta))

    def extern_parameter(self, meta: Meta, name: n.Name, dims: Dims) -> n.ExternParameter:
        return n.ExternParameter(name, dims, span_of(meta))

    def extern_type(
        self,
        meta: Meta,
        kind: n.Name,
        arguments: Arguments | None,
        dims: Dims,
        bounds: tuple[tuple[n.Bound, ...], bool] | None,
    ) -> tuple[n.Type, Dims]:
        return self.declared_type(meta, kind, arguments, bounds), dims

    def extern_def(
        self,
        meta: Meta,
        name: n.Name,
        parameters: tuple[n.ExternParameter, ...],
        result: tuple[n.Type, Dims],
        path: n.String,
    ) -> n.ExternDef:
        return n.ExternDef(name, parameters, *result, path, span_of(meta))

    # --- guide and fit ------------------------------------------------------------------------

    def site_value(self, meta: Meta, name: n.Name, value: n.Expr) -> n.InitAt:
        return n.InitAt(name, value, span_of(meta))

    init_at = init_arguments = body

    def init(
        self,
        meta: Meta,
        strategy: n.Name,
        keywords: tuple[n.Keyword, ...] | None,
        path: n.String | None,
        at: tuple[n.InitAt, ...] | None,
    ) -> n.Init:
        return n.Init(strategy, keywords or (), path, at or (), span_of(meta))

    def init_at_only(self, meta: Meta, at: tuple[n.InitAt, ...]) -> n.Init:
        return n.Init(None, (), None, at, span_of(meta))

    def default_init(self, meta: Meta, init: n.Init) -> n.DefaultInit:
        return n.DefaultInit(init, span_of(meta))

    def option(self, meta: Meta, name: n.Name, value: n.Expr) -> n.Option:
        return n.Option(name, value, (), span_of(meta))

    def part_option(
        self, meta: Meta, name: n.Name, value: n.Expr, at: tuple[n.InitAt, ...] | None
    ) -> n.Option:
        return n.Option(name, value, at or (), span_of(meta))

    def sites(self, _: Meta, *sites: n.Name | Token) -> tuple[tuple[n.Name, ...], bool]:
        named = tuple(site for site in sites if isinstance(site, n.Name))
        return named, not named

    def part(
        self,
        meta: Meta,
        name: n.Name,
        family: n.Name,
        sites: tuple[tuple[n.Name, ...], bool],
        options: tuple[n.Option | n.Init, ...] | None,
    ) -> n.Part:
        return n.Part(name, family, *sites, options or (), span_of(meta))

    def callable_part(
        self,
        meta: Meta,
        name: n.Name,
        path: n.String,
        sites: tuple[n.Name, ...],
        options: tuple[n.Option | n.Init, ...] | None,
    ) -> n.CallablePart:
        return n.CallablePart(name, path, sites, options or (), span_of(meta))

    def guide_block(self, meta: Meta, name: n.Name | None, body: Any) -> n.GuideBlock:
        return n.GuideBlock(name, body, False, span_of(meta))

    def guide_auto(self, meta: Meta) -> n.GuideBlock:
        return n.GuideBlock(None, (), True, span_of(meta))

    def fit_block(self, meta: Meta, *options: n.Option) -> n.FitBlock:
        return n.FitBlock(options, span_of(meta))


def reserved(word: str, span: Span) -> SyntaxProblem:
    """Return the problem of a reserved word that stands where a name must."""
    return SyntaxProblem(
        "reserved",
        f"`{word}` is a reserved word and cannot be a name",
        f"choose another name, such as `{word}_`",
        span,
    )
