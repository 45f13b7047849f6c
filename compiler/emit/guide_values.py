"""Emits the init values of a guide, carried over to the bases of noncentered sites."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from compiler.emit.create_plates import minibatch_name
from compiler.emit.init_shapes import emit_init_value, operand, site_shape
from compiler.ir.expressions import Apply, Expression
from compiler.ir.guides import Guide, InitValue, Part
from compiler.ir.program import Program
from compiler.ir.queries import drawn_name, minibatches, prerequisites, references, subexpressions
from compiler.ir.statements import Assignment, Recorded, Site
from compiler.tables.distributions import DISTRIBUTIONS
from compiler.tables.functions import FUNCTIONS

_SHAPED = frozenset(name for name, row in FUNCTIONS.items() if row.shape in ("filled", "identity"))
"""Functions whose emitted code names the dims of their result."""


class GuideValues:
    """The init values of one guide.

    The base of a noncentered site starts at `(value - loc) / scale`. Its loc and scale are those at
    the init values of the sites that they use, so these values, and what the model computes from
    them, get a line each in front of the parts.

    Args:
        program: The program.
        guide: The guide.
        expression: Emits an expression.
    """

    def __init__(
        self, program: Program, guide: Guide, expression: Callable[[Expression], str]
    ) -> None:
        self._program = program
        self._expression = expression
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
        lines = []
        for statement in self._named:
            if isinstance(statement, Site):
                lines.append(f"{statement.name} = {self._own_value(statement)}")
            else:
                lines.append(f"{statement.name} = {self._expression(statement.value)}")
        return lines

    def parameters(self) -> tuple[str, ...]:
        """Return the arguments that the values use: dims, data, derived, sizes of minibatches."""
        used = set(self._names_used())
        program = self._program
        declared = (
            *(dim.name for dim in program.dims),
            *(data.name for data in program.data),
            *(derived.name for derived in program.derived),
        )
        small = {minibatch_name(dim): size for dim, size in minibatches(program).items()}
        return (
            *(name for name in declared if name in used),
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
        return emit_init_value(self._program, site, self._values[site.name].value, self._expression)

    def _value(self, site: Site) -> str:
        """Return the value at which the site that is drawn starts."""
        if site.noncentered:
            return self._base_value(site)
        return site.name if site in self._named else self._own_value(site)

    def _base_value(self, site: Site) -> str:
        """Return `(value - loc) / scale`."""
        loc, scale = _loc_scale(site)
        text = site.name
        if loc is not None:
            text = f"{text} - {operand(loc, self._expression)}"
        if scale is None:
            return text
        centred = f"({text})" if loc is not None else text
        row = DISTRIBUTIONS[site.distribution.name]
        if row.loc_scale is not None and row.loc_scale.matrix:
            matrix = self._expression(scale)
            column = f"{centred}.unsqueeze(-1)"
            solved = f"torch.linalg.solve_triangular({matrix}, {column}, upper=False)"
            return f"{solved}.squeeze(-1)"
        return f"{centred} / {operand(scale, self._expression)}"

    def _names_used(self) -> Iterator[str]:
        """Yield every name of data, derived values, dims and minibatches in the values."""
        expressions = [value.value for value in self._values.values()]
        expressions += [a for s in self._carried() for a in _loc_scale(s) if a is not None]
        expressions += [s.value for s in self._named if not isinstance(s, Site)]
        for expression in expressions:
            for reference in references(expression):
                yield reference.name
            for inner in subexpressions(expression):
                if isinstance(inner, Apply) and inner.function in _SHAPED:
                    yield from map(str, inner.type.event)
        for name in self._values:
            yield from site_shape(self._program, self._sites[name])


def _loc_scale(site: Site) -> tuple[Expression | None, Expression | None]:
    """Return the loc and the scale of a noncentered site; None where the default holds."""
    row = DISTRIBUTIONS[site.distribution.name].loc_scale
    arguments = site.distribution.arguments
    if row is None:
        return None, None
    return arguments.get(row.loc), arguments.get(row.scale)
