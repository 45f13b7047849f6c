"""Draws data that are used in the same way as one node: a regression has many columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from compiler.report.graph.nodes import GraphNode, Placement


def gathered(placements: Sequence[Placement]) -> list[Placement]:
    """Return nodes with data of the same plates, axes and uses as one node.

    Args:
        placements: Nodes with the plates around them.
    """
    users: dict[str, set[str]] = defaultdict(set)
    for node, _ in placements:
        for parent in node.parents:
            users[parent].add(node.name)
    alike: dict[object, list[GraphNode]] = defaultdict(list)
    for node, around in placements:
        if node.kind == "data":
            alike[around, node.dims, frozenset(users[node.name])].append(node)
    stands_for = {node.name: group[0].name for group in alike.values() for node in group}
    found = []
    for node, around in placements:
        if stands_for.get(node.name, node.name) != node.name:
            continue
        others = tuple(n for n, first in stands_for.items() if first == node.name != n)
        parents = dict.fromkeys(stands_for.get(parent, parent) for parent in node.parents)
        found.append((replace(node, others=others, parents=tuple(parents)), around))
    return found
