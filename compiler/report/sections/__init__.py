"""The sections of the report, in the order in which they are read: a file each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from compiler.report.blocks import Block
from compiler.report.content import Content
from compiler.report.sections.choices import choices
from compiler.report.sections.densities import densities
from compiler.report.sections.elbo import elbo
from compiler.report.sections.forest import forest
from compiler.report.sections.graph import graph
from compiler.report.sections.pairs import pairs
from compiler.report.sections.predictive import predictive
from compiler.report.sections.settings import settings
from compiler.report.sections.sources import sources
from compiler.report.sections.summary import summary
from compiler.report.sections.verdict import verdict


@dataclass(frozen=True)
class Section:
    """A section: `blocks` makes its content; one without content is left out.

    Attributes:
        key: Its anchor in the page.
        title: Its heading.
        blocks: Makes its content.
    """

    key: str
    title: str
    blocks: Callable[[Content], Sequence[Block]]


SECTIONS = (
    Section("verdict", "Verdict", verdict),
    Section("summary", "Posterior summary", summary),
    Section("forest", "Intervals", forest),
    Section("pairs", "Pairs", pairs),
    Section("densities", "Posterior densities", densities),
    Section("elbo", "Course of the fit", elbo),
    Section("predictive", "Posterior predictive check", predictive),
    Section("graph", "Model graph", graph),
    Section("choices", "Choices that were made", choices),
    Section("sources", "Spec and emitted code", sources),
    Section("settings", "Settings and versions", settings),
)
