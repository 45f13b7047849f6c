"""The model as a graph with its plates."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.report.blocks import Block, Gallery, Paragraph
from compiler.report.content import Content
from compiler.report.graph import graph_picture, model_graph
from compiler.report.numbers import counted

_LEGEND = {
    "latent": "white ellipse: latent",
    "observed": "shaded ellipse: observed",
    "data": "shaded box: data",
    "recorded": "dashed box: computed and recorded",
    "factor": "black box: factor",
}


def graph(content: Content) -> Sequence[Block]:
    """Return the graph, with a legend of what is in it."""
    made = model_graph(content.program, content.sizes)
    kinds = {node.kind for node in made.root.inside()}
    legend = "; ".join(words for kind, words in _LEGEND.items() if kind in kinds)
    blocks: list[Block] = [
        Gallery([graph_picture(made)], "whole"),
        Paragraph(f"{legend[:1].upper()}{legend[1:]}. Frames: plates.", quiet=True),
    ]
    if made.left_out:
        text = f"{counted(made.left_out, 'further node')} not shown."
        blocks.append(Paragraph(text, quiet=True))
    return blocks
