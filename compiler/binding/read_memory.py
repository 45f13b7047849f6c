"""Takes data that are in memory: dicts, pandas, xarray, numpy and torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr

from compiler.binding.read_tables import from_frame, from_series
from compiler.binding.sources import Column, Source, SourceError


def read_memory(data: Any) -> Source:
    """Return an object in memory as a source.

    Args:
        data: A mapping from names to numbers, nested lists, numpy arrays, torch tensors, pandas
            series or xarray arrays; or a pandas DataFrame; or an xarray Dataset.

    Raises:
        SourceError: It is something else.
    """
    if isinstance(data, pd.DataFrame):
        return from_frame(data, "the data frame")
    if isinstance(data, xr.Dataset):
        names = [*data.data_vars, *data.coords]
        arrays = (_entry(str(name), data[name]) for name in names)
        return Source("the dataset", {array.name: array for array in arrays})
    if isinstance(data, Mapping):
        entries = [_entry(str(name), value) for name, value in data.items()]
        return Source("the data", {entry.name: entry for entry in entries})
    raise SourceError(
        f"data of type {type(data).__name__} cannot be bound",
        "give a dict, a pandas DataFrame, an xarray Dataset, or the path of a file",
    )


def _entry(name: str, value: Any) -> Column:
    if isinstance(value, torch.Tensor):
        return Column(name, value.detach().cpu().numpy())
    if isinstance(value, xr.DataArray):
        return Column(name, value.values, dims=tuple(map(str, value.dims)))
    if isinstance(value, pd.Series):
        return from_series(value, name)
    if isinstance(value, pd.DataFrame):
        return Column(name, value.to_numpy())
    return Column(name, value, mapped=isinstance(value, np.memmap))
