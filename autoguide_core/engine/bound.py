"""Parameters that functions ask for by ``pyro.param``: where a fit finds them and leaves them.

A module holds its parameters itself. Those of a function are in Pyro's store and nowhere else: a
function that was fitted in one store starts from its first values in another.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyro
import torch
from pyro.nn import PyroModule
from torch import Tensor, nn

from autoguide_core.engine.errors import FitError
from autoguide_core.engine.isolation import StoreState, own_store
from autoguide_core.engine.structure import Model
from autoguide_core.guides.base import AutoGuide
from autoguide_core.guides.callable import AutoCallable
from autoguide_core.guides.loading import belongs_to_a_guide

_OF_A_MODULE = "$$$"
"""Stands in the names of what ``pyro.module`` registers."""

_FUNCTIONS = ("_guide", "median")
"""Where an `AutoCallable` holds functions."""


class Bound:
    """A function that runs with the parameters of a fit, wherever it is called.

    Args:
        function: The function.
        store: The parameter store of the fit.
    """

    def __init__(self, function: Callable[..., Any], store: StoreState) -> None:
        functools.update_wrapper(self, function)
        self.function: Model = function
        self.store = store

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        with own_store(self.store):
            returned = self.function(*args, **kwargs)
        for leaf in self.store["params"].values():  # Pyro's store takes off what traces ask for
            leaf.unconstrained = weakref.ref(leaf)
        return returned

    def __getstate__(self) -> dict[str, Any]:
        with own_store(self.store):  # takes off what cannot be copied
            return self.__dict__


def bind(guide: Model, store: StoreState) -> Model:
    """Bind a guide that is a function, or the functions among a guide's parts, to a store."""
    if not isinstance(guide, nn.Module):
        return Bound(guide, store)
    for part, name in _functions(guide):
        setattr(part, name, Bound(getattr(part, name), store))
    if pyro.settings.get("module_local_params"):  # which Pyro asks for as a module is made
        for context in (m._pyro_context for m in guide.modules() if isinstance(m, PyroModule)):
            vars(context).setdefault("param_state", _empty())
    whole: Model = guide
    return whole


def unbind(guide: Model | Bound) -> tuple[Model, StoreState]:
    """Undo `bind`; returns the guide, and the parameters to which its functions were bound."""
    if isinstance(guide, Bound):
        return guide.function, guide.store
    former = _empty()
    if isinstance(guide, nn.Module):
        for part, name in _functions(guide):
            function = getattr(part, name)
            if isinstance(function, Bound):
                setattr(part, name, function.function)
                for kind, values in function.store.items():
                    former[kind].update(values)
    return guide, former


def adopt(guide: Model, states: Sequence[StoreState]) -> list[str]:
    """Let parameters of functions in the present store begin with values that others hold.

    As in Pyro, a value that is there already takes precedence over a first value in the code. An
    automatic guide has values of its own: what a store holds under its names is another guide's, or
    from a file, which a note tells.

    Args:
        guide: The guide, set up; it and its model have asked for all their parameters.
        states: Stores that may hold values, the one that is asked first before the others.

    Returns:
        Notes for the user.

    Raises:
        FitError: If a value has another shape.
    """
    store = pyro.get_param_store()
    automatic = {id(leaf) for leaf in _of_automatic_guides(guide)}
    unused = []
    for name, leaf in list(store.named_parameters()):
        holder = next((state for state in states if name in state["params"]), None)
        given: Tensor = leaf if holder is None else holder["params"][name]
        if holder is None or given is leaf or _OF_A_MODULE in name:
            continue
        if id(leaf) in automatic:
            is_other = given.shape != leaf.shape or not torch.equal(given, leaf)
            if is_other and not belongs_to_a_guide(given):
                unused.append(name)
            continue
        if given.shape != leaf.shape:
            raise FitError(
                f"Pyro's parameter store holds {name!r} with an unconstrained shape of "
                f"{tuple(given.shape)}, but it has {tuple(leaf.shape)} here; if it is another's, "
                f"remove it: pyro.clear_param_store(), or del pyro.get_param_store()[{name!r}]",
                site=name,
            )
        if isinstance(leaf, nn.Parameter):  # a module's
            leaf.data.copy_(given)
        else:
            copy = given.detach().clone().requires_grad_(given.requires_grad)
            store.set_state(
                {"params": {name: copy}, "constraints": {name: holder["constraints"][name]}}
            )
    if not unused:
        return []
    others = f" and {len(unused) - 1} more" if len(unused) > 1 else ""
    return [
        f"what Pyro's parameter store holds as {unused[0]!r}{others} was not used: the guide "
        "starts from values of its own (guide.load_state_dict() gives it others)"
    ]


def _empty() -> StoreState:
    return {"params": {}, "constraints": {}}


def _functions(guide: nn.Module) -> Iterator[tuple[AutoCallable, str]]:
    for part in guide.modules():
        if isinstance(part, AutoCallable):
            for name in _FUNCTIONS:
                if not isinstance(getattr(part, name), nn.Module):
                    yield part, name


def _of_automatic_guides(guide: Model) -> Iterator[Tensor]:
    for part in guide.modules() if isinstance(guide, nn.Module) else ():
        if isinstance(part, AutoGuide):
            yield from (leaf for _, leaf in nn.Module.named_parameters(part))
