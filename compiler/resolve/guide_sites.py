"""Resolves the sites that a part of a guide names, `*` included."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from compiler.diagnostics import Diagnostics, did_you_mean
from compiler.ir.guides import InitValue, SiteOption
from compiler.ir.program import Program
from compiler.tables.families import FAMILIES
from grammar import nodes

_Given = TypeVar("_Given", InitValue, SiteOption)


class GuideSites:
    """The latent sites of a program as the parts of its guides name them.

    Args:
        program: The resolved program.
        diagnostics: Where mistakes are told.
        failed: Names of sites that the program lacks because of mistakes told already.
    """

    def __init__(
        self, program: Program, diagnostics: Diagnostics, failed: Collection[str] = ()
    ) -> None:
        self.failed = failed
        self._latents = program.latents()
        self._names = [site.name for site in self._latents]
        self._others = _kinds_of_names(program)
        self._diagnostics = diagnostics

    def named(self, names: Iterable[nodes.Name]) -> tuple[str, ...]:
        """Return the latent sites that a part names, in the model's order.

        A misspelt name is told, and then taken for the site that it most likely stands for, so
        that one slip gives one message.
        """
        found: dict[str, nodes.Name] = {}
        for name in names:
            text = self._resolve(name)
            if text is None:
                continue
            first = found.setdefault(text, name)
            if first is not name:
                self._diagnostics.report(
                    "PPL061",
                    name.span,
                    f"`{text}` is named twice in one part",
                    "name it once",
                    [("it is named here first", first.span)],
                )
        return tuple(name for name in self._names if name in found)

    def star(self, part: nodes.Part, taken: set[str]) -> tuple[str, ...]:
        """Return what `*` stands for in a part: the latents not `taken` that its family can hold.

        Marginalised sites are nobody's; discrete ones go only to a family for discrete sites.
        """
        family = FAMILIES.get(part.family.text)
        discrete = family is not None and family.holds == "discrete"
        rest = tuple(
            site.name
            for site in self._latents
            if site.name not in taken and not site.marginalized and site.discrete == discrete
        )
        if not rest and family is not None and not self.failed:
            kind = family.holds
            self._diagnostics.report(
                "PPL063",
                part.span,
                f"`*` stands for nothing: other parts name every {kind} latent"
                if taken
                else f"`*` stands for nothing: the model has no {kind} latent",
                f"leave the part `{part.name.text}` out",
            )
        return rest

    def known(self, values: Iterable[_Given]) -> tuple[_Given, ...]:
        """Return those values whose sites have not failed."""
        return tuple(value for value in values if value.site not in self.failed)

    def _resolve(self, name: nodes.Name) -> str | None:
        if name.text in self._names:
            return name.text
        if name.text in self.failed:
            return None
        kind = self._others.get(name.text)
        names = [*self._names, *self.failed]
        guess = did_you_mean(name.text, names) if kind is None else None
        latents = ", ".join(f"`{site}`" for site in self._names)
        self._diagnostics.report(
            "PPL062",
            name.span,
            f"`{name.text}` is {kind}, not a latent site"
            if kind
            else f"the model has no latent site `{name.text}`",
            f"did you mean `{guess}`?"
            if guess
            else f"the latent sites are {latents}"
            if latents
            else "the model has no latent sites",
        )
        return guess if guess in self._names else None


def one_star(parts: Sequence[nodes.Part], diagnostics: Diagnostics) -> nodes.Part | None:
    """Return the part that has the guide's `*`, and tell of further ones."""
    stars = [part for part in parts if part.star]
    for part in stars[1:]:
        diagnostics.report(
            "PPL063",
            part.span,
            "a second `*` in one guide",
            "name the sites of one of the two parts",
            [(f"part `{stars[0].name.text}` has the first", stars[0].span)],
        )
    return stars[0] if stars else None


def _kinds_of_names(program: Program) -> dict[str, str]:
    """Return what the names of a program that are not latents stand for."""
    kinds = {site.base_name: "a name that the compiler made" for site in program.latents()}
    kinds |= {record.name: "a recorded value" for record in program.records()}
    kinds |= {derived.name: "a derived value" for derived in program.derived}
    kinds |= {dim.name: "a dim" for dim in program.dims}
    kinds |= {data.name: "data" for data in program.data}
    kinds |= {site.name: "observed" for site in program.sites() if site.observed}
    return {name: kind for name, kind in kinds.items() if name is not None}
