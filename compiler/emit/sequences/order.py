"""Orders the statements of a `recur`: each after what it reads, circles of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def circles(reads: Mapping[int, Sequence[int]]) -> list[tuple[int, ...]]:
    """Return the strongly connected components of a graph, each after those that it reads.

    Source: Tarjan, Depth-first search and linear graph algorithms, SIAM Journal on Computing, 1972.

    Args:
        reads: The nodes that each node reads; nodes without order among them keep that of the keys.

    Returns:
        The nodes of each component, in increasing order.
    """
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    found: list[tuple[int, ...]] = []

    def visit(node: int) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in reads[node]:
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            at = stack.index(node)
            found.append(tuple(sorted(stack[at:])))
            del stack[at:]

    for node in reads:
        if node not in index:
            visit(node)
    return found
