"""The model graph: what depends on what, and that nothing lies on anything else."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from compiler.pipeline import compile_file, compile_text
from compiler.report.graph import model_graph
from compiler.report.graph.layout import Placed, lay_out
from compiler.report.graph.nodes import Box, GraphNode

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/*.ppl"))

CROSSED = """\
data {
  dim row = 3
  dim col = 4
  dim cell, pred
  r[cell] : index(row)
  c[cell] : index(col)
  X[cell, pred] : real
  y[cell] : real
}
derive {
  spread = sd(y)
}
model crossed {
  s ~ HalfNormal(spread)
  beta[pred] ~ Normal(0, 1)
  plate row { a ~ Normal(0, s) }
  plate col { b ~ Normal(0, 1) }
  plate col { plate row { w ~ Normal(0, 1) } }
  plate cell {
    eta = a[r] + b[c] + w[c, r] + dot(X, beta)
    y ~ Normal(eta, 1)
  }
}
"""


def box_of(box: Box, name: str, path: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    """Return the dims of the boxes around a node."""
    path = (*path, box.dim) if box.dim else path
    if any(name in (node.name, *node.others) for node in box.nodes):
        return path
    return next(
        (found for one in box.boxes if (found := box_of(one, name, path)) is not None), None
    )


def test_edges_go_through_named_values_and_boxes_are_plates() -> None:
    program = compile_text(CROSSED, "crossed.ppl").program
    assert program is not None
    root = model_graph(program, {"cell": 9}).root
    nodes = {node.name: node for node in root.inside()}
    assert set(nodes["y"].parents) == {"a", "r", "b", "w", "X", "beta"}
    assert (nodes["r"].others, nodes["r"].kind) == (("c",), "data")
    assert nodes["X"].dims == ("pred",)
    assert nodes["s"].parents == ()  # its prior looks at the data, which makes no circle
    assert "eta" not in nodes
    assert box_of(root, "w") == ("col", "row")
    assert box_of(root, "c") == ("cell",)
    assert {box.dim: box.size for box in root.boxes} == {"row": 3, "col": 4, "cell": 9}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_nothing_overlaps_and_all_stays_in_its_box(path: Path) -> None:
    program = compile_file(path).program
    assert program is not None
    placed = lay_out(model_graph(program, {}).root)
    check(placed)


def check(box: Placed) -> None:
    for one in box.inside:
        assert box.x <= one.x
        assert one.x + one.width <= box.x + box.width
        assert box.y <= one.y
        assert one.y + one.height <= box.y + box.height
        if not isinstance(one.item, GraphNode):
            check(one)
    for one, other in combinations(box.inside, 2):
        assert (
            one.x + one.width <= other.x
            or other.x + other.width <= one.x
            or one.y + one.height <= other.y
            or other.y + other.height <= one.y
        ), (one.item, other.item)
