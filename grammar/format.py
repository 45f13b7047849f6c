"""Formats a spec: its canonical text, with the author's comments and single blank lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from grammar import nodes as n
from grammar import write
from grammar.brackets import outline
from grammar.layout import STEP, WIDTH, Doc, flat, lay_out
from grammar.masking import mask
from grammar.parse import parse
from grammar.source import Lines, normalise
from grammar.span import Span


def format_spec(text: str, path: str = "<spec>") -> str:
    """Return the canonical text of a spec.

    The result parses to the same tree, and formatting it again changes nothing. A statement that
    holds a comment keeps its lines as written.

    Args:
        text: The spec.
        path: The file it was read from, for messages.

    Raises:
        SyntaxProblems: The text is not a spec.
    """
    spec = parse(text, path)
    source = normalise(text, path)
    return _Printer(source, spec.comments).run(_block(block, source) for block in spec.blocks)


@dataclass(frozen=True, slots=True)
class _Item:
    """What stands on a line of its own, or opens a block.

    Attributes:
        head: The line, up to the `{`.
        span: The whole item.
        body: What stands in the braces, if there are braces.
        separator: What separates the body's items on one line.
    """

    head: Doc
    span: Span
    body: tuple[_Item, ...] | None = None
    separator: str = "; "


def _block(node: n.Block, source: str) -> _Item:
    match node:
        case n.DataBlock():
            return _Item(("data",), node.span, tuple(map(_statement, node.declarations)))
        case n.DeriveBlock():
            return _Item(("derive",), node.span, tuple(map(_statement, node.statements)))
        case n.ModelBlock():
            name = f" {node.name.text}" if node.name else ""
            return _Item((f"model{name}",), node.span, tuple(map(_statement, node.body)))
        case n.PredictBlock():
            return _Item(("predict",), node.span, tuple(map(_statement, node.body)))
        case n.FunctionDef():
            return _function(node, source)
        case n.ExternDef():
            return _Item(write.function_head(node), node.span)
        case n.GuideBlock(auto=True):
            return _Item(("guide auto",), node.span)
        case n.GuideBlock():
            name = f" {node.name.text}" if node.name else ""
            return _Item((f"guide{name}",), node.span, tuple(map(_guide, node.statements)))
        case n.FitBlock():
            return _Item(("fit",), node.span, tuple(map(_guide, node.options)))


def _function(node: n.FunctionDef, source: str) -> _Item:
    head, result = write.function_head(node), write.expression(node.result)
    if not node.body:
        return _Item((*head, " = ", *result), node.span)
    start = source.rindex("return", 0, node.result.span.start)
    span = Lines(source).span(start, node.result.span.end)
    return _Item(head, node.span, (*map(_statement, node.body), _Item(("return ", *result), span)))


def _statement(
    node: n.DimDecl | n.DataDecl | n.Statement | n.RecurAssign | n.InitAt,
) -> _Item:
    body = None
    if isinstance(node, n.Plate | n.Recur):
        body = tuple(_statement(statement) for statement in node.body)
    return _Item(write.statement(node), node.span, body)


def _guide(node: n.DefaultInit | n.Part | n.CallablePart | n.Option | n.Init) -> _Item:
    head = write.guide_statement(node)
    if isinstance(node, n.Option):
        body = tuple(map(_statement, node.at)) or None
        return _Item(head, node.span, body, separator=", ")
    if isinstance(node, n.Part | n.CallablePart):
        return _Item(head, node.span, tuple(map(_guide, node.options)) or None)
    init = node.init if isinstance(node, n.DefaultInit) else node
    body = tuple(map(_statement, init.at)) if init.at or not init.strategy else None
    return _Item(head, node.span, body, separator=", ")


class _Printer:
    """Writes items and comments in the order of the source."""

    def __init__(self, source: str, comments: Iterable[n.Comment]) -> None:
        self.source = source
        self.comments = list(comments)[::-1]
        lines = Lines(source)
        self.lines = lines
        self.masked = mask(source, lines).text
        self.braces = outline(self.masked, lines).blocks
        self.written: list[str] = []
        self.last_line = 0
        self.fresh = True

    def run(self, items: Iterable[_Item]) -> str:
        """Return the whole text."""
        for item in items:
            self.item(item, 0)
        self.comments_before(len(self.source), 0)
        return "".join(f"{line}\n" for line in self.written)

    def item(self, item: _Item, indent: int) -> None:
        """Write an item, after the comments that stand before it."""
        span = item.span
        self.comments_before(span.start, indent)
        self.blank_before(span.line)
        if item.body is None:
            self.head(item.head, span, indent)
            self.last_line = span.end_line
            return
        line = " " * indent + _flat(item)
        opening = self.masked.index("{", span.start)
        closing = self.braces[opening]
        empty = not item.body and not self.comment_within(opening, closing)
        one_line = "\n" not in self.source[span.start : closing] and len(line) <= WIDTH
        if empty or one_line:
            self.written.append(line)
        else:
            self.head((*item.head, " {"), self.lines.span(span.start, opening + 1), indent)
            self.last_line = self.lines.span(opening, opening).line
            self.fresh = True
            for inner in item.body:
                self.item(inner, indent + STEP)
            self.comments_before(closing, indent + STEP)
            self.written.append(" " * indent + "}")
        self.last_line = self.lines.span(closing, closing).line
        self.fresh = False

    def head(self, doc: Doc, span: Span, indent: int) -> None:
        """Write the lines of `doc`; the author's own where a comment stands among them."""
        if not self.comment_within(span.start, span.end):
            self.written += lay_out(doc, indent)
            return
        while self.comment_within(span.start, span.end):
            self.comments.pop()
        shift = indent - (span.column - 1)
        first, *others = self.source[span.start : span.end].split("\n")
        self.written.append(" " * indent + first.rstrip())
        for line in others:
            text = line.strip()
            before = len(line) - len(line.lstrip())
            self.written.append((" " * max(before + shift, 0) + text) if text else "")

    def comments_before(self, offset: int, indent: int) -> None:
        """Write the comments that stand before `offset`."""
        while self.comments and self.comments[-1].span.start < offset:
            comment = self.comments.pop()
            if comment.own_line or comment.span.line != self.last_line:
                self.blank_before(comment.span.line)
                self.written.append(" " * indent + comment.text)
            else:
                self.written[-1] += f"  {comment.text}"
            self.last_line = comment.span.line

    def comment_within(self, start: int, end: int) -> bool:
        """Return whether the next comment stands between `start` and `end`."""
        return bool(self.comments) and start < self.comments[-1].span.start < end

    def blank_before(self, line: int) -> None:
        """Keep one of the blank lines that the author left before `line`, but none after `{`."""
        if not self.fresh and line > self.last_line + 1:
            self.written.append("")
        self.fresh = False


def _flat(item: _Item) -> str:
    """Return an item on one line."""
    if item.body is None:
        return flat(item.head)
    if not item.body:
        return flat(item.head) + " {}"
    return f"{flat(item.head)} {{ {item.separator.join(map(_flat, item.body))} }}"
