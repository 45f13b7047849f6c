"""The files of a fit: what is in them, and what they are called."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from compiler.diagnostics import Diagnostics, SpecError
from compiler.ir.text import to_json
from compiler.run.folder import MARK, SETTINGS_FILE
from compiler.run.settling import add_file
from compiler.writing import write_whole

if TYPE_CHECKING:
    from arviz import InferenceData

    from compiler.run.result import Fit

SPEC_FILE = "spec.ppl"
CHOSEN_FILE = "chosen.ppl"
MODULE_FILE = "module.py"
PROGRAM_FILE = "ir.json"
SUMMARY_FILE = "summary.json"
POSTERIOR_FILE = "posterior.nc"
REPORT_FILE = "report.html"


def write_fit(fit: Fit, folder: Path, *, report: bool = False) -> None:
    """Write the files of a fit into a folder, its report too where it is wanted."""
    (folder / MODULE_FILE).write_text(fit.source, encoding="utf-8")
    if fit.spec_text is not None:
        (folder / SPEC_FILE).write_text(fit.spec_text, encoding="utf-8")
    (folder / CHOSEN_FILE).write_text(fit.guide_block(), encoding="utf-8")
    (folder / PROGRAM_FILE).write_text(to_json(fit.program) + "\n", encoding="utf-8")
    write_json(folder / SETTINGS_FILE, {**MARK, **fit.record})
    write_json(folder / SUMMARY_FILE, summary_record(fit))
    write_netcdf(folder / POSTERIOR_FILE, fit.idata)
    if report:
        (folder / REPORT_FILE).write_text(fit.report_html(), encoding="utf-8")


def summary_record(fit: Fit) -> dict[str, Any]:
    """Return the summary of a fit as plain values."""
    rows = fit.summary()
    discrete = fit.discrete_summary()
    return {
        "model": fit.program.name,
        "converged": fit.converged,
        "verdict": fit.engine.verdict,
        "khat": fit.khat if fit.khat is not None and abs(fit.khat) != float("inf") else None,
        "trusted": fit.posterior.trusted,
        "khat_meaning": fit.posterior.trust,
        "reliable": fit.reliable,
        "correction": fit.posterior.correction,
        "effective_draws": fit.posterior.ess,
        "site_khat": fit.posterior.site_khat,
        "elbo": float(fit.elbo[-max(1, len(fit.elbo) // 10) :].mean()) if len(fit.elbo) else None,
        "method": fit.engine.method,
        "engine": fit.engine.engine,
        "engine_reason": fit.engine.engine_reason or None,
        "steps": fit.engine.steps,
        "seconds": round(fit.engine.seconds, 3),
        "draws": fit.record["settings"]["draws"],
        "notes": list(fit.notes),
        "restarts": None if fit.restarts is None else _rows(fit.restarts),
        "sites": {str(label): row.to_dict() for label, row in rows.iterrows()},
        "discrete": {
            str(label): {"mode": int(row["mode"]), "probability": float(row["probability"])}
            for label, row in discrete.iterrows()
        },
    }


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as plain values, null where there is no number."""
    rows: list[dict[str, Any]] = json.loads(table.reset_index().to_json(orient="records"))
    return rows


def write_netcdf(path: Path, idata: InferenceData) -> None:
    """Write InferenceData for ArviZ to open.

    HDF5 writes to memory: where a disk is full it would print tracebacks, or end the process.
    """
    groups = {f"/{name}": idata[name] for name in idata.groups()}
    encoding = {name: _compressed(group) for name, group in groups.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of xarray and h5netcdf, about each other
        tree = xr.DataTree.from_dict({"/": xr.Dataset(attrs=idata.attrs), **groups})
        file = io.BytesIO()
        tree.to_netcdf(file, engine="h5netcdf", encoding=encoding)
    path.write_bytes(file.getbuffer())


def _compressed(group: xr.Dataset) -> dict[str, dict[str, bool]]:
    numbers = (name for name, values in group.variables.items() if values.dtype.kind in "biufc")
    return {str(name): {"zlib": True} for name in numbers}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write plain values."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_page(page: str, path: Path, diagnostics: Diagnostics) -> Path:
    """Write an HTML page to a file, whole or not at all; a file that is there is replaced.

    Args:
        page: The page.
        path: The file.
        diagnostics: Where to tell why it cannot be written.

    Returns:
        The file.

    Raises:
        SpecError: It cannot be written.
    """
    with _written(path, diagnostics):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, page.encode())
    return path


def add_report(page: str, folder: Path, diagnostics: Diagnostics) -> Path:
    """Write the report of a fit into its folder; arguments and errors as of `write_page`."""
    with _written(folder / REPORT_FILE, diagnostics):
        add_file(folder, REPORT_FILE, page.encode())
    return folder / REPORT_FILE


@contextmanager
def _written(path: Path, diagnostics: Diagnostics) -> Iterator[None]:
    """Report why a file cannot be written."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError
        reason = getattr(error, "strerror", None) or error
        diagnostics.report(
            "PPL098", None, f"{path} cannot be written: {reason}", "give another place"
        )
        raise SpecError(diagnostics) from error
