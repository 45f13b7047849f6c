"""What a report is made from: a fit in memory, or the folder that one was saved to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import xarray as xr

from compiler.ir import Guide, Program
from compiler.report.draws import SiteDraws, site_draws
from compiler.run.output import summary_record

if TYPE_CHECKING:
    from compiler.run.result import Fit


@dataclass(frozen=True)
class Content:
    """All that the sections read.

    Attributes:
        program: The program.
        spec: Its text; None where it was compiled from an IR file.
        module: The emitted module that was run.
        groups: Datasets by InferenceData's groups: `posterior`, `observed_data`, ….
        record: The content of settings.json: settings, versions, machine and hashes.
        outcome: The content of summary.json: the verdict, the summary and the notes.
    """

    program: Program
    spec: str | None
    module: str
    groups: Mapping[str, xr.Dataset]
    record: Mapping[str, Any]
    outcome: Mapping[str, Any]

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the fit."""
        settings: Mapping[str, Any] = self.record["settings"]
        return settings

    @property
    def sizes(self) -> Mapping[str, int]:
        """The size of every dim."""
        sizes: Mapping[str, int] = self.record.get("sizes", {})
        return sizes

    @property
    def guide(self) -> Guide:
        """The guide that was fitted."""
        guides = self.program.guides
        return next((g for g in guides if g.name == self.settings["guide"]), guides[0])

    @cached_property
    def sites(self) -> tuple[SiteDraws, ...]:
        """The draws of every site and recorded value of the posterior, in the spec's order."""
        return site_draws(self.program, self.groups.get("posterior", xr.Dataset()))


def content_of(fit: Fit) -> Content:
    """Return what the report of a fit is made from."""
    return Content(
        program=fit.program,
        spec=fit.spec_text,
        module=fit.source,
        groups={name: fit.idata[name] for name in fit.idata.groups()},
        record=_plain(fit.record),
        outcome=_plain(summary_record(fit)),
    )


def _plain(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a record as reading its JSON would, so that both ways give the same report."""
    plain: Mapping[str, Any] = json.loads(json.dumps(record))
    return plain
