"""Which sites of a part follow the sites that their priors depend on."""

from __future__ import annotations

from collections.abc import Iterable

from compiler.ir.guides import Part
from compiler.ir.program import Program
from compiler.ir.queries import prerequisites, values_of
from compiler.ir.statements import Site
from compiler.tables.distributions import DISTRIBUTIONS


def hierarchical_sites(program: Program, part: Part) -> dict[str, tuple[str, ...]]:
    """Return the sites of a part that can follow others, each with the latents in its prior.

    These are the sites that are drawn given continuous latents, from a prior whose mean is known:
    a part moves them with that mean. The base of a noncentered site depends on nothing, and the
    distribution of a truncated or ordered one tells no mean. Discrete latents are summed over, so
    that none can be followed.

    Args:
        program: The program.
        part: A part of one of its guides.
    """
    found = {}
    for site in program.latents():
        if site.name in part.sites and _has_mean(site):
            sources = _sources(program, site)
            if sources and not any(source.discrete for source in sources):
                found[site.name] = tuple(source.name for source in sources)
    return found


NONCENTRABLE = frozenset(
    {
        "Normal", "LogNormal", "StudentT", "Cauchy", "Laplace", "Logistic", "Gumbel", "HalfNormal",
        "HalfCauchy", "Exponential", "Weibull", "Gamma", "InverseGamma", "MultivariateNormal",
    }
)  # fmt: skip
"""The distributions that `autoguide_core.noncentring` tells a location and a scale of."""


def noncentrable_sites(program: Program, sites: Iterable[Site]) -> list[Site]:
    """Return the sites whose priors follow continuous latents, by a location or scale that is told.

    Those are the sites that a guide can draw relative to what their parents and the data say of
    them. A site that the model draws noncentered follows nothing.

    Args:
        program: The program.
        sites: Continuous latents of it.
    """
    return [
        site
        for site in sites
        if site.distribution.name in NONCENTRABLE
        and not (site.base_name is not None or site.truncated or site.constraint is not None)
        and any(not source.discrete for source in _sources(program, site))
    ]


def _sources(program: Program, site: Site) -> list[Site]:
    """Return the latents that a site's prior depends on, and those that move noncentered ones."""
    found: dict[str, Site] = {}
    pending = [site]
    while pending:
        for needed in prerequisites(program, values_of(pending.pop())):
            if isinstance(needed, Site) and not needed.observed and needed.name not in found:
                found[needed.name] = needed
                if needed.base_name is not None:
                    pending.append(needed)
    return list(found.values())


def _has_mean(site: Site) -> bool:
    changed = site.base_name is not None or site.truncated or site.constraint is not None
    return not changed and DISTRIBUTIONS[site.distribution.name].mean_known
