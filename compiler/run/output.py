"""The output folder of a fit: written whole or not at all, and never over something else."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pandas as pd

from compiler.diagnostics import Diagnostics, SpecError

if TYPE_CHECKING:
    from arviz import InferenceData

    from compiler.run.result import Fit

SPEC_FILE = "spec.ppl"
CHOSEN_FILE = "chosen.ppl"
MODULE_FILE = "module.py"
PROGRAM_FILE = "ir.json"
SETTINGS_FILE = "settings.json"
SUMMARY_FILE = "summary.json"
POSTERIOR_FILE = "posterior.nc"
REPORT_FILE = "report.html"
_MARK = "pplc"


class OutputFolder:
    """A folder to be written, as a context manager.

    Entering it makes sure that it can be written, by making a hidden folder beside it in which
    everything is written first; leaving it removes that folder if it is still there.

    Args:
        path: The folder.
        diagnostics: Where to report why it cannot be written.
    """

    def __init__(self, path: Path, diagnostics: Diagnostics) -> None:
        self.path = path
        self._diagnostics = diagnostics
        self._target = path.resolve()
        self._work: Path | None = None

    def __enter__(self) -> OutputFolder:
        """Check that the folder can be written.

        Raises:
            SpecError: It cannot, or holds something that is not the output of a fit.
        """
        if self._target.exists() and not _may_be_replaced(self._target):
            kind = "a folder of other things" if self._target.is_dir() else "a file"
            self._refuse(
                f"the output folder {self.path} exists, and is {kind}",
                "give another one with --out, or remove it",
            )
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            work = tempfile.mkdtemp(prefix=f".{self._target.name}-", dir=self._target.parent)
        except OSError as error:
            self._refuse(
                f"the output folder {self.path} cannot be written: {error.strerror}",
                "give another one with --out",
            )
        self._work = Path(work)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._work is not None:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work = None

    def write(self, write_files: Callable[[Path], None]) -> Path:
        """Write the files, and put the folder into its place.

        Args:
            write_files: Writes all of them into the folder that it is given.

        Returns:
            The folder.

        Raises:
            SpecError: The disk is full, or the like; the folder is as it was before.
        """
        assert self._work is not None, "the folder is written inside of its context"
        try:
            write_files(self._work)
            self._work.chmod(0o777 & ~_umask())
            self._put_in_place(self._work)
        except OSError as error:
            self._refuse(
                f"the output folder {self.path} cannot be written: {error.strerror or error}",
                "make room, or give another one with --out",
            )
        return self.path

    def _put_in_place(self, work: Path) -> None:
        before = None
        if self._target.exists():
            before = Path(tempfile.mkdtemp(prefix=".old-", dir=self._target.parent))
            self._target.rename(before / "fit")
        try:
            work.rename(self._target)
        except OSError:
            if before is not None:
                (before / "fit").rename(self._target)
            raise
        finally:
            if before is not None:
                shutil.rmtree(before, ignore_errors=True)
        self._work = None

    def _refuse(self, message: str, remedy: str) -> None:
        self._diagnostics.report("PPL098", None, message, remedy)
        raise SpecError(self._diagnostics)


def default_folder(path: str, name: str, suffix: str = "fit") -> Path:
    """Return where the output of a spec goes: `STEM-fit` in the working directory.

    Args:
        path: The spec's file.
        name: The model's name, for a spec that has no file.
        suffix: What comes after the dash.
    """
    return Path(f"{name if path.startswith('<') else Path(path).stem}-{suffix}")


def _may_be_replaced(folder: Path) -> bool:
    """Whether a folder may be replaced: it is empty, or the output of a fit."""
    try:
        return folder.is_dir() and (not any(folder.iterdir()) or is_fit_folder(folder))
    except OSError:
        return False


def is_fit_folder(folder: Path) -> bool:
    """Whether a folder is the output of a fit."""
    try:
        content = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("written_by") == _MARK


def write_fit(fit: Fit, folder: Path, *, report: bool = False) -> None:
    """Write the files of a fit into a folder, its report too where it is wanted."""
    (folder / MODULE_FILE).write_text(fit.source, encoding="utf-8")
    if fit.spec_text is not None:
        (folder / SPEC_FILE).write_text(fit.spec_text, encoding="utf-8")
    (folder / CHOSEN_FILE).write_text(fit.guide_block(), encoding="utf-8")
    (folder / PROGRAM_FILE).write_text(
        fit.program.model_dump_json(indent=2) + "\n", encoding="utf-8"
    )
    write_json(folder / SETTINGS_FILE, {"written_by": _MARK, **fit.record})
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
    """Write InferenceData for ArviZ to open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of xarray and h5netcdf, about each other
        idata.to_netcdf(str(path), engine="h5netcdf")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write plain values."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


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
    work = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        work.write_text(page, encoding="utf-8")
        work.replace(path)
    except OSError as error:
        work.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        diagnostics.report(
            "PPL098", None, f"{path} cannot be written: {reason}", "give another place"
        )
        raise SpecError(diagnostics) from error
    return path
