"""Checks that the init value of a moved site can be carried over to the site that is drawn."""

from __future__ import annotations

from compiler.checks.parts import values_of
from compiler.diagnostics import Diagnostics
from compiler.ir.guides import Guide, Part
from compiler.ir.program import Program
from compiler.ir.queries import minibatches, prerequisites
from compiler.ir.statements import Site


def check_carried(program: Program, diagnostics: Diagnostics) -> None:
    """PPL075: what the loc and scale of a noncentered site use has an init value, too."""
    for guide, value, site in values_of(program):
        trouble = _trouble(program, guide, site)
        if trouble is not None:
            message, remedy = trouble
            diagnostics.report(
                "PPL075",
                value.location.span,
                message,
                remedy,
                [(f"`{site.name}` is drawn here", site.location.span)],
            )


def _trouble(program: Program, guide: Guide, site: Site) -> tuple[str, str] | None:
    name = site.name
    if site.lowered:
        return (
            f"`{name}` has a bound that depends on a latent, so its init cannot be set",
            "leave the value out, or give the site fixed bounds",
        )
    if not site.noncentered:
        return None
    arguments = tuple(site.distribution.arguments.values())
    small = minibatches(program)
    varying = {plate for argument in arguments for plate in argument.type.batch if plate in small}
    if varying:
        return (
            f"`{name}` is noncentered around values that vary along `{min(varying)}`, which is "
            "minibatched",
            "leave the value out: the base starts at zero",
        )
    given = {v.site for part in guide.parts if isinstance(part, Part) for v in part.values}
    left = [
        f"`{other.name}`"
        for other in prerequisites(program, arguments)
        if isinstance(other, Site) and other.latent and other.name not in given
    ]
    if not left:
        return None
    return (
        f"the init value of the noncentered `{name}` needs one for {', '.join(left)}, too",
        f"add `at {{ … }}` values for {', '.join(left)}, or leave out that of `{name}`",
    )
