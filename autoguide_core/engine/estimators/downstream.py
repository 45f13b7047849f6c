"""Which parts of the bound depend on a draw: the only ones that its score function multiplies.

Source: Schulman, Heess, Weber and Abbeel, "Gradient estimation using stochastic computation graphs"
(2015); Wingate et al., "Nonstandard interpretations of probabilistic programs for efficient
inference" (2011), for finding them by marks that values hand on to what is computed of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import torch
from pyro.distributions.util import is_identically_zero
from pyro.infer.util import MultiFrameTensor
from pyro.ops.provenance import get_provenance, track_provenance
from pyro.poutine.messenger import Messenger
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from autoguide_core.engine.estimators.particles import Pair, Particles, Site
from autoguide_core.engine.structure import is_latent
from autoguide_core.engine.tracing.values import leaving
from autoguide_core.validation import Validation

_SHAPING = frozenset(
    {
        *("nonzero", "argwhere", "masked_select", "repeat_interleave", "bincount"),
        *("unique", "_unique2", "unique_consecutive", "unique_dim"),
    }
)
"""Functions whose results have shapes that depend on values."""


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
    """Marks the draws of some sites with their names, for `get_provenance`.

    Args:
        names: The sites; None for all that are drawn.
    """

    def __init__(self, names: Collection[str] | None) -> None:
        super().__init__()
        self._names = names

    def _pyro_post_sample(self, msg: Any) -> None:
        if is_latent(msg) if self._names is None else msg["name"] in self._names:
            msg["value"] = track_provenance(msg["value"], frozenset({msg["name"]}))


def without_gradient(pair: Pair) -> list[str]:
    """The guide's sites whose draws are not wholly a smooth function of the parameters."""
    return [
        name
        for name, site in pair.guide_sites()
        if not is_identically_zero(site["score_parts"].score_function)
    ]


class Dependences:
    """Which sites depend on a draw, in any run of the pair.

    They are traced in one run. Where Python decides by a draw what is done, another run may do
    something else: it may meet other sites, or read another draw. Then all sites of a run count as
    dependent on each of its draws, which is right, if with more variance.

    Args:
        particles: Guide and model.
        names: The guide's sites without a pathwise gradient; none if they are not known.
    """

    def __init__(self, particles: Particles, names: Collection[str] = ()) -> None:
        self._found: dict[str, Downstream] = {name: Downstream() for name in names}
        self._sites: Downstream | None = None
        if names:
            self._trace(particles)

    def of(self, name: str, pair: Pair) -> Downstream:
        """The sites of a run that depend on one of its draws."""
        sites = _sites(pair)
        return self._found.get(name, sites) if sites == self._sites else sites

    def _trace(self, particles: Particles) -> None:
        # Checks read values, without an influence.
        with Validation(False), _Losses() as losses:
            with Marking(None):
                pair = next(particles.pairs())
            for kind, sites in (("model", pair.model_sites()), ("guide", pair.guide_sites())):
                for name, site in sites:
                    for source in get_provenance(site["log_prob_sum"]) | losses.written:
                        if source in self._found:
                            getattr(self._found[source], kind).append(name)
        if not losses.are_read:
            self._sites = _sites(pair)


def _sites(pair: Pair) -> Downstream:
    """All sites of a run."""
    return Downstream(
        [name for name, _ in pair.model_sites()], [name for name, _ in pair.guide_sites()]
    )


class _Losses(TorchFunctionMode):
    """Notes the marks that get lost.

    Attributes:
        written: Those that were written into a tensor. Everything may depend on such a draw.
        are_read: Whether values with a mark were read in Python, or gave a tensor its shape.
    """

    def __init__(self) -> None:
        super().__init__()
        self.written: frozenset[str] = frozenset()
        self.are_read = False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name, keywords = getattr(func, "__name__", ""), kwargs or {}
        if get_provenance((leaving(name, args, keywords), _shaping(name, args))):
            self.are_read = True
        elif "out" in keywords:
            self.written |= get_provenance((args, keywords))
        elif name == "__setitem__" or (name.endswith("_") and not name.endswith("__")):
            target, *written = args
            self.written |= get_provenance((written, keywords)) - get_provenance(target)
        return func(*args, **keywords)


def _shaping(name: str, args: tuple[Any, ...]) -> Any:
    """What gives the result of a function its shape by its values."""
    if name == "__getitem__":
        return [t for t in pytree.tree_leaves(args[1]) if getattr(t, "dtype", None) is torch.bool]
    return args if name in _SHAPING else ()
