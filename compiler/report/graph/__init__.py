"""The model as a graph: what depends on what, in boxes for the plates."""

from collections.abc import Mapping

from compiler.ir import Program
from compiler.report.graph.gathered import gathered
from compiler.report.graph.nodes import Graph, boxed, graph_nodes
from compiler.report.graph.svg import graph_picture

__all__ = ["graph_picture", "model_graph"]


def model_graph(program: Program, sizes: Mapping[str, int]) -> Graph:
    """Return the graph of a model.

    Args:
        program: The program.
        sizes: Sizes of dims that the data told.
    """
    return boxed(gathered(graph_nodes(program)), program, sizes)
