"""Draws of what is missing from the data, one for each gap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from autoguide_core.gaps import is_gap
from compiler.binding import BoundData
from compiler.ir import Program, Site
from compiler.run.axes import Variable, named_axes


def at_gaps(
    draws: Mapping[str, torch.Tensor],
    replicates: Mapping[str, torch.Tensor],
    program: Program,
    data: BoundData,
) -> dict[Variable, torch.Tensor]:
    """Return what is imputed for data whose gaps have no latents of their own.

    A gap that was left out of the likelihood is drawn with the replicates of the data; one that was
    summed over, with the other sites that were. Continuous data that the model reads have latents,
    which are in the posterior already.

    Args:
        draws: Values by site, each (S, *batch, *event).
        replicates: The same of the observed sites.
        program: The program.
        data: The bound data.

    Returns:
        Draws for each variable with gaps, named `x_missing`, each (S, gaps).
    """
    found: dict[Variable, torch.Tensor] = {}
    for site in program.sites():
        values: Any = data.values.get(site.name)
        if not site.missing or not isinstance(values, torch.Tensor):
            continue
        gaps = is_gap(values)
        name = f"{site.name}_missing"
        source = draws.get(name, replicates.get(site.name))
        few = source is None or len(source) < len(next(iter(draws.values())))
        if source is None or few or not bool(gaps.any()):
            continue  # replicates of large data are fewer than the draws
        own = Variable(name, (), (f"{site.name}_gap",), site.discrete)
        found[own] = _over_data(source, site, program, data)[:, gaps.cpu()]
    return found


def _over_data(source: torch.Tensor, site: Site, program: Program, data: BoundData) -> torch.Tensor:
    """Return draws with the axes of the declared variable: (S, *dims)."""
    variable = Variable.of(site)
    array = torch.as_tensor(named_axes(source, variable, program, data.sizes))
    dims = next(declared.dims for declared in program.data if declared.name == site.name)
    order = [variable.axes.index(axis) for axis in dims]
    return array.permute(0, *(1 + place for place in order))
