"""One fit among many: what it is made of, and its own start."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyro
from torch import Tensor

from autoguide_core.engine.bound import unbind
from autoguide_core.engine.errors import FitError
from autoguide_core.engine.isolation import StoreState, own_randomness, own_store
from autoguide_core.engine.starting import set_up
from autoguide_core.engine.structure import Model, Structure, parameters


@dataclass
class Member:
    """One of many fits.

    Attributes:
        guide: A guide that belongs to this fit alone.
        args: Positional arguments of model and guide.
        kwargs: Keyword arguments of both.
        seed: The seed of the fit.
        store: Its parameter store.
        structure: The facts of the pair, once it has been set up.
        error: Why it cannot start, or None.
    """

    guide: Model
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    seed: int
    store: StoreState = field(default_factory=dict)
    structure: Structure | None = None
    error: FitError | None = None

    def set_up(self, model: Model) -> None:
        """Let the guide make its parameters where it can start, as ``fit`` does.

        What is wrong is kept as ``error``: it concerns this fit alone, unless all have it.
        """
        given = pyro.get_param_store().get_state()
        self.guide, former = unbind(self.guide)
        with self.surroundings():
            try:
                self.structure, _ = set_up(
                    model, self.guide, self.args, self.kwargs, (former, given)
                )
            except FitError as error:
                self.error = error

    def parameters(self) -> dict[str, Tensor]:
        """The unconstrained leaf parameters by name."""
        with self.surroundings():
            return parameters()

    @contextlib.contextmanager
    def surroundings(self) -> Iterator[None]:
        """Enter the parameter store and the random numbers of this fit."""
        with own_store(self.store), own_randomness(self.seed):
            yield
