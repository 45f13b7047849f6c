"""A finished fit: its posterior, how far it may be trusted, and how to look at and save it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from autoguide_core import FitResult
from compiler.binding import BoundData
from compiler.diagnostics import Diagnostics
from compiler.ir import Guide, Program
from compiler.reading import looks_like_ir
from compiler.run.axes import posterior_variables
from compiler.run.checking import predictive_frame
from compiler.run.chosen import chosen_blocks
from compiler.run.posterior import Posterior
from compiler.run.summary import discrete_frame, scalars_first, summary_frame

if TYPE_CHECKING:
    from arviz import InferenceData


@dataclass(frozen=True, repr=False)
class Fit:
    """A fitted spec.

    Attributes:
        program: The program.
        source: The emitted module that was run.
        data: The bound data.
        engine: What the engine handed back: the fitted guide and its parameters.
        posterior: The draws, with their verdict.
        idata: The same, with predictions and data, as ArviZ InferenceData.
        record: Settings, versions, platform and hashes of the spec and the data.
        diagnostics: What was told on the way: warnings, where there are any.
        notes: What else there is to know, a sentence each.
        restarts: Of a fit from several starting points, a row for each: its ELBO at the end, and
            its verdict.
        folder: Where `compile_and_fit` saved it.
    """

    program: Program
    source: str
    data: BoundData
    engine: FitResult
    posterior: Posterior
    idata: InferenceData
    record: dict[str, Any]
    diagnostics: Diagnostics
    notes: tuple[str, ...]
    restarts: pd.DataFrame | None = None
    folder: Path | None = None

    @property
    def elbo(self) -> npt.NDArray[np.float64]:
        """The ELBO in nats at every step: single, noisy estimates."""
        return self.engine.elbo

    @property
    def khat(self) -> float | None:
        """Pareto k-hat of the guide: how heavy the tail of the draws' weights is, at best < 0.7."""
        return self.posterior.khat

    @property
    def trusted(self) -> bool | None:
        """Whether the draws can be relied on, by their weights; None where that is not known."""
        return self.posterior.trusted

    @property
    def converged(self) -> bool:
        """Whether nothing speaks against convergence of the optimisation."""
        return self.engine.converged

    @property
    def reliable(self) -> bool | None:
        """Whether the summary can be believed; None where that is not known.

        Draws that were corrected can be, whether or not the guide has quite settled.
        """
        if self.trusted is None or self.posterior.correction != "none":
            return self.trusted
        return self.trusted and self.converged

    @property
    def verdict(self) -> tuple[str, ...]:
        """How far the draws can be trusted, and whether the guide settled, a sentence each."""
        return (self.posterior.trust, self.engine.verdict)

    def predictive_checks(self) -> pd.DataFrame:
        """Compare the data with data drawn from the fitted model.

        Returns:
            A row for each observed site and statistic, such as `sd(y)`, with its p-value: near 0
            or 1 the model does not make data like these.
        """
        groups = {name: self.idata[name] for name in self.idata.groups()}
        return predictive_frame(self.program, groups)

    def guide_block(self) -> str:
        """Return what was chosen for this fit, as blocks to paste into the spec."""
        return chosen_blocks(self.program, self.guide, self.record["settings"], self.posterior)

    @property
    def guide(self) -> Guide:
        """The guide that was fitted, in the spec's terms."""
        return self.posterior.guide

    @property
    def stepped_by(self) -> str:
        """What made the steps, and in brackets why not something faster, where that is so."""
        reason = self.engine.engine_reason
        return f"engine: {self.engine.engine}" + (f" ({reason})" if reason else "")

    @property
    def discrete_sites(self) -> list[str]:
        """The names of the posterior's discrete sites."""
        return [name for name in self._names() if self._is_discrete(name)]

    @property
    def continuous_sites(self) -> list[str]:
        """The names of the posterior's other sites and recorded values, scalars first."""
        names = [name for name in self._names() if not self._is_discrete(name)]
        return scalars_first(self._draws(), names)

    def summary(self) -> pd.DataFrame:
        """Return mean, sd and quantiles of every number, in rows such as `theta[Choate]`."""
        return summary_frame(self._draws(), [*self.continuous_sites, *self.discrete_sites])

    def discrete_summary(self) -> pd.DataFrame:
        """Return mode and probabilities of every discrete number."""
        return discrete_frame(self._draws(), self.discrete_sites)

    @property
    def spec_text(self) -> str | None:
        """The text of the spec; None where an IR file was given in its place."""
        text = self.diagnostics.text
        return None if looks_like_ir(text) else text

    def report_html(self) -> str:
        """Return the report: one HTML page with verdict, tables, figures, graph and sources."""
        from compiler.report import content_of, report_page

        return report_page(content_of(self))

    def report(self, path: str | Path) -> Path:
        """Write the report to a file, whole or not at all.

        Returns:
            The file.

        Raises:
            SpecError: It cannot be written.
        """
        from compiler.run.output import write_page

        return write_page(self.report_html(), Path(path), self.diagnostics)

    def save(self, folder: str | Path, *, report: bool = False) -> Path:
        """Write the output folder, whole or not at all, in place of an earlier fit.

        Files that are not of a fit stay, and so do those of a fit that were changed, under another
        name.

        Args:
            folder: The folder.
            report: Whether to write the report into it, too.

        Returns:
            The folder.

        Raises:
            SpecError: It cannot be written, or holds something else.
        """
        from compiler.run.folder import OutputFolder
        from compiler.run.output import write_fit

        with OutputFolder(Path(folder), self.diagnostics) as output:
            return output.write(partial(write_fit, self, report=report))

    def __repr__(self) -> str:
        return "\n".join((f"<Fit of {self.program.name}>", *self.verdict))

    def _repr_html_(self) -> str:
        from compiler.run.html import fit_html

        return fit_html(self)

    def _names(self) -> list[str]:
        return [str(name) for name in self._draws()]

    def _is_discrete(self, name: str) -> bool:
        return any(v.name == name and v.discrete for v in posterior_variables(self.program))

    def _draws(self) -> Any:
        return self.idata["posterior"] if "posterior" in self.idata.groups() else {}
