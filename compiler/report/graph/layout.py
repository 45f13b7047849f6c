"""Places the nodes of a graph: layers from top to bottom, box by box from the inside out.

Within a box, its nodes and inner boxes are items. Each is put into the layer below the lowest of
those it depends on, layers are ordered by the mean place of what they depend on (the barycentre
heuristic of Sugiyama, Tagawa and Toda, 1981), and a layer too wide for a phone is broken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from compiler.report.figures.text import shortened, text_width
from compiler.report.graph.nodes import Box, GraphNode, NodeKind

ROUND: frozenset[NodeKind] = frozenset({"latent", "observed"})
"""The kinds of nodes that are drawn as ellipses."""

_LINE = 14.0
_LEAST_HEIGHT = 38.0
_LEAST_WIDTH = 54.0
_CHARACTERS = 26
_CHARACTER = 7.3
_ROUND_ROOM, _SQUARE_ROOM = 30.0, 18.0
_LONGEST = 34
_SIDES = 2
_GAP_X, _GAP_Y = 14.0, 30.0
_PADDING = 12.0
_LABEL_ROOM = 18.0
_WIDEST = 450.0


@dataclass
class Placed:
    """A node or a box with its place; `x` and `y` are of its left upper corner.

    Attributes:
        item: What is placed.
        width: Its width in pixels.
        height: Its height.
        x: Distance from the left edge of the picture.
        y: Distance from its top.
        inside: What is placed inside a box.
    """

    item: GraphNode | Box
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0
    inside: list[Placed] = field(default_factory=list)

    def move(self, x: float, y: float) -> None:
        """Move it, and all inside of it."""
        self.x += x
        self.y += y
        for one in self.inside:
            one.move(x, y)

    def names(self) -> set[str]:
        """Return the names of the nodes in it."""
        if isinstance(self.item, GraphNode):
            return {self.item.name}
        return {node.name for node in self.item.inside()}

    def needs(self) -> set[str]:
        """Return the names of the nodes that those in it depend on."""
        nodes = [self.item] if isinstance(self.item, GraphNode) else self.item.inside()
        return {parent for node in nodes for parent in node.parents}


def lay_out(root: Box) -> Placed:
    """Return the placed graph; the root's width and height are those of the picture."""
    return _place_box(root)


def node_lines(node: GraphNode) -> list[str]:
    """Return the lines of a node's names."""
    axes = f"[{', '.join(node.dims)}]" if node.dims else ""
    names = [shortened(f"{name}{axes}", _LONGEST) for name in (node.name, *node.others)]
    return wrap(", ".join(names), _CHARACTERS, break_long_words=False) if node.others else names


def node_law(node: GraphNode) -> str:
    """Return the line below the names; empty where there is none."""
    return f"~ {node.distribution}" if node.distribution else ""


def _place_node(node: GraphNode) -> Placed:
    lines = [*node_lines(node), node_law(node)]
    widest = max(text_width(line, _CHARACTER) for line in lines)
    room = _ROUND_ROOM if node.kind in ROUND else _SQUARE_ROOM
    height = max(_LEAST_HEIGHT, _LINE * (len(lines) - 1) + 12)
    return Placed(node, max(_LEAST_WIDTH, widest + room), height)


def _place_box(box: Box) -> Placed:
    items = [*map(_place_node, box.nodes), *map(_place_box, box.boxes)]
    rows = [part for layer in _layers(items) for part in _broken(layer)]
    top = _PADDING
    widths = [sum(item.width for item in row) + _GAP_X * (len(row) - 1) for row in rows]
    label = text_width(box_label(box), _CHARACTER) + 8
    width = max([*widths, label if box.dim else 0.0]) + 2 * _PADDING
    for row, row_width in zip(rows, widths, strict=True):
        height = max(item.height for item in row)
        left = (width - row_width) / 2
        for item in row:
            item.move(left, top + (height - item.height) / 2)
            left += item.width + _GAP_X
        top += height + _GAP_Y
    bottom = top - _GAP_Y * bool(rows) + _PADDING + (_LABEL_ROOM - 6 if box.dim else 0)
    return Placed(box, width, bottom, inside=items)


def box_label(box: Box) -> str:
    """Return the label of a plate: its dim, and its size where that is known."""
    return f"{box.dim} ({box.size:,})" if box.size is not None else str(box.dim)


def _layers(items: Sequence[Placed]) -> list[list[Placed]]:
    """Return the items layer by layer, each layer in its order from the left."""
    home = {name: place for place, item in enumerate(items) for name in item.names()}
    above = [
        sorted({home[name] for name in item.needs() if name in home} - {place})
        for place, item in enumerate(items)
    ]
    beside = _beside(items, above)
    depth = _depths(above)
    layers: list[list[int]] = [[] for _ in range(max(depth, default=-1) + 1)]
    for place in range(len(items)):
        if place not in beside:
            layers[depth[place]].append(place)
    across: dict[int, float] = {}
    for layer in layers:
        layer.sort(key=lambda place: _barycentre(above[place], across))
        across.update((place, i - (len(layer) - 1) / 2) for i, place in enumerate(layer))
    for layer in reversed(layers):  # what is on top, over what depends on it
        below = {p: [q for q in range(len(items)) if p in above[q]] for p in layer}
        layer.sort(key=lambda place: _barycentre(below[place] or [place], across))
        across.update((place, i - (len(layer) - 1) / 2) for i, place in enumerate(layer))
    for data, (user, right) in beside.items():
        layer = layers[depth[user]]
        layer.insert(layer.index(user) + right, data)
    return [[items[place] for place in layer] for layer in layers if layer]


def _beside(items: Sequence[Placed], above: Sequence[Sequence[int]]) -> dict[int, tuple[int, bool]]:
    """Return data that stand beside the only node that uses them, to leave its top free.

    Returns:
        For each its user's place, and whether it stands to the right; there is room for two.
    """
    found: dict[int, tuple[int, bool]] = {}
    taken = Counter[int]()
    for place, item in enumerate(items):
        users = [user for user, needed in enumerate(above) if place in needed]
        data = isinstance(item.item, GraphNode) and item.item.kind == "data"
        if data and len(users) == 1 and isinstance(items[users[0]].item, GraphNode):
            if taken[users[0]] < _SIDES:
                found[place] = users[0], taken[users[0]] == 1
            taken[users[0]] += 1
    return found


def _depths(above: Sequence[Sequence[int]]) -> list[int]:
    """Return how deep each item lies; an edge that would close a circle does not count.

    Two boxes can depend on each other, through nodes of theirs that do not.
    """
    depth: dict[int, int] = {}
    open_: set[int] = set()

    def visit(place: int) -> int:
        if place not in depth:
            open_.add(place)
            found = [visit(one) for one in above[place] if one not in open_]
            depth[place] = max(found, default=-1) + 1
            open_.discard(place)
        return depth[place]

    tops = [visit(place) for place in range(len(above))]
    return _lowered(tops, above)


def _lowered(depth: list[int], above: Sequence[Sequence[int]]) -> list[int]:
    """Move each item without anything above it down to just over what depends on it."""
    lowered = list(depth)
    for place, parents in enumerate(above):
        users = [depth[one] for one, needed in enumerate(above) if place in needed]
        if not parents and users:
            lowered[place] = max(min(users) - 1, 0)
    return lowered


def _barycentre(places: Iterable[int], across: Mapping[int, float]) -> float:
    known = [across[place] for place in places if place in across]
    return sum(known) / len(known) if known else 0.0


def _broken(layer: Sequence[Placed]) -> list[list[Placed]]:
    """Break a layer into rows that are not too wide.

    What depends on something goes first, so that its edges do not pass what depends on nothing.
    """
    rows: list[list[Placed]] = []
    room = -1.0
    wide = sum(item.width + _GAP_X for item in layer) - _GAP_X > _WIDEST
    for item in sorted(layer, key=lambda item: wide and not item.needs()):
        if not rows or item.width > room:
            rows.append([])
            room = _WIDEST
        rows[-1].append(item)
        room -= item.width + _GAP_X
    order = {id(item): place for place, item in enumerate(layer)}
    return [sorted(row, key=lambda item: order[id(item)]) for row in rows]
