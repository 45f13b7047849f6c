"""Guides: the variational family, part by part."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compiler.ir.expressions import Expression
from compiler.ir.types import Location, Node

OptionValue = bool | int | float | str | tuple[int | float, ...]


class InitValue(Node):
    """A site's own init value; an expression of data, or a constant."""

    site: str
    value: Expression
    location: Location


class SiteOption(Node):
    """An option's own value for one site of a part: `init_scale = 0.1 at { tau = 0.5 }`."""

    option: str
    site: str
    value: OptionValue
    location: Location


class Strategy(Node):
    """An init strategy: `name` is a row of `compiler.tables.inits`.

    `options` are its keyword arguments (`num_samples`, `radius`); `path` is the
    "module:function" of `generated`.
    """

    name: str
    options: dict[str, OptionValue] = {}
    path: str | None = None
    location: Location


class Part(Node):
    """One part of the guide: a family over some latent sites.

    `sites` are the spec's names in the model's order, with `*` written out (`star` tells so);
    `init` is None where the family's own default holds; `by_site` goes before `options`.
    """

    kind: Literal["part"] = "part"
    name: str
    family: str
    sites: tuple[str, ...]
    star: bool = False
    init: Strategy | None = None
    values: tuple[InitValue, ...] = ()
    options: dict[str, OptionValue] = {}
    by_site: tuple[SiteOption, ...] = ()
    location: Location


class CallablePart(Node):
    """A user's own function as a part: `path` and `median` are "module:attribute" strings."""

    kind: Literal["callable"] = "callable"
    name: str
    path: str
    sites: tuple[str, ...]
    median: str | None = None
    location: Location


class Guide(Node):
    """A named composition of parts; the first of a program is the default.

    `auto` tells that the compiler chose it, and `reason` why.
    """

    name: str
    parts: tuple[Annotated[Part | CallablePart, Field(discriminator="kind")], ...]
    auto: bool = False
    reason: str | None = None
    location: Location
