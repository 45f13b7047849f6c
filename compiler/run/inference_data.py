"""Posterior, predictions and data as ArviZ InferenceData, dims and coords by name."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from autoguide_core.arviz_module import arviz_module
from compiler.binding import BoundData
from compiler.ir import Axis, Program
from compiler.run.axes import Variable, named_axes

if TYPE_CHECKING:
    from arviz import InferenceData

Array = npt.NDArray[Any]


def draws_dataset(
    draws: Mapping[str, torch.Tensor],
    variables: Sequence[Variable],
    program: Program,
    data: BoundData,
    chains: int = 1,
) -> xr.Dataset:
    """Return draws as a dataset with dims (chain, draw, *the variable's own).

    Args:
        draws: Values by name, each (S, *batch, *event).
        variables: Those to take; those that were not drawn are left out.
        program: Tells the plates' dims.
        data: Tells sizes and coords.
        chains: How many chains the draws are of, one after the other.
    """

    def by_chain(variable: Variable) -> Array:
        array = named_axes(draws[variable.name], variable, program, data.sizes)
        return array.reshape(chains, -1, *array.shape[1:])

    arrays = {
        variable.name: _labelled(
            by_chain(variable),
            variable,
            data,
            ("chain", "draw"),
        )
        for variable in variables
        if variable.name in draws
    }
    count = next((array.sizes["draw"] for array in arrays.values()), 0)
    dataset = xr.Dataset(arrays)
    return dataset.assign_coords(chain=np.arange(chains if count else 0), draw=np.arange(count))


def data_dataset(names: Sequence[str], program: Program, data: BoundData) -> xr.Dataset:
    """Return declared variables as a dataset."""
    arrays = {}
    for variable in program.data:
        value = data.values.get(variable.name)
        if variable.name in names and isinstance(value, torch.Tensor):
            shown = Variable(variable.name, (), variable.dims, discrete=False)
            array = value.cpu().numpy()
            whole = variable.element in ("int", "bool") and bool(np.isfinite(array).all())
            arrays[variable.name] = _labelled(
                array.astype(np.int64) if whole else array, shown, data, ()
            )
    return xr.Dataset(arrays)


def inference_data(
    groups: Mapping[str, xr.Dataset], attributes: Mapping[str, Any]
) -> InferenceData:
    """Return the groups that hold something as InferenceData.

    Args:
        groups: Datasets by group.
        attributes: Attributes of the whole and of the posterior; what NetCDF cannot hold is
            written as JSON.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ArviZ's own future
        arviz = arviz_module()

        plain = {name: _attribute(value) for name, value in attributes.items()}
        full = {name: group for name, group in groups.items() if group.data_vars}
        if "posterior" in full:
            full["posterior"] = full["posterior"].assign_attrs(plain)
        found: InferenceData = arviz.InferenceData(attrs=plain, warn_on_custom_groups=False, **full)
    return found


def _attribute(value: Any) -> str | int | float:
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, str | int | float) else json.dumps(value, sort_keys=True)


def _labelled(
    array: Array, variable: Variable, data: BoundData, leading: tuple[str, ...]
) -> xr.DataArray:
    """Name the axes of an array; a dim that comes twice is called `dim_2` the second time."""
    dims: list[str] = list(leading)
    coords: dict[str, list[Any]] = {}
    for place, (axis, size) in enumerate(
        zip(variable.axes, array.shape[len(leading) :], strict=True)
    ):
        name = _dim_name(axis, place, variable, dims)
        dims.append(name)
        labels = data.coords.get(str(axis))
        if labels is not None and len(labels) == size:
            coords[name] = list(labels)
    return xr.DataArray(array, dims=dims, coords=coords)


def _dim_name(axis: Axis, place: int, variable: Variable, taken: Sequence[str]) -> str:
    if not isinstance(axis, str) or not axis.isidentifier():
        return f"{variable.name}_dim_{place}"
    count = sum(
        name == axis or (name.startswith(f"{axis}_") and name[len(axis) + 1 :].isdigit())
        for name in taken
    )
    return axis if not count else f"{axis}_{count + 1}"
