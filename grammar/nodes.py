"""The syntax tree: one frozen dataclass a construct, each with its span, names still unresolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from grammar.span import Span


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier as written."""

    text: str
    span: Span


# --- expressions ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric literal; `text` keeps the author's spelling, `value` is an int or a float."""

    value: int | float
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class String:
    """A double-quoted string; `value` is without quotes, escapes resolved."""

    value: str
    span: Span


@dataclass(frozen=True, slots=True)
class Bool:
    """`true` or `false`."""

    value: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Variable:
    """A name used as a value."""

    name: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x`, `+x` or `not x`."""

    operator: Literal["-", "+", "not"]
    operand: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Binary:
    """An infix operation; comparisons and `and` / `or` included. `**` binds to the right."""

    operator: Literal[
        "+", "-", "*", "/", "**", "@", "%", "//",
        "==", "!=", "<", "<=", ">", ">=", "and", "or",
    ]  # fmt: skip
    left: Expr
    right: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Conditional:
    """`if condition then a else b`."""

    condition: Expr
    then: Expr
    otherwise: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword argument `name = value` of a call."""

    name: Name
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """`function(positional…, name = value…)`."""

    function: Name
    arguments: tuple[Expr, ...]
    keywords: tuple[Keyword, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Slice:
    """`lower : upper` inside an index; either end may be absent."""

    lower: Expr | None
    upper: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Index:
    """`base[i, j]`."""

    base: Expr
    indices: tuple[Expr | Slice, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """`[a, b, c]`, also nested for matrices."""

    items: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Group:
    """An expression in parentheses; kept so that the formatter leaves the author's grouping."""

    inner: Expr
    span: Span


Expr = (
    Number | String | Bool | Variable | Unary | Binary | Conditional | Call | Index
    | ListLiteral | Group
)  # fmt: skip


# --- data and derive ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DimDecl:
    """`dim school`, `dim obs, group` (several names, no size) or `dim k = 3`."""

    names: tuple[Name, ...]
    size: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Bound:
    """One side of a declared range: `> 0`, `>= 0`, `< 1`, `<= 1`; `in a .. b` gives `>=`, `<=`."""

    operator: Literal[">", ">=", "<", "<="]
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Type:
    """A declared type.

    `real`, `int`, `bool`, `index(dim, base = 1)`, or a support such as `ordered` and `simplex`;
    `bounds` holds at most one lower and one upper bound; `interval` tells that they were written
    as `in a .. b`.
    """

    kind: Name
    arguments: tuple[Expr, ...]
    keywords: tuple[Keyword, ...]
    bounds: tuple[Bound, ...]
    interval: bool
    span: Span


@dataclass(frozen=True, slots=True)
class DataDecl:
    """`y[obs] : real > 0`; `dims` holds names and integer literals; `missing` allows gaps."""

    name: Name
    dims: tuple[Expr, ...]
    type: Type
    missing: bool
    span: Span


@dataclass(frozen=True, slots=True)
class DataBlock:
    """`data { … }`."""

    declarations: tuple[DimDecl | DataDecl, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Assign:
    """`name = expression` or `name[dims] = expression`, in `derive`, `model` or a function body."""

    name: Name
    dims: tuple[Expr, ...]
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class DeriveBlock:
    """`derive { … }`: values computed once, from data alone."""

    statements: tuple[Assign, ...]
    span: Span


# --- model and predict ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Modifier:
    """What follows a distribution.

    `truncated(lower = a, upper = b)` and `censored(…)` (keywords), `reparam noncentered`
    (argument), `marginalize` (with or without keywords), `over time` (argument).
    """

    kind: Literal["truncated", "censored", "reparam", "marginalize", "over"]
    argument: Name | None
    keywords: tuple[Keyword, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Sample:
    """`name[event dims] : type ~ Distribution(…) modifiers`.

    `initial` is the first distribution of `~ init … then …`, inside `recur`.
    """

    name: Name
    dims: tuple[Expr, ...]
    type: Type | None
    distribution: Call
    modifiers: tuple[Modifier, ...]
    span: Span
    initial: Call | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """`record name[dims] = expression`: kept in the posterior."""

    name: Name
    dims: tuple[Expr, ...]
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Factor:
    """`factor name = expression`: a term added to the log density."""

    name: Name
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Plate:
    """`plate dim { … }`, `plate dim minibatch n { … }`; several dims nest, the first outermost."""

    dims: tuple[Name, ...]
    minibatch: Expr | None
    body: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class RecurAssign:
    """`name[dims] = init a then b` inside `recur`; `recorded` with `record` before it."""

    name: Name
    dims: tuple[Expr, ...]
    initial: Expr
    then: Expr
    recorded: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Recur:
    """`recur time { … }`: a sequential definition."""

    dim: Name
    body: tuple[RecurAssign | Statement, ...]
    span: Span


Statement = Sample | Assign | Record | Factor | Plate | Recur


@dataclass(frozen=True, slots=True)
class ModelBlock:
    """`model name { … }`; the name may be left out."""

    name: Name | None
    body: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class PredictBlock:
    """`predict { … }`: what is drawn from the posterior, after the fit."""

    body: tuple[Statement, ...]
    span: Span


# --- functions ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FunctionDef:
    """`def f(a, b) = expression`, or `def f(a, b) { x = …; return expression }`."""

    name: Name
    parameters: tuple[Name, ...]
    body: tuple[Assign, ...]
    result: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class ExternParameter:
    """`x[obs, pixel]` in the head of an extern."""

    name: Name
    dims: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ExternDef:
    """`extern def f(x[obs, pixel]) : real[obs, code] from "module:attribute"`."""

    name: Name
    parameters: tuple[ExternParameter, ...]
    result_type: Type
    result_dims: tuple[Expr, ...]
    path: String
    span: Span


# --- guide and fit --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InitAt:
    """`site = expression` inside `at { … }`, of `init` or of an option."""

    name: Name
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Init:
    """`init median(num_samples = 30) at { tau = 1.0 }`, `init generated "module:function"`.

    `strategy` is None for `init at { … }`.
    """

    strategy: Name | None
    keywords: tuple[Keyword, ...]
    path: String | None
    at: tuple[InitAt, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class DefaultInit:
    """`default init median`."""

    init: Init
    span: Span


@dataclass(frozen=True, slots=True)
class Option:
    """`name = value` in a part or in `fit`; in a part also `name = value at { site = value }`."""

    name: Name
    value: Expr
    at: tuple[InitAt, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Part:
    """`part name = Family(site, …) { options }`; `star` for `Family(*)`."""

    name: Name
    family: Name
    sites: tuple[Name, ...]
    star: bool
    options: tuple[Option | Init, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class CallablePart:
    """`part name = callable "module:function" for (site, …) { median = "module:function" }`."""

    name: Name
    path: String
    sites: tuple[Name, ...]
    options: tuple[Option | Init, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class GuideBlock:
    """`guide { … }` or `guide name { … }`; `auto` for `guide auto` (no braces)."""

    name: Name | None
    statements: tuple[DefaultInit | Part | CallablePart, ...]
    auto: bool
    span: Span


@dataclass(frozen=True, slots=True)
class FitBlock:
    """`fit { steps = 5000; optimizer = ClippedAdam(lr = 0.02) }`."""

    options: tuple[Option, ...]
    span: Span


Block = (
    DataBlock | DeriveBlock | ModelBlock | PredictBlock | FunctionDef | ExternDef | GuideBlock
    | FitBlock
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comment:
    """A `#` comment; `own_line` when nothing but blanks stands before it."""

    text: str
    own_line: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Spec:
    """A whole file: its blocks in the order written, and its comments."""

    blocks: tuple[Block, ...]
    comments: tuple[Comment, ...]
    span: Span
