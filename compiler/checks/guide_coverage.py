"""Checks that the parts of a guide cover every latent exactly once."""

from __future__ import annotations

from compiler.diagnostics import Diagnostics
from compiler.ir.guides import CallablePart, Part
from compiler.ir.program import Program
from compiler.tables.families import FAMILIES


def check_coverage(program: Program, diagnostics: Diagnostics) -> None:
    """PPL060: each continuous latent is in a part."""
    for guide in program.guides:
        covered = {name for part in guide.parts for name in part.sites}
        left = [
            site for site in program.latents() if not site.discrete and site.name not in covered
        ]
        if left:
            names = ", ".join(f"`{site.name}`" for site in left)
            diagnostics.report(
                "PPL060",
                guide.location.span,
                f"no part of the guide `{guide.name}` covers {names}",
                "add it to a part, or write `part rest = AutoNormal(*)`"
                if len(left) == 1
                else "add them to a part, or write `part rest = AutoNormal(*)`",
                [(f"`{site.name}` is drawn here", site.location.span) for site in left],
            )


def check_overlap(program: Program, diagnostics: Diagnostics) -> None:
    """PPL061: no latent is in two parts."""
    for guide in program.guides:
        owners: dict[str, Part | CallablePart] = {}
        for part in guide.parts:
            for name in part.sites:
                first = owners.setdefault(name, part)
                if first is not part:
                    diagnostics.report(
                        "PPL061",
                        part.location.span,
                        f"parts `{first.name}` and `{part.name}` both cover `{name}`",
                        f"take `{name}` out of one of them",
                        [(f"part `{first.name}` is here", first.location.span)],
                    )


def check_alone(program: Program, diagnostics: Diagnostics) -> None:
    """PPL067: a family that must stand alone has no other part beside it."""
    for guide in program.guides:
        for part in guide.parts:
            family = FAMILIES.get(part.family) if isinstance(part, Part) else None
            if family is not None and family.alone and len(guide.parts) > 1:
                diagnostics.report(
                    "PPL067",
                    part.location.span,
                    f"{family.name} has to be the only part of its guide",
                    f"write `part {part.name} = {family.name}(*)` alone, or take "
                    "AutoMultivariateNormal",
                )
