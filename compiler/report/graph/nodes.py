"""Reads the graph of a model off its IR.

Latents, observed sites, recorded values and factors are nodes, and so are the data that they use.
Named intermediate values are not: an edge goes through them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from compiler.ir import Axis, Program, Recorded, Site
from compiler.ir.expressions import Expression
from compiler.ir.program import statements
from compiler.ir.queries import known_size, plates_around, references, values_of
from compiler.ir.statements import Assignment, FactorTerm

NodeKind = Literal["data", "observed", "latent", "recorded", "factor"]

_MOST_NODES = 60


@dataclass(frozen=True)
class GraphNode:
    """A node.

    Attributes:
        name: The name in the spec.
        kind: What it is.
        dims: Its axes beyond its plates, as text: `pred`, `3`.
        distribution: What a site is drawn from.
        parents: Names of the nodes that it depends on, in order.
        others: Further names that it stands for.
    """

    name: str
    kind: NodeKind
    dims: tuple[str, ...]
    distribution: str | None
    parents: tuple[str, ...]
    others: tuple[str, ...] = ()


Placement = tuple[GraphNode, tuple[str, ...]]
"""A node with the plates around it, outermost first."""


@dataclass
class Box:
    """A plate with what is in it; the outermost has no dim.

    Attributes:
        dim: The plate's dim.
        size: How many entries it has, where that is known.
        nodes: The nodes in it and in no box inside of it.
        boxes: The plates in it.
    """

    dim: str | None = None
    size: int | None = None
    nodes: list[GraphNode] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)

    def inside(self) -> Iterator[GraphNode]:
        """Yield all nodes in it, those in inner boxes included."""
        yield from self.nodes
        for box in self.boxes:
            yield from box.inside()


@dataclass(frozen=True)
class Graph:
    """A model's graph.

    Attributes:
        root: The box around all.
        left_out: How many nodes were too many to be shown.
    """

    root: Box
    left_out: int


def graph_nodes(program: Program) -> list[Placement]:
    """Return the nodes of a model's graph, those of its data last."""
    plates = plates_around(program)
    through = _Contracted(program)
    nodes: list[Placement] = []
    for statement in statements(program.model):
        if isinstance(statement, Site | Recorded | FactorTerm):
            around = plates.get(statement.name, ())
            nodes.append((_node(statement, through.parents(values_of(statement))), around))
    used = {parent for node, _ in nodes for parent in node.parents}
    boxed = {dim for _, around in nodes for dim in around}
    for variable in program.data:
        if variable.name in used and variable.name not in plates:
            around = tuple(str(axis) for axis in variable.dims if axis in boxed)
            dims = tuple(str(axis) for axis in variable.dims if axis not in boxed)
            nodes.append((GraphNode(variable.name, "data", dims, None, ()), around))
    return nodes


def _node(statement: Site | Recorded | FactorTerm, parents: tuple[str, ...]) -> GraphNode:
    name, drawn = statement.name, None
    kind: NodeKind = "factor"
    event: tuple[Axis, ...] = ()
    if isinstance(statement, Site):
        kind = "observed" if statement.observed else "latent"
        event, drawn = statement.event, statement.distribution.name
    elif isinstance(statement, Recorded):
        kind, event = "recorded", statement.type.event
    own = tuple(parent for parent in parents if parent != name)
    return GraphNode(name, kind, _words(event), drawn, own)


def _words(axes: Iterable[Axis]) -> tuple[str, ...]:
    return tuple(map(str, axes))


class _Contracted:
    """Follows expressions through assignments and derived values to nodes.

    Args:
        program: The program.
    """

    def __init__(self, program: Program) -> None:
        named = [s for s in statements(program.model) if isinstance(s, Assignment)]
        self._through = {
            **{one.name: one.value for one in program.derived},
            **{one.name: one.value for one in named},
        }
        self._observed = {site.name for site in program.sites() if site.observed}
        self._shown = {
            *(variable.name for variable in program.data),
            *(s.name for s in statements(program.model) if isinstance(s, Site | Recorded)),
        }

    def parents(self, expressions: Iterable[Expression]) -> tuple[str, ...]:
        """Return the nodes that some expressions use, each once, in order."""
        found: dict[str, None] = {}
        seen: set[str] = set()
        pending = list(expressions)
        while pending:
            for reference in references(pending.pop(0)):
                name = reference.name
                if reference.kind == "data" and name in self._observed:
                    continue  # a prior on the scale of the data, say, makes no circle
                if name in self._shown:
                    found[name] = None
                elif name in self._through and name not in seen:
                    seen.add(name)
                    pending.append(self._through[name])
        return tuple(found)


def boxed(nodes: Sequence[Placement], program: Program, sizes: Mapping[str, int]) -> Graph:
    """Put nodes into the boxes of their plates; the same dims in another order are the same.

    Args:
        nodes: Nodes with the plates around them.
        program: The program.
        sizes: Sizes of dims that the data told.
    """
    root = Box()
    known: dict[frozenset[str], Box] = {frozenset(): root}
    for node, around in nodes[:_MOST_NODES]:
        box, dims = root, frozenset[str]()
        if frozenset(around) in known:
            box = known[frozenset(around)]
        else:
            for dim in around:
                dims |= {dim}
                if dims not in known:
                    known[dims] = Box(dim, known_size(program, dim, sizes))
                    box.boxes.append(known[dims])
                box = known[dims]
        box.nodes.append(node)
    return Graph(root, max(0, len(nodes) - _MOST_NODES))
