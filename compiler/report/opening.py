"""Reads the folder of a fit that was saved, in which nothing is taken on trust."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import h5py
import xarray as xr

from compiler.diagnostics import Diagnostics, SpecError
from compiler.files import UnreadableError, open_file, read_text
from compiler.ir import Program
from compiler.ir.text import from_json
from compiler.memory import in_words, is_out_of_memory, is_too_much, room
from compiler.reading import MOST_IR_BYTES
from compiler.report.content import Content
from compiler.run.axes import posterior_variables
from compiler.run.folder import SETTINGS_FILE, is_fit_folder
from compiler.run.output import (
    MODULE_FILE,
    POSTERIOR_FILE,
    PROGRAM_FILE,
    SPEC_FILE,
    SUMMARY_FILE,
)
from compiler.run.saved import SavedOutcome, SavedRecord, read_saved
from compiler.run.settling import settled
from compiler.verify import problems

_NUMBERS = "biuf"
_DRAWS = ("chain", "draw")

T = TypeVar("T")


def content_in(folder: Path) -> Content:
    """Return what the report of a saved fit is made from.

    Raises:
        SpecError: The folder is not the output of a fit, not of this version, or damaged.
    """
    message = f"{folder} is not the output folder of a fit"
    remedy = "give the folder that `compile-and-fit --out` wrote"
    try:
        if folder.is_dir():
            with settled(folder):
                if is_fit_folder(folder):
                    return _content_in(folder)
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links is a RuntimeError
        message, remedy = f"the fit in {folder} cannot be read: {error}", "fit again"
    diagnostics = Diagnostics(str(folder), "")
    diagnostics.report("PPL098", None, message, remedy)
    raise SpecError(diagnostics)


def _content_in(folder: Path) -> Content:
    spec = folder / SPEC_FILE
    program = _read(folder / PROGRAM_FILE, _program)
    return Content(
        program=program,
        spec=_read(spec, str) if spec.exists() else None,
        module=_read(folder / MODULE_FILE, str),
        record=_read(folder / SETTINGS_FILE, lambda text: read_saved(SavedRecord, text)),
        outcome=_read(folder / SUMMARY_FILE, lambda text: read_saved(SavedOutcome, text)),
        groups=_groups(folder / POSTERIOR_FILE, program),
    )


def _read(path: Path, parse: Callable[[str], T]) -> T:
    """Return what a text file holds; ValueError where that cannot be told, with the file's name."""
    try:
        return parse(read_text(path, MOST_IR_BYTES))
    except UnreadableError as error:
        raise ValueError(f"{path.name} {error.reason}") from None
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def _program(text: str) -> Program:
    program = from_json(text)
    problem = next(problems(program), None if program.guides else "it has no guide")
    if problem is not None:
        raise ValueError(problem)
    return program


def _groups(path: Path, program: Program) -> dict[str, xr.Dataset]:
    """Return the groups of the posterior's file, those with the program's variables checked."""
    try:
        _check_hdf5(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of xarray and h5netcdf, about each other
            with xr.open_datatree(path, engine="h5netcdf") as tree:
                found = {name: child.to_dataset() for name, child in tree.children.items()}
                if is_too_much(size := sum(group.nbytes for group in found.values())):
                    raise ValueError(f"it is said to hold {in_words(size)}, and {room()}")
                groups = {name: group.load() for name, group in found.items()}
    except UnreadableError as error:
        raise ValueError(f"{path.name} {error.reason}") from None
    except Exception as error:  # over a damaged file, HDF5 and those above it raise what they like
        words = "more memory is needed than there is" if is_out_of_memory(error) else str(error)
        raise ValueError(f"{path.name}: {words.partition(chr(10))[0][:200]}") from None
    _check_posterior(path, groups.get("posterior", xr.Dataset()), program)
    return groups


def _check_hdf5(path: Path) -> None:
    """Read all that a file says of its content; over a damaged one h5netcdf would print besides."""
    open_file(path).close()
    with h5py.File(path, "r") as file:
        dict(file.attrs)
        file.visititems(lambda name, found: dict(found.attrs) and None)


def _check_posterior(path: Path, posterior: xr.Dataset, program: Program) -> None:
    there = [v.name for v in posterior_variables(program) if v.name in posterior]
    if not there:
        raise ValueError(f"{path.name} holds no draws of the model's sites")
    for name in there:
        array = posterior[name]
        if array.dtype.kind not in _NUMBERS or array.dims[:2] != _DRAWS:
            axes = ", ".join(map(str, array.dims))
            raise ValueError(f"{path.name}: {name} is {array.dtype}[{axes}], which no draws are")
        if not math.prod(array.shape[:2]):
            raise ValueError(f"{path.name}: {name} has no draws")
