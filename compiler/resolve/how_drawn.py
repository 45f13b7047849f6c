"""What modifiers make of a site, gathered while they are resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from compiler.ir import Expression, Support


@dataclass
class Modifiers:
    """How a site is drawn; the fields are those of `compiler.ir.Site`."""

    support: Support
    constraint: Literal["ordered", "positive_ordered"] | None = None
    lower: Expression | None = None
    upper: Expression | None = None
    truncated: bool = False
    censoring: dict[str, Expression] = field(default_factory=dict)
    lowered: bool = False
    noncentered: bool = False
    marginalized: bool = False
    listed_up_to: int | None = None
