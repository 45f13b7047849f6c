"""Runs of a messenger at full size: one, or many at once under a plate to the far left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyro
import torch
from torch import Tensor

from autoguide_core.guides.supports import full_size, is_subsampled
from autoguide_core.initialization import Site

# Picks the value of a site from its name, prior and posterior; None leaves it to be drawn.
Choose: TypeAlias = Callable[[str, Any, Any], Tensor | None]

_PLATE = "_messenger_draws"
# Numbers in one tensor of a run under a plate; more draws than fit are run in turns.
_LARGEST_TENSOR = 2**24


@dataclass(frozen=True)
class Layout:
    """What one run at full size has shown of the sites.

    Attributes:
        shapes: The shape of each latent site.
        event_dims: The number of event dims of each latent site, those of other parts too.
        depth: How many dims the plates take, on the left of the events.
        largest: The number of entries of the largest site, observed ones included.
    """

    shapes: dict[str, torch.Size]
    event_dims: dict[str, int]
    depth: int
    largest: int

    @property
    def draws_per_run(self) -> int:
        """How many draws are run at once."""
        return max(1, _LARGEST_TENSOR // max(1, self.largest))

    def spread(self, name: str, draws: Tensor) -> Tensor:
        """Draws of a site, (N, *shape), with the N at the place of the plate of draws."""
        shape = draws.shape[1:]
        gap = self.depth - (len(shape) - self.event_dims[name])
        return draws.reshape(len(draws), *[1] * gap, *shape)


@contextmanager
def undisturbed(guide: Any, choose: Choose | None = None) -> Iterator[None]:
    """Runs inside keep no graph, and the guide's latest trace is again that of before."""
    kept = guide.trace, guide._choose
    guide._choose = choose
    try:
        with torch.no_grad():
            yield
    finally:
        guide.trace, guide._choose = kept


@contextmanager
def run(
    guide: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    choose: Choose | None = None,
    foreign: Mapping[str, Tensor] | None = None,
    num_draws: int | None = None,
    depth: int = 0,
) -> Iterator[dict[str, Site]]:
    """Run a guide at full size, unseen from outside.

    Args:
        guide: The messenger.
        args: Positional arguments of the model.
        kwargs: Keyword arguments of the model.
        choose: Picks values of sites.
        foreign: For a part of a list, values of sites of other parts; None leaves those that the
            list has.
        num_draws: The size of the plate to the far left; None for no such plate.
        depth: How many dims the model's own plates take.

    Yields:
        The nodes of the guide's latent sites by name; inside, ``guide.trace`` is that of the run.

    Raises:
        ValueError: The model gives a plate indices of a part of it.
    """
    with undisturbed(guide, choose), _placed(guide, foreign):
        with guide._full_size_plates():
            if guide.master is not None:
                guide._root()._ensure_prototype(*args, **kwargs)
                guide._root()._create_plates(*args, **kwargs)
            plate = (
                nullcontext()
                if num_draws is None
                else pyro.plate(_PLATE, num_draws, dim=-1 - depth)
            )
            with plate:
                guide(*args, **kwargs)
        nodes = {site["name"]: site for site in guide._latent_nodes()}
        for name, site in nodes.items():
            for frame in site["cond_indep_stack"]:
                if frame.vectorized and is_subsampled(frame):
                    raise ValueError(
                        f"Site '{name}' of {type(guide).__name__} is inside plate '{frame.name}', "
                        f"to which the model gives {frame.size} of {full_size(frame)} indices: "
                        "full-size summaries need all of them, so pass all indices."
                    )
        yield nodes


@contextmanager
def _placed(guide: Any, foreign: Mapping[str, Tensor] | None) -> Iterator[None]:
    """Inside, the list of a part has given values as those of its other parts."""
    if guide.master is None or foreign is None:
        yield
        return
    root = guide._root()
    kept, root._emitted = root._emitted, dict(foreign)
    try:
        yield
    finally:
        root._emitted = kept


def layout_of(guide: Any, nodes: dict[str, Site]) -> Layout:
    """The layout of the sites in a run without a plate of draws.

    Args:
        guide: The messenger, whose trace is that of the run.
        nodes: Its latent nodes.
    """
    samples = [site for site in guide.trace.nodes.values() if site["type"] == "sample"]
    frames = [frame for site in samples for frame in site["cond_indep_stack"] if frame.vectorized]
    known = nodes if guide.master is None else dict(guide._root()._sites()) | nodes
    return Layout(
        shapes={name: site["value"].shape for name, site in nodes.items()},
        event_dims={name: site["fn"].event_dim for name, site in known.items()},
        depth=max((-frame.dim for frame in frames), default=0),
        largest=max((site["value"].numel() for site in samples), default=1),
    )


def has_auxiliary(guide: Any) -> bool:
    """Whether the guide has drawn something of its own in its latest run."""
    return any("prior" not in site["infer"] for site in guide._guide_nodes())


def log_density(guide: Any, num_draws: int | None, depth: int) -> Tensor:
    """The guide's log density in its latest run, float64; shape (num_draws,), or a scalar."""
    _, trace = guide.get_traces()
    trace.compute_log_prob()
    total = torch.zeros(() if num_draws is None else num_draws, dtype=torch.float64)
    for site in trace.nodes.values():
        if site["type"] != "sample":
            continue
        log_prob = site["log_prob"].double()
        if num_draws is None:
            total = total.to(log_prob.device) + log_prob.sum()
        elif log_prob.dim() != depth + 1:
            raise ValueError(f"Site '{site['name']}' has dims outside its plates.")
        else:
            total = total.to(log_prob.device) + log_prob.reshape(num_draws, -1).sum(1)
    return total
