"""Which parts of the bound depend on a draw: the only ones that its score function multiplies.

Source: Schulman, Heess, Weber and Abbeel, "Gradient estimation using stochastic computation graphs"
(2015); Wingate et al., "Nonstandard interpretations of probabilistic programs for efficient
inference" (2011), for finding them by marks that values hand on to what is computed of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import pyro
import torch
from pyro.distributions.util import is_identically_zero
from pyro.infer.util import MultiFrameTensor
from pyro.ops.provenance import get_provenance, track_provenance
from pyro.poutine.messenger import Messenger
from torch import Tensor
from torch.overrides import TorchFunctionMode

from autoguide_core.engine.estimators.particles import Pair, Particles, Site


@dataclass
class Downstream:
    """The names of the sites whose log density depends on a draw.

    Attributes:
        model: Sites of the model.
        guide: Sites of the guide, that of the draw among them.
    """

    model: list[str] = field(default_factory=list)
    guide: list[str] = field(default_factory=list)

    def cost(self, pair: Pair, site: Site) -> Tensor:
        """Their part of the bound, in nats, with the shape of the draw's plates.

        Entries in a plate that the draw stands in are kept apart, since those of one element do not
        depend on the draw of another; other plates are summed over.
        """
        parts = MultiFrameTensor()
        for name in self.model:
            node = pair.model.nodes[name]
            parts.add((node["cond_indep_stack"], node["log_prob"]))
        for name in self.guide:
            node = pair.guide.nodes[name]
            parts.add((node["cond_indep_stack"], -node["log_prob"]))
        return torch.as_tensor(parts.sum_to(site["cond_indep_stack"]))


class Marking(Messenger):
    """Marks the draws of some sites with their names, for `get_provenance`."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__()
        self._names = names

    def _pyro_post_sample(self, msg: Any) -> None:
        if msg["name"] in self._names:
            msg["value"] = track_provenance(msg["value"], frozenset({msg["name"]}))


def without_gradient(pair: Pair) -> list[str]:
    """The guide's sites whose draws are not wholly a smooth function of the parameters."""
    return [
        name
        for name, site in pair.guide_sites()
        if not is_identically_zero(site["score_parts"].score_function)
    ]


def trace_downstream(particles: Particles, names: Collection[str]) -> dict[str, Downstream]:
    """What depends on the draws of some sites of the guide, found by one run.

    Args:
        particles: Guide and model.
        names: The guide's sites.
    """
    found = {name: Downstream() for name in names}
    unchecked = pyro.validation_enabled(False)  # checks read values, without an influence
    with unchecked, Marking(names), _Losses() as losses, torch.no_grad():
        pair = next(particles.pairs())
        for name, site in pair.model_sites():
            for source in get_provenance(site["log_prob_sum"]) | losses.names:
                found[source].model.append(name)
        for name, site in pair.guide_sites():
            for source in get_provenance(site["log_prob_sum"]) | losses.names:
                found[source].guide.append(name)
    return found


class _Losses(TorchFunctionMode):
    """Notes the marks that get lost: by writing into a tensor, or reading a value in Python.

    Everything may depend on such a draw.
    """

    _READING = frozenset(
        {"__bool__", "__float__", "__int__", "__index__", "item", "tolist", "numpy", "__array__"}
    )

    def __init__(self) -> None:
        super().__init__()
        self.names: frozenset[str] = frozenset()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in self._READING or (kwargs and "out" in kwargs):
            self.names |= get_provenance((args, kwargs))
        elif name == "__setitem__" or (name.endswith("_") and not name.endswith("__")):
            target, *written = args
            self.names |= get_provenance((written, kwargs)) - get_provenance(target)
        return func(*args, **(kwargs or {}))
