"""Draws a placed graph as SVG; colours and fonts are those of the page's style sheet."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from compiler.report.blocks import Picture
from compiler.report.figures.svg import svg_element
from compiler.report.figures.text import shortened
from compiler.report.graph.edges import Points, along, way
from compiler.report.graph.layout import ROUND, Placed, box_label, lay_out, node_law, node_lines
from compiler.report.graph.nodes import Graph, GraphNode, NodeKind

_LONGEST = 34

_ELLIPSE = Markup('<ellipse class="{c}" cx="{x:.1f}" cy="{y:.1f}" rx="{rx:.1f}" ry="{ry:.1f}"/>')
_RECTANGLE = Markup(
    '<rect class="{c}" x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="{r}"/>'
)
_TEXT = Markup('<text class="{c}" x="{x:.1f}" y="{y:.1f}" text-anchor="{a}">{t}</text>')
_EDGE = Markup('<path class="edge" d="M{0}C{1} {2} {3}" marker-end="url(#arrow)"/>')
_MOVED = Markup('<g transform="translate({:.1f} 0)">{}</g>')
_EDGE_ROOM = 4.0
_ARROW = Markup(
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
    'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" class="tip"/></marker></defs>'
)


_CORNERS: dict[NodeKind, int] = {"data": 4, "recorded": 10, "factor": 0}
_LINE = 14


def graph_picture(graph: Graph) -> Picture:
    """Return the picture of a graph."""
    placed = lay_out(graph.root)
    places = {one.item.name: one for one in _everything(placed) if isinstance(one.item, GraphNode)}
    curves = list(_edges(places))
    reach = [float(x) for curve in curves for x in along(curve)[:, 0]]
    left = max(0.0, _EDGE_ROOM - min(reach, default=_EDGE_ROOM))
    right = max(placed.width, max(reach, default=0.0) + _EDGE_ROOM)
    edges = (_EDGE.format(*(f"{x:.1f} {y:.1f}" for x, y in curve)) for curve in curves)
    nodes = (part for one in places.values() for part in _node(one))
    body = _MOVED.format(left, Markup("").join([_ARROW, *_boxes(placed), *edges, *nodes]))
    width = round(left + right)
    return Picture(svg_element(body, width, round(placed.height), _in_words(graph)), width)


def _everything(placed: Placed) -> Iterator[Placed]:
    yield placed
    for one in placed.inside:
        yield from _everything(one)


def _boxes(placed: Placed) -> Iterator[Markup]:
    for one in _everything(placed):
        if not isinstance(one.item, GraphNode) and one.item.dim is not None:
            yield _RECTANGLE.format(c="plate", x=one.x, y=one.y, w=one.width, h=one.height, r=10)
            right, bottom = one.x + one.width - 9, one.y + one.height - 7
            label = shortened(box_label(one.item), _LONGEST)
            yield _TEXT.format(c="dim", x=right, y=bottom, a="end", t=label)


def _node(placed: Placed) -> Iterator[Markup]:
    node = placed.item
    assert isinstance(node, GraphNode)
    x, y = placed.x + placed.width / 2, placed.y + placed.height / 2
    if node.kind in ROUND:
        yield _ELLIPSE.format(
            c=f"node {node.kind}", x=x, y=y, rx=placed.width / 2, ry=placed.height / 2
        )
    else:
        yield _RECTANGLE.format(
            c=f"node {node.kind}", x=placed.x, y=placed.y, w=placed.width, h=placed.height,
            r=_CORNERS[node.kind],
        )  # fmt: skip
    lines, law = node_lines(node), node_law(node)
    y += 4 - _LINE / 2 * (len(lines) - 1 + bool(law))
    for line in lines:
        yield _TEXT.format(c="name", x=x, y=y, a="middle", t=line)
        y += _LINE
    if law:
        yield _TEXT.format(c="law", x=x, y=y - 1, a="middle", t=shortened(law, _LONGEST))


def _edges(places: dict[str, Placed]) -> Iterator[Points]:
    for child in places.values():
        assert isinstance(child.item, GraphNode)
        for name in child.item.parents:
            if name in places:
                yield way(places[name], child, places.values())


def _in_words(graph: Graph) -> str:
    sentences = []
    for node in graph.root.inside():
        names, parents = ", ".join((node.name, *node.others)), ", ".join(node.parents)
        sentences.append(f"{names} ({node.kind})" + (f" depends on {parents}" if parents else ""))
    return "Model graph. " + "; ".join(sentences)
