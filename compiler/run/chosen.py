"""What was chosen for a fit, as blocks of a spec."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from compiler.ir import Guide, Part, Program
from compiler.tables.optimizers import SETTINGS
from grammar.format import format_spec

if TYPE_CHECKING:
    from compiler.run.posterior import Posterior

_NAME = "chosen"


def chosen_blocks(
    program: Program, guide: Guide, settings: Mapping[str, Any], posterior: Posterior
) -> str:
    """Write the choices of a fit as a `guide` and a `fit` block.

    A guide that stands in the spec is not written again.

    Args:
        program: The program.
        guide: The guide that was fitted.
        settings: The settings, as the record has them.
        posterior: The draws, which tell how they were corrected.

    Returns:
        The blocks, formatted, with the reasons as comments.
    """
    lines = list(_guide(guide)) if guide.auto else [f"# The guide is `{guide.name}`, as it is."]
    chosen = {**settings, "correction": posterior.correction}
    values = {name: chosen[name] for name in SETTINGS if chosen.get(name) is not None}
    lines += _comment(posterior.trust)
    lines.append("fit {")
    lines += [f"  {name} = {_literal(value)}" for name, value in values.items()]
    if settings.get("optimizer"):
        options = settings.get("optimizer_options") or {}
        inside = ", ".join(f"{name} = {_literal(value)}" for name, value in options.items())
        lines.append(f"  optimizer = {settings['optimizer']}({inside})")
    lines.append("}")
    return format_spec("\n".join(lines) + "\n")


def _guide(guide: Guide) -> Iterator[str]:
    yield from _comment(guide.reason or "")
    yield f"guide {_NAME} {{"
    for part in guide.parts:
        assert isinstance(part, Part), "the compiler chooses no callables"
        yield f"  part {part.name} = {part.family}({', '.join(part.sites)})"
    yield "}"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, 96)]


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    return value if isinstance(value, str) else json.dumps(value)
