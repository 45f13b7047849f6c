"""Sorts a spec's blocks by kind, and tells of those that are missing or stand twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from compiler.diagnostics import Diagnostics
from grammar import nodes

_SINGLE = {
    nodes.DataBlock: "data",
    nodes.DeriveBlock: "derive",
    nodes.ModelBlock: "model",
    nodes.PredictBlock: "predict",
    nodes.FitBlock: "fit",
}


@dataclass
class Blocks:
    """The blocks of one spec."""

    data: nodes.DataBlock | None = None
    derive: nodes.DeriveBlock | None = None
    model: nodes.ModelBlock | None = None
    predict: nodes.PredictBlock | None = None
    fit: nodes.FitBlock | None = None
    functions: list[nodes.FunctionDef] = field(default_factory=list)
    externs: list[nodes.ExternDef] = field(default_factory=list)
    guides: list[nodes.GuideBlock] = field(default_factory=list)

    def own_names(self) -> Iterator[nodes.Name]:
        """Yield the names of the model, of the guides and of their parts."""
        named: list[nodes.ModelBlock | nodes.GuideBlock] = [*self.guides]
        if self.model is not None:
            named.append(self.model)
        yield from (block.name for block in named if block.name is not None)
        for guide in self.guides:
            for part in guide.statements:
                if not isinstance(part, nodes.DefaultInit):
                    yield part.name


def sort_blocks(spec: nodes.Spec, diagnostics: Diagnostics) -> Blocks:
    """Return the spec's blocks by kind."""
    found = Blocks()
    for block in spec.blocks:
        match block:
            case nodes.FunctionDef():
                found.functions.append(block)
            case nodes.ExternDef():
                found.externs.append(block)
            case nodes.GuideBlock():
                found.guides.append(block)
            case _:
                _place(found, block, diagnostics)
    if found.model is None:
        diagnostics.report(
            "PPL004",
            spec.span if not spec.blocks else spec.blocks[-1].span,
            "there is no model",
            "write `model name { … }`",
        )
    return found


def _place(
    found: Blocks,
    block: nodes.DataBlock
    | nodes.DeriveBlock
    | nodes.ModelBlock
    | nodes.PredictBlock
    | nodes.FitBlock,
    diagnostics: Diagnostics,
) -> None:
    kind = _SINGLE[type(block)]
    before = getattr(found, kind)
    if before is not None:
        diagnostics.report(
            "PPL004",
            block.span,
            f"there is a second `{kind}` block",
            "put its lines into the first one",
            [("the first one stands here", before.span)],
        )
        return
    setattr(found, kind, block)
