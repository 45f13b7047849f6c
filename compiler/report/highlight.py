"""Colours source code by Pygments, in both colour schemes."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import ClassVar

from markupsafe import Markup
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexer import Lexer, RegexLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Text

_MOST_CHARACTERS = 200_000
_LIGHT, _DARK = "xcode", "github-dark"

_GRAMMAR = files("grammar") / "ppl.lark"
_WORDS = sorted(set(re.findall(r'"([a-z]{2,})"', _GRAMMAR.read_text(encoding="utf-8"))))


class SpecLexer(RegexLexer):
    """The words, names, numbers and comments of the `.ppl` language, for colours only."""

    name = "ppl"
    tokens: ClassVar = {
        "root": [
            (r"#[^\n]*", Comment),
            (r'"[^"\n]*"?', String),
            (rf"\b(?:{'|'.join(_WORDS)})\b", Keyword),
            (r"\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?", Number),
            (r"\b[A-Z]\w*(?=\()", Name.Class),
            (r"\b\w+(?=\()", Name.Function),
            (r"\w+", Name),
            (r"[~=+\-*/^<>@|&!]+", Operator),
            (r"[\[\]{}(),:;.]", Punctuation),
            (r"\s+", Text),
            (r".", Text),
        ]
    }


def highlighted(text: str, lexer: Lexer) -> Markup:
    """Return source code as spans with classes; everything in it is escaped.

    Code that is too long for a page is cut.
    """
    if len(text) > _MOST_CHARACTERS:
        text = text[:_MOST_CHARACTERS] + "\n…"
    return Markup(highlight(text, lexer, HtmlFormatter(nowrap=True)))


def code_styles() -> str:
    """Return the style sheet of highlighted code, for light and dark screens."""
    light, dark = (_colours(style) for style in (_LIGHT, _DARK))
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}"


def _colours(style: str) -> str:
    """Return the rules of a style that colour text; its backgrounds are the page's affair."""
    rules = HtmlFormatter(style=style).get_style_defs("code").splitlines()
    kept = [rule.partition("/*")[0].strip() for rule in rules if rule.startswith("code .")]
    return "\n".join(re.sub(r" ?background-color: [^;}]*;?", "", rule) for rule in kept)
