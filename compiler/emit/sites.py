"""Emits one site: its distribution, and the lines that draw it."""

from __future__ import annotations

from collections.abc import Mapping

from compiler.emit.calls import OURS, argument_code, arguments_code, axes_code, class_code
from compiler.emit.expressions import (
    emit,
    floating_code,
    is_number,
    numeric,
)
from compiler.emit.imports import Import
from compiler.emit.layout import align, view_data
from compiler.emit.mixtures import mixture_code
from compiler.emit.place import Place
from compiler.emit.python import atom, binary, method
from compiler.emit.sequences.sites import first_and_then
from compiler.ir import Expression, Program, Site
from compiler.ir.types import Axis
from compiler.tables.distribution_row import DistributionRow
from compiler.tables.distributions import DISTRIBUTIONS
from compiler.tables.reserved import python_name

_EXTENDED = {"Binomial": "ExtendedBinomial", "BetaBinomial": "ExtendedBetaBinomial"}
"""What stands for a distribution whose number of trials is a latent, and may be below the data."""


def site_lines(site: Site, program: Program, place: Place) -> list[str]:
    """Return the lines that draw a site."""
    if site.noncentered or site.lowered:
        return (_noncentered if site.noncentered else _lowered)(site, place)
    variable = python_name(site.name)
    drawn = [repr(site.name), _over_steps(site, place)]
    lines: list[str] = []
    if site.observed:
        seen = _observed(site, program, place)
        if site.hidden is not None:
            drawn[1], lines = _emitted(site, drawn[1], seen, program)
        drawn.append(f"obs={seen}")
    if site.marginalized:
        drawn.append('infer={"enumerate": "parallel"}')
    call = f"pyro.sample({', '.join(drawn)})"
    return [call if site.observed else f"{variable} = {call}", *lines]


def _emitted(site: Site, code: str, seen: str, program: Program) -> tuple[str, list[str]]:
    """Return the code of what a hidden chain emits, and the lines behind the last emission."""
    assert site.hidden is not None
    chain = python_name(site.hidden)
    emissions = [other.name for other in program.sites() if other.hidden == site.hidden]
    if site.name != emissions[-1]:
        return f"{chain}.emits({code}, {seen}, counted=False)", []
    return f"{chain}.emits({code}, {seen})", [f"{chain}.record({site.hidden!r})"]


def _over_steps(site: Site, place: Place) -> str:
    """Return the code of a site's distribution, that of the first steps of a `recur` included."""
    if not site.begin:
        return full_distribution(site, place)
    dim = site.plates[-1]
    code = full_distribution(
        site.model_copy(update={"distribution": first_and_then(site, dim)}), place
    )
    if site.initial is not None:
        return code
    place.needs.names.add(dim)
    number = place.numbers[dim] - (site.hidden is not None)
    axis = "" if number == -1 else f", {number}"
    return method(code, f"mask(sequences.since({site.begin}, {python_name(dim)}{axis}))")


def _observed(site: Site, program: Program, place: Place) -> str:
    place.needs.names.add(site.name)
    if site.completed is not None:
        return emit(site.completed, place)
    variable = python_name(site.name)
    axes = next(d.dims for d in program.data if d.name == site.name)
    code = view_data(site.name, axes, place)
    return code if code == variable else f"None if {variable} is None else {code}"


def _left(site: Site) -> tuple[Axis, ...]:
    """Return the axes over which a site's draws are independent."""
    rank = DISTRIBUTIONS[site.distribution.name].event_rank
    hidden = () if site.hidden is None else (site.hidden,)
    return (*hidden, *site.event[: len(site.event) - rank])


def full_distribution(site: Site, place: Place) -> str:
    """Return the code of a site's distribution over all its event axes."""
    left = _left(site)
    if site.constraint is not None:
        return _ordered(site, left, place)
    code = _expanded(site, left, place)
    if site.missing:
        place.needs.imports.add(Import(OURS, "Gaps"))
        code = f"Gaps({code})"
    return to_event(code, len(left) - (site.hidden is not None))


def _ordered(site: Site, left: tuple[Axis, ...], place: Place) -> str:
    name = "Ordered" if site.constraint == "ordered" else "PositiveOrdered"
    place.needs.imports.add(Import(OURS, name))
    return to_event(f"{name}({_expanded(site, left, place)})", len(left) - 1)


def to_event(code: str, rank: int) -> str:
    """Return the code of a distribution with its last batch dims made event dims."""
    return method(code, f"to_event({rank})") if rank else code


def _expanded(site: Site, left: tuple[Axis, ...], place: Place) -> str:
    """Return the distribution with `left` among its batch dims."""
    if site.distribution.components:
        return mixture_code(site.distribution, left, place)
    row = DISTRIBUTIONS[site.distribution.name]
    arguments = site.distribution.arguments
    own_ranks = {name: row.parameter(name).event_rank for name in arguments}
    covered: tuple[Axis, ...] = ()
    for name, argument in arguments.items():
        event = argument.type.event
        covered = place.sizes.join(covered, event[: len(event) - own_ranks[name]])
    for bound in _bounds(site):
        covered = place.sizes.join(covered, bound.type.event)
    short = place.sizes.unify_all(covered, left) is None
    carrier = next(
        (n for n, a in arguments.items() if a.type.random or a.type.batch), None
    ) if short else None  # fmt: skip
    code = _distribution(site, row, left, carrier, place)
    if short and carrier is None:
        code = method(code, f"expand([{', '.join(axes_code(left, place))}])")
    return code


def _bounds(site: Site) -> list[Expression]:
    return [b for b in (site.lower, site.upper, *site.censoring.values()) if b is not None]


def _distribution(
    site: Site,
    row: DistributionRow,
    left: tuple[Axis, ...],
    carrier: str | None,
    place: Place,
) -> str:
    distribution = site.distribution
    parts = arguments_code(
        distribution.arguments, row, distribution.positional, left, carrier, place
    )
    if site.name in place.as_numbers:
        parts.append("one_turn=True")
    if site.imputes is not None:
        parts.append(f"near={python_name(site.imputes)}")
        place.needs.names.add(site.imputes)
    total = distribution.arguments.get("total_count")
    extended = _EXTENDED.get(row.name) if total is not None and total.type.random else None
    made = f"dist.{extended}" if extended else class_code(row, place)
    code = f"{made}({', '.join(parts)})"
    if site.truncated:
        bounds = {"lower": site.lower, "upper": site.upper}
        wrapper = "TruncatedCounts" if row.discrete else "Truncated"
        return _wrapped(wrapper, code, bounds, left, place)
    if site.listed_up_to is not None:
        place.needs.imports.add(Import(OURS, "Bounded"))
        return f"Bounded({code}, upper={site.listed_up_to})"
    if site.censoring:
        return _wrapped("Censored", code, site.censoring, left, place)
    return code


def _wrapped(
    wrapper: str,
    code: str,
    keywords: Mapping[str, Expression | None],
    left: tuple[Axis, ...],
    place: Place,
) -> str:
    """Return a distribution of ours around another, with some keywords."""
    place.needs.imports.add(Import(OURS, wrapper))
    for keyword, value in keywords.items():
        if value is not None:
            text = floating_code(value, place) if is_number(value) else numeric(value, place)
            code = f"{code}, {keyword}={align(text, value.type, left, place)}"
    return f"{wrapper}({code})"


# --- sites that are drawn through another -------------------------------------------------------


def base_line(site: Site, place: Place) -> str:
    """Return the line that draws the standard variable of a non-centred site."""
    row = DISTRIBUTIONS[site.distribution.name]
    assert row.loc_scale is not None
    standard = {row.loc_scale.loc: "0.0", row.loc_scale.scale: "1.0"}
    parts: list[str] = []
    for parameter in row.parameters:
        argument = site.distribution.arguments.get(parameter.name)
        if parameter.name in standard:
            parts.append(standard[parameter.name])
        elif argument is not None:
            code = argument_code(argument, parameter, place)
            parts.append(align(code, argument.type, _left(site), place))
    base = f"{class_code(row, place)}({', '.join(parts)})"
    if row.loc_scale.matrix:
        base = "dist.Normal(0.0, 1.0)"
    if site.event:
        base = method(base, f"expand([{', '.join(axes_code(site.event, place))}])")
    drawn = to_event(base, len(site.event))
    return f"{site.base_name} = pyro.sample({site.base_name!r}, {drawn})"


def _noncentered(site: Site, place: Place) -> list[str]:
    row = DISTRIBUTIONS[site.distribution.name]
    assert row.loc_scale is not None
    assert site.base_name is not None
    arguments = site.distribution.arguments
    loc, scale = (arguments.get(n) for n in (row.loc_scale.loc, row.loc_scale.scale))
    assert scale is not None
    if row.loc_scale.matrix:
        matrix = atom(numeric(scale, place))
        spread = f"({matrix} @ {site.base_name}.unsqueeze(-1)).squeeze(-1)"
    else:
        spread = binary("*", _argument(scale, site, place), site.base_name)
    value = spread if loc is None else binary("+", _argument(loc, site, place), spread)
    return [base_line(site, place), kept_line(site.name, value, len(site.event))]


def _argument(expr: Expression, site: Site, place: Place) -> str:
    text = floating_code(expr, place) if is_number(expr) else numeric(expr, place)
    return align(text, expr.type, site.event, place)


def kept_line(name: str, value: str, event_rank: int) -> str:
    """Return the line that names a value and keeps it in the posterior."""
    rank = f", event_dim={event_rank}" if event_rank else ""
    return f"{python_name(name)} = pyro.deterministic({name!r}, {value}{rank})"


def _lowered(site: Site, place: Place) -> list[str]:
    """Draw on a fixed range, move to the bounds, and add what the move does to the density."""
    base = site.base_name
    assert base is not None
    lower = None if site.lower is None else _argument(site.lower, site, place)
    upper = None if site.upper is None else _argument(site.upper, site, place)
    if lower is not None and upper is not None:
        width = binary("-", upper, lower)
        fixed = "dist.Uniform(0.0, 1.0)"
        value = binary("+", lower, binary("*", width, base))
        log_width = f"torch.log({width})"
    else:
        place.needs.imports.add(Import(OURS, "Flat"))
        fixed, log_width = "Flat(lower=0.0)", ""
        value = binary("+", lower, base) if lower is not None else binary("-", str(upper), base)
    if site.event:
        fixed = method(fixed, f"expand([{', '.join(axes_code(site.event, place))}])")
    terms: list[str] = []
    if site.truncated:
        distribution = _expanded(site, site.event, place)
        terms.append(method(distribution, f"log_prob({python_name(site.name)})"))
    if log_width and site.distribution.name != "Uniform":
        terms.append(log_width)
    lines = [
        f"{base} = pyro.sample({base!r}, {to_event(fixed, len(site.event))})",
        kept_line(site.name, value, len(site.event)),
    ]
    if terms:
        term = terms[0] if len(terms) == 1 else binary("+", *terms)
        if site.event:
            spread = f"torch.zeros({', '.join(axes_code(site.event, place))})"
            term = method(binary("+", term, spread), f"sum({_sum_axes(len(site.event))})")
        lines.append(f"pyro.factor({site.name + '_density'!r}, {term})")
    return lines


def _sum_axes(rank: int) -> str:
    return "-1" if rank == 1 else f"({', '.join(str(i) for i in range(-rank, 0))})"
