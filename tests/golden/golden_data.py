"""Synthetic data for a spec, made from nothing but its declarations."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from pyro import poutine
from pyro.poutine.messenger import Messenger
from pyro.poutine.subsample_messenger import _Subsample
from torch.distributions import transform_to

from compiler.ir import Axis, DataVariable, Program
from compiler.ir.queries import minibatches
from compiler.run.axes import named_axes, observed_variables
from compiler.run.module import EmittedModule
from compiler.tables.reserved import python_name

LENGTHS = (5, 3, 4, 6, 2, 7)
"""Sizes of dims whose size the spec leaves to the data, in the order declared."""

_GAPS = 2
"""How many values of each variable with gaps are missing."""


def sizes(program: Program) -> dict[str, int]:
    """Return a size for every dim, no two free ones alike while there are enough lengths."""
    free = [dim.name for dim in program.dims if dim.size is None and dim.gaps_of is None]
    chosen = {name: LENGTHS[i % len(LENGTHS)] for i, name in enumerate(free)}
    chosen |= {dim.name: _GAPS for dim in program.dims if dim.gaps_of is not None}
    return {dim.name: dim.size or chosen[dim.name] for dim in program.dims}


def environment(program: Program, module: EmittedModule) -> dict[str, Any]:
    """Return values for every name that the emitted functions take, minibatches at full size.

    Observed data are drawn from the model itself where it can draw them, so that they are among
    what its distributions produce.
    """
    found: dict[str, Any] = dict(sizes(program))
    found |= {f"{dim}_minibatch": None for dim in minibatches(program)}
    found |= {data.name: _values(data, program, found) for data in program.data}
    found |= module.call("derive", found) if "derive" in module else {}
    found |= _observed(program, module, found)
    for data in program.data:
        if data.missing:
            value = found[data.name]
            gap = math.nan if value.is_floating_point() else -1
            value.view(-1)[: found[f"{data.name}_gap"]] = gap
    return found | (module.call("derive", found) if "derive" in module else {})


def _observed(
    program: Program, module: EmittedModule, environment: Mapping[str, Any]
) -> dict[str, torch.Tensor]:
    names = {site.name for site in program.sites() if site.observed}
    model = module.function("model")
    kwargs = arguments(model, {**environment, **dict.fromkeys(names)})
    try:
        trace = poutine.trace(Modest()(model)).get_trace(**kwargs)
    except (AttributeError, TypeError, NotImplementedError):  # reads what it observes, or cannot draw it
        return {}
    found: dict[str, torch.Tensor] = {}
    for variable in observed_variables(program):
        dims = next(data.dims for data in program.data if data.name == variable.name)
        value = trace.nodes[variable.name]["value"][None]
        drawn = torch.as_tensor(named_axes(value, variable, program, sizes(program)))[0]
        order = [variable.axes.index(axis) for axis in dims]
        found[variable.name] = drawn.permute(order) if len(set(order)) == len(order) else drawn
    return found


def is_latent(site: Mapping[str, Any]) -> bool:
    """Tell whether a node of a trace is a site that inference has to find."""
    return (
        site["type"] == "sample"
        and not site["is_observed"]
        and not site["infer"].get("_deterministic")
        and not isinstance(site["fn"], _Subsample)
    )


class Modest(Messenger):
    """Draws continuous sites near the middle of their support, whatever their prior."""

    def _pyro_sample(self, msg: dict[str, Any]) -> None:
        if msg["done"] or not is_latent(msg):
            return
        support = msg["fn"].support
        if support.is_discrete:
            return
        transform = transform_to(support)
        shape = transform.inverse_shape(msg["fn"].shape())
        msg["value"] = transform(0.5 * torch.randn(shape))
        msg["done"] = True


def arguments(function: Callable[..., Any], environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return those values that a function has parameters for."""
    variables = {python_name(name): value for name, value in environment.items()}
    return {name: variables[name] for name in inspect.signature(function).parameters}


def _values(data: DataVariable, program: Program, known: Mapping[str, Any]) -> torch.Tensor:
    shape = [_length(axis, known) for axis in data.dims]
    if data.index_of is not None:
        return torch.randint(known[data.index_of], shape)
    if data.form is not None:
        return _form(data.form, shape)
    if data.element == "real":
        return _real(data, shape)
    low = 0 if data.lower is None else int(data.lower)
    high = low + 4 if data.upper is None else int(data.upper)
    drawn = torch.randint(low, high + 1, shape)
    return drawn.to(torch.get_default_dtype())


def _length(axis: Axis, known: Mapping[str, Any]) -> int:
    return axis if isinstance(axis, int) else int(known[axis])


def _real(data: DataVariable, shape: list[int]) -> torch.Tensor:
    unit = 0.1 + 0.8 * torch.rand(shape)
    if data.lower is not None and data.upper is not None:
        return data.lower + (data.upper - data.lower) * unit
    if data.lower is not None:
        return data.lower + 2 * unit
    if data.upper is not None:
        return data.upper - 2 * unit
    return torch.randn(shape)


def _form(form: str, shape: list[int]) -> torch.Tensor:
    drawn = torch.randn(shape)
    if form == "simplex":
        return torch.softmax(drawn, -1)
    if form == "ordered":
        return drawn.sort(-1).values
    factor = torch.linalg.cholesky(drawn @ drawn.mT + torch.eye(shape[-1]))
    if form == "positive_definite":
        return factor @ factor.mT
    if form == "corr_cholesky":
        return torch.nn.functional.normalize(factor, dim=-1)
    return factor
