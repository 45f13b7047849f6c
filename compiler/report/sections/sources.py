"""The spec and the emitted module, highlighted."""

from __future__ import annotations

from collections.abc import Sequence

from pygments.lexers.python import PythonLexer

from compiler.report.blocks import Block, Code, Folded, Paragraph
from compiler.report.content import Content
from compiler.report.highlight import SpecLexer, highlighted


def sources(content: Content) -> Sequence[Block]:
    """Return the spec and the Pyro module that it became, each to be unfolded."""
    if content.spec is None:
        spec: Block = Paragraph(f"Compiled from an IR file, {content.program.path}.")
    else:
        spec = Folded("Spec", [Code(highlighted(content.spec, SpecLexer()), "Spec")])
    code = Code(highlighted(content.module, PythonLexer()), "Pyro module")
    return [spec, Folded("Pyro module: the model and the guide that were run", [code])]
