"""Emits a guide as a function that builds an AutoGuideList: everything spelt out, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from textwrap import wrap
from typing import Literal

from compiler.emit.create_plates import guide_plates
from compiler.emit.formatting import LINE_LENGTH
from compiler.emit.guide_values import GuideValues
from compiler.emit.imports import Import
from compiler.emit.place import Needs
from compiler.emit.python import call, dict_of, list_of
from compiler.emit.python_names import guide_imports
from compiler.ir.guides import CallablePart, Guide, OptionValue, Part
from compiler.ir.program import Program
from compiler.ir.queries import drawn_name
from compiler.tables.families import FAMILIES
from compiler.tables.family_row import Family
from compiler.tables.flows import FLOWS
from compiler.tables.hierarchy import hierarchical_sites
from compiler.tables.inits import INITS
from compiler.tables.options import Option

GuideLibrary = Literal["core", "pyro"]
"""Whose guides are built: `autoguide_core`'s, or `pyro.infer.autoguide`'s."""


@dataclass(frozen=True, slots=True)
class GuideCode:
    """The source of a guide.

    Attributes:
        name: The function's name.
        parameters: Its parameters; it is called with keyword arguments.
        lines: Its lines.
        imports: What the module has to import for it.
        needs: What else the code of its init values uses.
    """

    name: str
    parameters: tuple[str, ...]
    lines: list[str]
    imports: frozenset[Import]
    needs: Needs


def guide_function_name(program: Program, guide: Guide) -> str:
    """Return the name of the function that builds a guide: `guide` for the program's first."""
    first = program.guides[0] if program.guides else guide
    return "guide" if guide.name == first.name else f"guide_{guide.name}"


def emit_guide_function(
    program: Program,
    guide: Guide,
    *,
    guides: GuideLibrary = "core",
) -> GuideCode:
    """Return the function that builds a guide.

    Args:
        program: The program, checked.
        guide: One of its guides.
        guides: Whose guide classes to use.
    """
    return _GuideEmitter(program, guide, guides).code()


class _GuideEmitter:
    """Emits one guide."""

    def __init__(self, program: Program, guide: Guide, library: GuideLibrary) -> None:
        self._program = program
        self._guide = guide
        self._library = library
        self._needs = Needs()
        self._values = GuideValues(program, guide, self._needs)
        self._user = guide_imports(program)
        self._imports: set[Import] = set()

    def code(self) -> GuideCode:
        """Return the whole function."""
        name = guide_function_name(self._program, self._guide)
        body = [*self._opening(), *self._parts(), "", "    return guide"]
        parameters = self._values.parameters()
        signature = call(name, *parameters)
        lines = [f"def {signature}:", *body]
        return GuideCode(name, parameters, lines, frozenset(self._imports), self._needs)

    # --- the function's head ------------------------------------------------------------------

    def _opening(self) -> Iterator[str]:
        """Yield the docstring, the values that noncentered sites need, and the empty list."""
        parts = len(self._guide.parts)
        sites = sum(len(part.sites) for part in self._guide.parts)
        yield (
            f'    """Variational guide `{self._guide.name}` of {self._file}: '
            f'{_count(parts, "part")} over {_count(sites, "latent site")}."""'
        )
        if self._guide.auto and self._guide.reason:
            reason = f"Chosen from the model's structure: {self._guide.reason}."
            for line in wrap(reason, LINE_LENGTH - 6, break_long_words=False):
                yield f"    # {line}"
        named = self._values.lines()
        if named:
            yield "    # Init values that the bases of noncentered sites are computed from"
            yield from (f"    {line}" for line in named)
            yield ""
        self._use("AutoGuideList")
        arguments: dict[str, str] = {}
        if guide_plates(self._program):
            arguments["create_plates"] = "create_plates"
        yield f"    guide = {call('AutoGuideList', 'model', **arguments)}"

    @property
    def _file(self) -> str:
        return PurePath(self._program.path).name

    # --- parts --------------------------------------------------------------------------------

    def _parts(self) -> Iterator[str]:
        for part in self._guide.parts:
            yield ""
            for line in wrap(self._heading(part), LINE_LENGTH - 6, break_long_words=False):
                yield f"    # {line}"
            built = self._callable(part) if isinstance(part, CallablePart) else self._part(part)
            yield f"    {call('guide.append', built)}"

    def _heading(self, part: Part | CallablePart) -> str:
        """Return the comment over a part: where it stands, and which sites are drawn as others."""
        place = "" if self._guide.auto else f"{self._file}:{part.location.line}  "
        moved = [
            f"{site.name} is drawn as {site.base_name}"
            for site in self._program.latents()
            if site.name in part.sites and site.base_name
        ]
        return f"{place}part {part.name}" + (f": {', '.join(moved)}" if moved else "")

    def _part(self, part: Part) -> str:
        family = FAMILIES[part.family]
        self._use(family.name)
        arguments: dict[str, str] = {}
        if family.default_init is not None:
            arguments["init_loc_fn"] = self._init(part, family.default_init)
        if family.flow:
            arguments["init_transform_fn"] = self._flow(part, family)
        else:
            for option in family.options:
                arguments[option.name] = self._option(part, option)
        if family.follows:
            followers = hierarchical_sites(self._program, part)
            arguments["hierarchical_sites"] = list_of(f'"{name}"' for name in followers)
        return call(family.name, self._exposed(part), **arguments)

    def _option(self, part: Part, option: Option) -> str:
        """Return an option's value; a dict by the names drawn, where sites have their own."""
        common = part.options.get(option.name, option.default)
        own = {given.site: given.value for given in part.by_site if given.option == option.name}
        if not own:
            return _value(common, as_list=option.kind == "ints")
        return dict_of(
            (drawn_name(site), _value(own.get(site.name, common)))
            for site in self._program.latents()
            if site.name in part.sites
        )

    def _callable(self, part: CallablePart) -> str:
        self._use("AutoCallable")
        arguments: dict[str, str] = {"guide": self._function(part.path)}
        if part.median is not None:
            arguments["median"] = self._function(part.median)
        return call("AutoCallable", self._exposed(part), **arguments)

    def _exposed(self, part: Part | CallablePart) -> str:
        """Return the model with all but the part's own sites hidden."""
        self._imports.add(Import("pyro", "poutine"))
        names = [drawn_name(site) for site in self._program.latents() if site.name in part.sites]
        return call("poutine.block", "model", expose=list_of(f'"{n}"' for n in names))

    def _init(self, part: Part, default: str) -> str:
        """Return the init function of a part; its own values come before the strategy."""
        row = INITS[part.init.name if part.init else default]
        values = dict_of(self._values.of(part))
        if row.needs_values:
            self._use_init(row.function)
            return call(row.function, values=values, fallback="None")
        arguments: dict[str, str] = {}
        if part.init is not None:
            arguments |= {name: _value(value) for name, value in part.init.options.items()}
            if part.init.path is not None:
                arguments["generate"] = self._function(part.init.path)
        self._use_init(row.function)
        strategy: str = call(row.function, **arguments) if arguments else row.function
        if not part.values:
            return strategy
        self._use_init("init_to_value")
        return call("init_to_value", values=values, fallback=strategy)

    def _flow(self, part: Part, family: Family) -> str:
        """Return the function that makes the flow of a part once its dimension is known."""
        self._imports |= {
            Import("functools", "partial"),
            Import("pyro.distributions", alias="dist"),
        }
        flow, layers, hidden = (
            part.options.get(option.name, option.default) for option in family.options
        )
        arguments: dict[str, str] = {}
        if hidden is not None:
            arguments["hidden_dims"] = _value(hidden, as_list=True)
        factory = f"dist.transforms.{FLOWS[str(flow)].factory}"
        iterated = "dist.transforms.iterated"
        return call("partial", iterated, str(layers), factory, **arguments)

    # --- imports ------------------------------------------------------------------------------

    def _use(self, family: str) -> None:
        module = "autoguide_core" if self._library == "core" else "pyro.infer.autoguide"
        self._imports.add(Import(module, family))

    def _use_init(self, function: str) -> None:
        module = "autoguide_core"
        if self._library == "pyro":
            module = "pyro.infer.autoguide.initialization"
        self._imports.add(Import(module, function))

    def _function(self, path: str) -> str:
        self._imports.add(self._user[path])
        return self._user[path].bound


def _value(value: OptionValue | None, *, as_list: bool = False) -> str:
    """Return an option's value in Python; `as_list` writes a single number as a list of it."""
    if isinstance(value, tuple):
        return list_of(map(repr, value))
    if as_list and value is not None:
        return list_of([repr(value)])
    if isinstance(value, str):
        return f'"{value}"'
    return repr(value)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
