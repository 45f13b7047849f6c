"""A messenger as a part of an `AutoGuideList`: what it runs, what it shows, what it needs.

A stock list lets a messenger run its part of the model beside the other parts: its plates clash
with the list's, the sites of other parts are drawn anew from their priors, and observed sites count
as draws of the guide. Here a part runs the list's whole model with the draws of the earlier parts
in place, shows its own sites only, and takes the list's minibatches.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from pyro import poutine
from pyro.ops.provenance import detach_provenance, get_provenance, track_provenance
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from pyro.util import get_rng_state, set_rng_state
from torch import Tensor

from autoguide_core.guides.full_size import full_size_model
from autoguide_core.guides.messengers.handler import is_of_guide
from autoguide_core.guides.messengers.runs import undisturbed
from autoguide_core.initialization import Site


def enter(guide: Any, stack: ExitStack) -> None:
    """Enter the handlers of a part's run.

    Args:
        guide: The messenger.
        stack: Where they are entered.
    """
    args, kwargs = guide.args_kwargs
    guide._ensure_prototype(*args, **kwargs)
    guide._create_plates(*args, **kwargs)
    guide._own_sites = frozenset(name for name, _ in guide._sites())

    def is_foreign(msg: Site) -> bool:
        return bool(msg["type"] == "sample" and not is_of_guide(msg))

    if guide._root()._in_full_size:
        stack.enter_context(full_size_model())
    stack.enter_context(poutine.block(hide_fn=is_foreign))
    stack.enter_context(guide)
    stack.enter_context(_Given(guide._own_sites, guide.plates, guide._root()._emitted))


def check_sources(guide: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Check that the sites of other parts that this part follows have been drawn before it.

    What it follows is found at the first call.

    Args:
        guide: The messenger, after a run.
        args: Positional arguments of the model.
        kwargs: Keyword arguments of the model.

    Raises:
        ValueError: A site follows one that has no value yet.
    """
    if not guide._has_sources:
        guide._live_supports = _find_sources(guide, args, kwargs)
        guide._has_sources = True
    for name, sources in guide._live_supports.items():
        for source in sorted(sources - guide._root()._emitted.keys()):
            raise ValueError(
                f"{guide._pyro_name}, a {type(guide).__name__}, draws site '{name}' given site "
                f"'{source}', which no earlier part of the AutoGuideList has drawn: put the part "
                f"that covers '{source}' before it, and take medians from the list. If '{source}' "
                f"is enumerated, give '{name}' to a guide that does not follow it, AutoNormal say."
            )


def _find_sources(
    guide: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, frozenset[str]]:
    """The sites of other parts that each own site's distribution depends on."""
    own = frozenset(name for name, _ in guide._sites())
    foreign = frozenset(name for name, _ in guide._root()._sites()) - own
    found = dict.fromkeys(own, frozenset[str]())

    def note(name: str, prior: Any, posterior: Any) -> Tensor:
        value = posterior.sample()
        sources = get_provenance(posterior.log_prob(detach_provenance(value)))
        found[name] = sources & foreign
        return track_provenance(detach_provenance(value), sources)

    rng_state = get_rng_state()
    try:
        with undisturbed(guide, note), poutine.block(), ExitStack() as stack:
            guide.args_kwargs = args, kwargs
            enter(guide, stack)
            stack.enter_context(_Track(foreign))
            guide._full_model()(*args, **kwargs)
    finally:
        set_rng_state(rng_state)
        del guide.args_kwargs
    return found


class _Given(Messenger):
    """Puts the draws of other parts and the list's minibatches in place."""

    def __init__(
        self, own: frozenset[str], plates: Mapping[str, Any], values: Mapping[str, Tensor]
    ) -> None:
        super().__init__()
        self.own, self.plates, self.values = own, plates, values

    def _pyro_sample(self, msg: Site) -> None:
        name = msg["name"]
        if msg["is_observed"] or msg["value"] is not None or name in self.own:
            return
        if not site_is_subsample(msg):
            msg["value"] = self.values.get(name)
        elif name in self.plates:
            msg["value"] = self.plates[name].indices


class _Track(Messenger):
    """Marks the values of sites with their names."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__()
        self.names = names

    def _pyro_post_sample(self, msg: Site) -> None:
        if msg["name"] in self.names:
            marks = frozenset({msg["name"]})
            msg["value"] = track_provenance(detach_provenance(msg["value"]), marks)
