"""The way of an edge from one node to another, around the nodes between them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from compiler.report.graph.layout import Placed

Points = npt.NDArray[np.float64]

_BOWS = (0.0, 45.0, -45.0, 80.0, -80.0, 120.0, -120.0, 170.0, -170.0)
"""How far the middle of an edge may be pulled aside, in the order in which it is tried."""

_AT = np.linspace(0.02, 0.98, 25)[:, None]
_MARGIN = 3.0


def way(parent: Placed, child: Placed, nodes: Iterable[Placed]) -> Points:
    """Return the four points of a cubic Bézier curve from a node to another, (4, 2).

    Neighbours in a row are joined by a straight line, others from bottom to top.

    Args:
        parent: Where it begins.
        child: Where it ends.
        nodes: All nodes; the curve goes around the others if it can.
    """
    x1, x2 = parent.x + parent.width / 2, child.x + child.width / 2
    if parent.y < child.y + child.height and child.y < parent.y + parent.height:
        right = 1 if x2 > x1 else -1
        y = child.y + child.height / 2
        start, end = x1 + right * parent.width / 2, x2 - right * child.width / 2
        return np.array([[start, y], [start, y], [end, y], [end, y]])
    down = child.y > parent.y
    y1 = parent.y + (parent.height if down else 0)
    y2 = child.y + (0 if down else child.height)
    middle = (y1 + y2) / 2
    others = [one for one in nodes if one is not parent and one is not child]
    curves = [
        np.array([[x1, y1], [x1 + bow, middle], [x2 + bow, middle], [x2, y2]]) for bow in _BOWS
    ]
    return min(curves, key=lambda curve: _covered(curve, others))


def along(curve: Points) -> Points:
    """Return places along a curve, (25, 2)."""
    p0, p1, p2, p3 = curve
    rest = 1 - _AT
    places: Points = rest**3 * p0 + 3 * rest**2 * _AT * p1 + 3 * rest * _AT**2 * p2 + _AT**3 * p3
    return places


def _covered(curve: Points, nodes: Iterable[Placed]) -> int:
    """Return at how many of its places a curve lies under a node."""
    x, y = along(curve).T
    return sum(
        int(
            (
                (x > one.x - _MARGIN)
                & (x < one.x + one.width + _MARGIN)
                & (y > one.y - _MARGIN)
                & (y < one.y + one.height + _MARGIN)
            ).sum()
        )
        for one in nodes
    )
