"""Resolves the guide blocks: families, sites, options and init of every part."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from compiler.diagnostics import Diagnostics, did_you_mean
from compiler.ir.guides import CallablePart, Guide, InitValue, OptionValue, Part, SiteOption
from compiler.ir.program import Program
from compiler.ir.python_paths import resolve_path
from compiler.ir.types import Location
from compiler.resolve.auto_guide import auto_guide
from compiler.resolve.by_site import resolve_by_site
from compiler.resolve.guide_sites import GuideSites, one_star
from compiler.resolve.inits import DataExpressions, resolve_strategy, resolve_values
from compiler.resolve.options import resolve_options, told_twice
from compiler.tables.families import FAMILIES, FOREIGN_FAMILIES
from compiler.tables.family_row import Family
from grammar import nodes

DEFAULT_NAME = "default"
"""The name of a guide that its block does not name."""


def resolve_guides(
    blocks: Sequence[nodes.GuideBlock],
    program: Program,
    expressions: DataExpressions,
    diagnostics: Diagnostics,
    *,
    failed: Collection[str] = (),
) -> tuple[Guide, ...]:
    """Return the guides of a spec in the order written; one chosen automatically if there is none.

    Args:
        blocks: The guide blocks.
        program: The program that they are for, resolved but for its guides.
        expressions: Resolves the expressions of init values.
        diagnostics: Where mistakes are told.
        failed: Names of sites whose own mistakes have been told, so that the program lacks them;
            a part may name them without a further message.
    """
    if not blocks:
        return (auto_guide(program),)
    sites = GuideSites(program, diagnostics, failed)
    guides: list[Guide] = []
    names: dict[str, nodes.GuideBlock] = {}
    for block in blocks:
        name = _name_of(block)
        first = names.setdefault(name, block)
        if first is not block:
            diagnostics.report(
                "PPL011",
                block.name.span if block.name else block.span,
                f"there is already a guide `{name}`",
                "give one of the two another name: `guide quick { … }`",
                [("the first is here", first.span)],
            )
        elif block.auto:
            guides.append(auto_guide(program, location=Location.of(block.span)))
        else:
            parts = _GuideResolver(block, sites, expressions, diagnostics).parts()
            guides.append(Guide(name=name, parts=parts, location=Location.of(block.span)))
    return tuple(guides)


def _name_of(block: nodes.GuideBlock) -> str:
    if block.auto:
        return "auto"
    return block.name.text if block.name else DEFAULT_NAME


class _GuideResolver:
    """Resolves one guide block."""

    def __init__(
        self,
        block: nodes.GuideBlock,
        sites: GuideSites,
        expressions: DataExpressions,
        diagnostics: Diagnostics,
    ) -> None:
        self._block = block
        self._sites = sites
        self._expressions = expressions
        self._diagnostics = diagnostics
        self._default = self._default_init()
        self._strategy = resolve_strategy(self._default, diagnostics) if self._default else None

    def parts(self) -> tuple[Part | CallablePart, ...]:
        """Return the parts in the order written, with what `default init` gives them."""
        written = [s for s in self._block.statements if not isinstance(s, nodes.DefaultInit)]
        sites = self._sites_of_parts(written)
        defaults = self._default_values(sites)
        names: dict[str, nodes.Name] = {}
        parts: list[Part | CallablePart] = []
        for part, covered in zip(written, sites, strict=True):
            told_twice(part.name, names, self._diagnostics, "PPL011")
            if isinstance(part, nodes.CallablePart):
                parts.append(self._callable(part, covered))
            else:
                given = [value for value in defaults if value.site in covered]
                parts.append(self._part(part, covered, given))
        return tuple(parts)

    def _default_init(self) -> nodes.Init | None:
        defaults = [s for s in self._block.statements if isinstance(s, nodes.DefaultInit)]
        for extra in defaults[1:]:
            self._diagnostics.report(
                "PPL011",
                extra.span,
                "a second `default init` in one guide",
                "keep one of the two",
                [("the first is here", defaults[0].span)],
            )
        return defaults[0].init if defaults else None

    def _sites_of_parts(
        self, written: Sequence[nodes.Part | nodes.CallablePart]
    ) -> list[tuple[str, ...]]:
        """Return the sites of each part; `*` stands for what no other part names."""
        star = one_star([p for p in written if isinstance(p, nodes.Part)], self._diagnostics)
        named = [self._sites.named(part.sites) for part in written]
        if star is not None:
            taken = {name for names in named for name in names}
            named[written.index(star)] = self._sites.star(star, taken)
        return named

    def _default_values(self, covered: Sequence[tuple[str, ...]]) -> tuple[InitValue, ...]:
        """Return the values of `default init … at { … }`; they go to the parts of their sites."""
        if self._default is None:
            return ()
        sites = [name for names in covered for name in names]
        for given in self._default.at:
            if given.name.text not in (*sites, *self._sites.failed):
                guess = did_you_mean(given.name.text, sites)
                self._diagnostics.report(
                    "PPL071",
                    given.name.span,
                    f"no part of the guide covers a site `{given.name.text}`",
                    f"did you mean `{guess}`?" if guess else "give values for its latent sites",
                )
        values = resolve_values(self._default, self._expressions, self._diagnostics)
        return self._sites.known(values)

    def _part(self, part: nodes.Part, covered: tuple[str, ...], given: Sequence[InitValue]) -> Part:
        init = self._init_of(part)
        strategy, values = None, tuple[InitValue, ...]()
        if init is not None:
            strategy = resolve_strategy(init, self._diagnostics)
            values = resolve_values(init, self._expressions, self._diagnostics)
            values = self._sites.known(values)
        family = FAMILIES.get(part.family.text)
        if family is not None and family.default_init is not None:
            strategy = strategy or self._strategy
            own = {value.site for value in values}
            values += tuple(value for value in given if value.site not in own)
        return Part(
            name=part.name.text,
            family=part.family.text,
            sites=covered,
            star=part.star,
            init=strategy,
            values=values,
            options=self._options(part, family),
            by_site=self._by_site(part, family),
            location=Location.of(part.span),
        )

    def _init_of(self, part: nodes.Part | nodes.CallablePart) -> nodes.Init | None:
        inits = [option for option in part.options if isinstance(option, nodes.Init)]
        for extra in inits[1:]:
            self._diagnostics.report(
                "PPL011",
                extra.span,
                f"part `{part.name.text}` has a second `init`",
                "write one: `init median at { site = value }`",
                [("the first is here", inits[0].span)],
            )
        return inits[0] if inits else None

    def _by_site(self, part: nodes.Part, family: Family | None) -> tuple[SiteOption, ...]:
        if family is None:
            return ()
        options = [option for option in part.options if isinstance(option, nodes.Option)]
        return self._sites.known(resolve_by_site(options, family, self._diagnostics))

    def _options(self, part: nodes.Part, family: Family | None) -> dict[str, OptionValue]:
        if family is None:
            written = part.family.text
            guess = FOREIGN_FAMILIES.get(written) or did_you_mean(
                written, FAMILIES, [name.removeprefix("Auto") for name in FAMILIES]
            )
            guess = f"Auto{guess}" if guess and f"Auto{guess}" in FAMILIES else guess
            self._diagnostics.report(
                "PPL064",
                part.family.span,
                f"there is no guide family `{written}`",
                f"did you mean `{guess}`?" if guess else f"there are {', '.join(FAMILIES)}",
            )
            return {}
        return resolve_options(
            [option for option in part.options if isinstance(option, nodes.Option)],
            family.options,
            self._diagnostics,
            owner=family.name,
            codes=("PPL065", "PPL066"),
        )

    def _callable(self, part: nodes.CallablePart, covered: tuple[str, ...]) -> CallablePart:
        path = resolve_path(part.path, self._diagnostics)
        median: str | None = None
        seen: dict[str, nodes.Name] = {}
        for option in part.options:
            if isinstance(option, nodes.Init):
                self._diagnostics.report(
                    "PPL074",
                    option.span,
                    "a callable part takes no `init`",
                    "initialise its parameters in the function itself",
                )
            elif option.name.text != "median":
                self._diagnostics.report(
                    "PPL065",
                    option.name.span,
                    f"a callable part has no option `{option.name.text}`",
                    'it has `median = "module:function"`',
                )
            elif told_twice(option.name, seen, self._diagnostics, "PPL065"):
                continue
            elif isinstance(option.value, nodes.String):
                median = resolve_path(option.value, self._diagnostics)
            else:
                self._diagnostics.report(
                    "PPL082",
                    option.value.span,
                    "`median` of a callable part takes the name of a Python function",
                    'write `median = "module:function"`',
                )
        return CallablePart(
            name=part.name.text,
            path=path or part.path.value,
            sites=covered,
            median=median,
            location=Location.of(part.span),
        )
