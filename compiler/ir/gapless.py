"""A program as it is where data that may have gaps have none: nothing is left to fill."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from compiler.ir.program import Program


def fillers(program: Program, names: Collection[str]) -> set[str]:
    """Return the latents that fill the gaps of some data."""
    return {site.name for site in program.latents() if site.imputes in names}


def without_gaps(program: Program, names: Collection[str]) -> Program:
    """Return a program in which some data are no longer declared to have gaps.

    Args:
        program: The program.
        names: Data whose gaps latents would fill; nothing else reads those latents.
    """
    gone = fillers(program, names)

    def left_out(part: Any) -> bool:
        if not isinstance(part, dict):
            return isinstance(part, str) and part in gone
        of_latent = part.get("imputes") in names or part.get("site") in gone
        covered = part.get("kind") in ("part", "callable") and gone.issuperset(part["sites"])
        return of_latent or covered or part.get("gaps_of") in names

    def kept(part: Any) -> Any:
        if isinstance(part, dict):
            if part.get("node") == "filled" and part["values"]["name"] in gone:
                return kept(part["data"])
            changed = {"missing": False} if "index_of" in part and part.get("name") in names else {}
            return {key: kept(value) for key, value in part.items()} | changed
        if isinstance(part, tuple):
            return tuple(kept(one) for one in part if not left_out(one))
        return part

    return Program.model_validate(kept(program.model_dump()))
