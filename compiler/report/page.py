"""Puts the page together: the sections' blocks, the template and the style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from compiler.report.blocks import Block, Paragraph
from compiler.report.content import Content
from compiler.report.highlight import code_styles
from compiler.report.numbers import counted
from compiler.report.sections import SECTIONS, Section

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class _Filled:
    key: str
    title: str
    blocks: Sequence[Block]


def report_page(content: Content) -> str:
    """Return the report as one HTML page that needs no network and no scripts."""
    filled = [_Filled(one.key, one.title, _blocks(one, content)) for one in SECTIONS]
    environment = Environment(
        loader=PackageLoader("compiler.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = _prose
    style = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(
        title=content.program.name,
        facts=_facts(content),
        sections=[section for section in filled if section.blocks],
        style=Markup(f"{style}\n{code_styles()}"),
    )


def _blocks(section: Section, content: Content) -> Sequence[Block]:
    """Return a section's blocks, or a sentence on why there are none.

    A report is made at the end of a fit that may have taken hours: one figure that cannot be
    drawn of odd numbers must cost neither the fit nor the rest of the page.
    """
    try:
        with np.errstate(all="ignore"):
            return section.blocks(content)
    except Exception as error:
        return [Paragraph(f"This section could not be made: {type(error).__name__}: {error}")]


def _prose(text: str) -> Markup:
    """Return a text with what stands in backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    words = (Markup("<code>{}</code>") if i % 2 else Markup("{}") for i in range(len(parts)))
    return Markup("").join(form.format(part) for form, part in zip(words, parts, strict=True))


def _facts(content: Content) -> list[str]:
    record, settings = content.record, content.settings
    count = sum(site.size for site in content.sites)
    facts = [
        f"fitted {record['fitted']}" if record.get("fitted") else "",
        f"from {Path(record['spec']).name}",
        f"guide {settings['guide']}",
        f"seed {settings['seed']}",
        f"{counted(count, 'number')} in {counted(len(content.sites), 'site')}",
    ]
    return [fact for fact in facts if fact]
