"""The main job: from a spec and data to an output folder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from compiler.pipeline import Compilation, compile_file
from compiler.run.fitting import fit_program
from compiler.run.folder import OutputFolder, default_folder
from compiler.run.output import write_fit
from compiler.run.result import Fit


def compile_and_fit(
    spec: str | Path | Compilation,
    data: Any = None,
    *,
    out: str | Path | None = None,
    report: bool = False,
    **options: Any,
) -> Fit:
    """Compile a spec, fit it to data, and write the posterior to a folder.

    Args:
        spec: A spec or an IR file, or what became of it in the compiler.
        data: Files or objects in memory: one, or a list of several; None for none.
        out: The folder; by default `STEM-fit` in the working directory.
        report: Whether to write the report into the folder, too.
        **options: Those of `compiler.run.fit_program`.

    Returns:
        The fit.

    Raises:
        SpecError: If the spec, the data, a setting, the output folder or the fit is at fault.
            Nothing is written then; but where the folder cannot be written after the fit, the
            error names another one that was.
    """
    compiled = spec if isinstance(spec, Compilation) else compile_file(spec)
    compiled.diagnostics.raise_errors()
    program = compiled.program
    assert program is not None, "a compilation without errors has a program"
    folder = (
        Path(out) if out is not None else default_folder(compiled.diagnostics.path, program.name)
    )
    with OutputFolder(folder, compiled.diagnostics) as output:
        fit = fit_program(program, data, diagnostics=compiled.diagnostics, **options)
        output.write(partial(write_fit, fit, report=report))
    return replace(fit, folder=output.path, notes=(*fit.notes, *output.notes))
