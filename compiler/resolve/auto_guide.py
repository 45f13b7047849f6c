"""Chooses a guide from the structure of the model where the spec writes none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from compiler.ir.guides import Guide, Part
from compiler.ir.program import Program
from compiler.ir.queries import minibatches, unconstrained_size
from compiler.ir.statements import Site
from compiler.ir.types import Location
from compiler.tables.hierarchy import noncentrable_sites
from grammar.span import NOWHERE

FULL_RANK_LIMIT = 1000
"""Greatest dimension that gets a full covariance: half a million parameters."""

LOW_RANK_LIMIT = 10_000
"""Greatest dimension that gets a low-rank covariance: a million parameters."""


def auto_guide(
    program: Program, sizes: Mapping[str, int] | None = None, location: Location | None = None
) -> Guide:
    """Return the guide that suits the model's structure, with the reason for it.

    Continuous latents outside minibatched plates get one joint normal, those inside an independent
    normal each, discrete latents that are not marginalised an enumerated one.

    Args:
        program: The program, resolved but for its guides.
        sizes: Sizes of dims that the data told; without them only literal sizes are known.
        location: Where `guide auto` is written, if it is.
    """
    place = location or Location.of(NOWHERE)
    small = minibatches(program)
    latents = [site for site in program.latents() if not site.marginalized]
    continuous = [site for site in latents if not site.discrete]
    local = [site for site in continuous if any(plate in small for plate in site.plates)]
    joint = [site for site in continuous if site not in local]
    discrete = [site for site in latents if site.discrete]

    parts: list[Part] = []
    reasons: list[str] = []
    if joint:
        family, reason = _joint_family(program, joint, sizes)
        parts.append(_part("joint", family, joint, place))
        reasons.append(reason)
    if local:
        parts.append(_part("local", "AutoNormal", local, place))
        reasons.append(f"{_list(local)} in a minibatched plate: an independent normal for each")
    if discrete:
        parts.append(_part("labels", "AutoDiscreteParallel", discrete, place))
        reasons.append(f"{_list(discrete)} discrete: the classes are summed over")
    return Guide(
        name="auto",
        parts=tuple(parts),
        auto=True,
        reason="; ".join(reasons) or "no latent sites",
        location=place,
    )


def _joint_family(
    program: Program, sites: list[Site], sizes: Mapping[str, int] | None
) -> tuple[str, str]:
    """Return the family for the sites outside minibatched plates, and why."""
    known = [unconstrained_size(program, site, sizes) for site in sites]
    dimension = sum(size for size in known if size is not None)
    count = f"{dimension:,} dimensions"
    if dimension > LOW_RANK_LIMIT:
        return "AutoNormal", f"{count} or more: an independent normal for each"
    if dimension > FULL_RANK_LIMIT:
        return "AutoLowRankMultivariateNormal", f"{count}: a low-rank covariance"
    followers = noncentrable_sites(program, sites)
    if followers:
        verb = "follow" if followers[1:] else "follows"
        return "AutoNoncenteredMultivariateNormal", (
            f"{_names(followers)} {verb} other latents: one normal with full covariance over how "
            "far they are from what the others and the data say of them"
        )
    return "AutoMultivariateNormal", f"{_list(sites)} continuous: one normal with full covariance"


def _part(name: str, family: str, sites: Iterable[Site], location: Location) -> Part:
    return Part(
        name=name, family=family, sites=tuple(site.name for site in sites), location=location
    )


def _list(sites: Iterable[Site]) -> str:
    sites = list(sites)
    return f"{_names(sites)} {'are' if sites[1:] else 'is'}"


def _names(sites: Iterable[Site]) -> str:
    *others, last = (site.name for site in sites)
    return f"{', '.join(others)} and {last}" if others else last
