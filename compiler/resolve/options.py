"""Resolves `name = value` settings against the rows of a table: literals only, each checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from compiler.diagnostics import Diagnostics, did_you_mean
from compiler.ir.guides import OptionValue
from compiler.resolve.constants import constant
from compiler.tables.options import Option
from grammar import nodes

Literal = bool | int | float | str | tuple[int | float, ...]


def literal(expr: nodes.Expr) -> Literal | None:
    """Return the value of an expression of literals, None if it is not one.

    A bare name stands for itself, as the words of a choice do; a list becomes a tuple.
    """
    match expr:
        case nodes.Bool(value=value):
            return value
        case nodes.String(value=text):
            return text
        case nodes.Variable(name=name):
            return name.text
        case nodes.Group(inner=inner):
            return literal(inner)
        case nodes.ListLiteral(items=items):
            numbers = [constant(item) for item in items]
            kept = tuple(number for number in numbers if number is not None)
            return kept if len(kept) == len(numbers) else None
        case _:
            return constant(expr)


def resolve_options(
    written: Iterable[nodes.Option | nodes.Keyword],
    rows: Iterable[Option],
    diagnostics: Diagnostics,
    *,
    owner: str,
    codes: tuple[str, str],
    foreign: Mapping[str, str] | None = None,
) -> dict[str, OptionValue]:
    """Return the values of the options written, those with mistakes left out.

    Args:
        written: The options, in the spec's order.
        rows: Those that there are.
        diagnostics: Where mistakes are told.
        owner: What has the options, for messages: `AutoNormal`.
        codes: The codes for an option that there is not, and for a value that is not allowed.
        foreign: What people call an option elsewhere, with its name here.
    """
    known = {row.name: row for row in rows}
    found: dict[str, OptionValue] = {}
    seen: dict[str, nodes.Name] = {}
    for option in written:
        name = option.name.text
        row = known.get(name)
        if row is None:
            guess = (foreign or {}).get(name) or did_you_mean(name, known)
            has = ", ".join(f"`{other}`" for other in known)
            diagnostics.report(
                codes[0],
                option.name.span,
                f"{owner} has no option `{name}`",
                f"did you mean `{guess}`?" if guess else f"it has {has or 'no options'}",
            )
        elif told_twice(option.name, seen, diagnostics, codes[0]):
            continue
        else:
            value = accepted(option.value, row, diagnostics, owner=owner, code=codes[1])
            if value is not None:
                found[name] = value
    return found


def accepted(
    written: nodes.Expr, row: Option, diagnostics: Diagnostics, *, owner: str, code: str
) -> OptionValue | None:
    """Return the value of an option as the IR keeps it; tell of one that is not allowed.

    Args:
        written: The value.
        row: The option.
        diagnostics: Where a mistake is told.
        owner: What has the option, for messages.
        code: The code of the mistake.
    """
    value = row.accept(literal(written))
    if value is None:
        diagnostics.report(
            code,
            written.span,
            f"`{row.name}` of {owner} takes {row.takes}",
            _word_remedy(row, written) or f"write a value such as {_example(row)}",
        )
    return value


def told_twice(
    name: nodes.Name, seen: dict[str, nodes.Name], diagnostics: Diagnostics, code: str
) -> bool:
    """Return whether `name` was among those `seen` before, and tell so; remember it otherwise."""
    first = seen.setdefault(name.text, name)
    if first is name:
        return False
    diagnostics.report(
        code,
        name.span,
        f"`{name.text}` is set twice",
        "keep one of the two",
        [(f"`{name.text}` is set here first", first.span)],
    )
    return True


def _word_remedy(row: Option, value: nodes.Expr) -> str | None:
    word = literal(value)
    guess = did_you_mean(word, row.choices) if isinstance(word, str) else None
    return f"did you mean `{guess}`?" if guess else None


def _example(row: Option) -> str:
    examples: dict[str, str] = {"bool": "`true`", "ints": "`[32, 32]`", "reals": "`[0.9, 0.999]`"}
    if row.kind in examples:
        return examples[row.kind]
    if row.kind == "choice":
        return f"`{row.choices[0]}`"
    return f"`{row.default}`" if row.default is not None else "`8`"
