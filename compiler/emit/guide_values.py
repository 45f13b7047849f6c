"""Emits the init values of a guide, carried over to the bases of noncentered sites."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.emit.create_plates import minibatch_name
from compiler.emit.expressions import aligned, emit, numeric
from compiler.emit.init_shapes import emit_init_value
from compiler.emit.place import Needs, Place
from compiler.emit.python import binary, method
from compiler.ir.expressions import Expression
from compiler.ir.guides import Guide, InitValue, Part
from compiler.ir.literals import literal_array
from compiler.ir.program import Program
from compiler.ir.queries import drawn_name, minibatches, plates_around, prerequisites
from compiler.ir.statements import Assignment, Recorded, Site
from compiler.tables.distributions import DISTRIBUTIONS
from compiler.tables.reserved import python_name


class GuideValues:
    """The init values of one guide.

    The base of a noncentered site starts at `(value - loc) / scale`. Its loc and scale are those at
    the init values of the sites that they use, so these values, and what the model computes from
    them, get a line each in front of the parts.

    Args:
        program: The program.
        guide: The guide.
        needs: Gathers what the code of the values uses.
    """

    def __init__(self, program: Program, guide: Guide, needs: Needs) -> None:
        self._program = program
        self._needs = needs
        self._place = Place.outside(program, needs)
        self._sites = {site.name: site for site in program.latents()}
        self._values: dict[str, InitValue] = {
            value.site: value
            for part in guide.parts
            if isinstance(part, Part)
            for value in part.values
        }
        self._named = self._statements_named()

    def of(self, part: Part) -> tuple[tuple[str, str], ...]:
        """Return the values of a part, by the name that the model draws."""
        given = {value.site: value for value in part.values}
        return tuple(
            (drawn_name(self._sites[name]), self._value(self._sites[name]))
            for name in part.sites
            if name in given
        )

    def lines(self) -> list[str]:
        """Return the lines that name what the bases of noncentered sites are computed from."""
        around = plates_around(self._program)
        lines = []
        for statement in self._named:
            if isinstance(statement, Site):
                code = self._own_value(statement)
            else:
                code = numeric(statement.value, self._place.among(around[statement.name]))
            lines.append(f"{python_name(statement.name)} = {code}")
        return lines

    def parameters(self) -> tuple[str, ...]:
        """Return the arguments that the code uses: dims, data, derived, sizes of minibatches.

        To be asked for once all code has been emitted.
        """
        program, used = self._program, self._needs.names
        declared = (
            *(dim.name for dim in program.dims),
            *(data.name for data in program.data),
            *(derived.name for derived in program.derived),
        )
        small = {minibatch_name(dim): size for dim, size in minibatches(program).items()}
        return (
            *(python_name(name) for name in declared if name in used),
            *(f"{name}={size}" for name, size in small.items() if name in used),
        )

    def _carried(self) -> Iterator[Site]:
        """Yield the noncentered sites that have a value."""
        for name in self._values:
            if self._sites[name].noncentered:
                yield self._sites[name]

    def _statements_named(self) -> tuple[Site | Assignment | Recorded, ...]:
        """Return the statements that get a line, in the model's order."""
        arguments = [a for site in self._carried() for a in _loc_scale(site) if a is not None]
        needed = prerequisites(self._program, arguments)
        named = {one.name for one in needed if not (isinstance(one, Site) and one.observed)}
        named |= {site.name for site in self._carried()}
        return prerequisites(self._program, (), also=named)

    def _own_value(self, site: Site) -> str:
        return emit_init_value(self._program, site, self._values[site.name].value, self._place)

    def _value(self, site: Site) -> str:
        """Return the value at which the site that is drawn starts."""
        if site.noncentered:
            return self._base_value(site)
        return python_name(site.name) if site in self._named else self._own_value(site)

    def _base_value(self, site: Site) -> str:
        """Return `(value - loc) / scale`."""
        loc, scale = _loc_scale(site)
        place = self._place.among(site.plates)
        text = python_name(site.name)
        if loc is not None:
            text = binary("-", text, aligned(loc, site.event, place))
        if scale is None:
            return text
        row = DISTRIBUTIONS[site.distribution.name]
        if row.loc_scale is not None and row.loc_scale.matrix:
            column = method(text, "unsqueeze(-1)")
            solved = f"torch.linalg.solve_triangular({emit(scale, place)}, {column}, upper=False)"
            return f"{solved}.squeeze(-1)"
        return binary("/", text, aligned(scale, site.event, place))


def _loc_scale(site: Site) -> tuple[Expression | None, Expression | None]:
    """Return the loc and the scale of a noncentered site; None for a loc of 0 and a scale of 1."""
    row = DISTRIBUTIONS[site.distribution.name].loc_scale
    arguments = site.distribution.arguments
    if row is None:
        return None, None
    loc, scale = arguments.get(row.loc), arguments.get(row.scale)
    return (
        None if loc is None or literal_array(loc) == 0.0 else loc,
        None if scale is None or literal_array(scale) == 1.0 else scale,
    )
