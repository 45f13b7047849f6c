"""The axes of values as Pyro has them, and as the spec names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt
import torch

from compiler.ir import Axis, Program, Recorded, Site
from compiler.ir.program import statements


@dataclass(frozen=True)
class Variable:
    """A site or a recorded value as the posterior shows it.

    Attributes:
        name: Its name.
        plates: The plates around it, outermost first.
        event: Its event axes.
        discrete: Whether it takes discrete values.
    """

    name: str
    plates: tuple[str, ...]
    event: tuple[Axis, ...]
    discrete: bool

    @classmethod
    def of(cls, statement: Site | Recorded) -> Variable:
        """Return a site or a recorded value."""
        if isinstance(statement, Site):
            discrete = statement.discrete
            return cls(statement.name, statement.plates, statement.event, discrete)
        value = statement.type
        return cls(statement.name, statement.plates, value.event, value.element != "real")

    @property
    def scored(self) -> Variable:
        """Its log density: one number for each entry of the plates."""
        return replace(self, event=())

    @property
    def axes(self) -> tuple[Axis, ...]:
        """All its axes."""
        return (*self.plates, *self.event)


def posterior_variables(program: Program) -> tuple[Variable, ...]:
    """Return what the posterior holds: latent sites and recorded values, in the spec's order."""
    return tuple(
        Variable.of(statement)
        for statement in statements(program.model)
        if isinstance(statement, Recorded) or (isinstance(statement, Site) and statement.latent)
    )


def observed_variables(program: Program) -> tuple[Variable, ...]:
    """Return the observed sites in the spec's order."""
    return tuple(Variable.of(site) for site in program.sites() if site.observed)


def predicted_variables(program: Program) -> tuple[Variable, ...]:
    """Return the sites and recorded values of `predict`, in the spec's order."""
    return tuple(
        Variable.of(statement)
        for statement in statements(program.predict)
        if isinstance(statement, Site | Recorded)
    )


def named_axes(
    draws: torch.Tensor, variable: Variable, program: Program, sizes: Mapping[str, int]
) -> npt.NDArray[Any]:
    """Return draws with exactly the variable's own axes.

    In Pyro a site in plates of dims -1 and -3 has a singleton axis at -2, and a value that does
    not vary over a plate lacks the plate's axis, or has it with size 1.

    Args:
        draws: Shape (S, *batch, *event).
        variable: Whose draws they are.
        program: Tells the plates' dims.
        sizes: Sizes of the dims.

    Returns:
        Shape (S, *sizes of plates, *event).
    """
    count, events = draws.shape[0], len(variable.event)
    batch = draws.shape[1 : draws.dim() - events]
    event = draws.shape[draws.dim() - events :]
    depth = max(program.max_plate_nesting, len(batch))
    full = draws.reshape(count, *(1,) * (depth - len(batch)), *batch, *event)
    places = [depth + (program.dim(plate).plate or 0) + 1 for plate in variable.plates]
    rest = [axis for axis in range(1, depth + 1) if axis not in places]
    ordered = full.permute(0, *places, *rest, *range(depth + 1, full.dim()))
    lengths = [sizes[plate] for plate in variable.plates]
    shaped = ordered.reshape(count, *ordered.shape[1 : 1 + len(places)], *event)
    array: npt.NDArray[Any] = shaped.expand(count, *lengths, *event).detach().cpu().numpy()
    return array.copy()


def beside_plates(draws: torch.Tensor, event_dims: int, nesting: int) -> torch.Tensor:
    """Put the axis of draws to the left of all plate dims.

    Args:
        draws: Shape (S, *batch, *event).
        event_dims: How many event axes there are.
        nesting: How many plate dims the model has.

    Returns:
        Shape (S, 1, …, *batch, *event), with `nesting` axes between S and the event's.
    """
    batch = draws.dim() - 1 - event_dims
    return draws.reshape(len(draws), *(1,) * (nesting - batch), *draws.shape[1:])
