"""The files of a comparison, beside those of its fit."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from compiler.compare.result import Comparison
from compiler.run.output import write_fit, write_json, write_netcdf


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write the files of a comparison and of its fit into a folder."""
    write_fit(comparison.fit, folder)
    write_netcdf(folder / "nuts.nc", comparison.nuts)
    comparison.table.to_csv(folder / "compare.csv")
    write_json(folder / "compare.json", comparison_record(comparison))
    comparison.plot().savefig(folder / "compare.png")


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain values, null where there is no number."""
    rows = json.loads(comparison.table.to_json(orient="index", double_precision=15))
    return {
        "model": comparison.fit.program.name,
        "nuts_converged": comparison.converged,
        "agrees": comparison.agrees,
        "verdict": list(comparison.verdict),
        "divergences": int(comparison.run.statistics["diverging"].sum()),
        "seconds": round(comparison.run.seconds, 3),
        "engine": comparison.run.engine,
        "engine_reason": comparison.run.engine_reason or None,
        "settings": asdict(comparison.run.settings),
        "fit": {
            "converged": comparison.fit.converged,
            "trusted": comparison.fit.trusted,
            "verdict": list(comparison.fit.verdict),
        },
        "sites": rows,
    }
