"""Prints a syntax tree: a line a node, with its place."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from grammar.span import Span


def print_tree(node: Any, label: str = "", depth: int = 0) -> str:
    """Return the tree under a dataclass of `grammar.nodes`, children indented.

    A node's line has its class, its place and its plain fields; its other fields follow, each
    child with the field's name before it.
    """
    words = [f"{label}: " if label else "", type(node).__name__]
    children = []
    span = getattr(node, "span", None)
    if isinstance(span, Span):
        words.append(f" {span.line}:{span.column}-{span.end_line}:{span.end_column}")
    for field in fields(node):
        value = getattr(node, field.name)
        if field.name == "span" or value is None:
            continue
        if is_dataclass(value):
            children.append(print_tree(value, field.name, depth + 1))
        elif isinstance(value, tuple):
            children += [
                print_tree(item, f"{field.name}[{number}]", depth + 1)
                for number, item in enumerate(value)
            ]
        else:
            words.append(f" {field.name}={value!r}")
    return "\n".join(["  " * depth + "".join(words), *children])
