"""A finished comparison: both posteriors, the table of both, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from autoguide_core.sampling import NutsRun
from compiler.compare.verdict import Judgement
from compiler.diagnostics import Diagnostics
from compiler.run.result import Fit

if TYPE_CHECKING:
    from arviz import InferenceData
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Comparison:
    """A fit beside the same posterior by NUTS.

    Attributes:
        fit: The fit.
        nuts: The draws of NUTS as ArviZ InferenceData, with the names and coords of `fit.idata`.
        run: What the sampler tells of them.
        table: Both side by side, a row for each number such as `theta[A]`: mean and sd of each,
            `shift` (difference of the means in sds of NUTS), `sd_ratio`, `r_hat`, `ess_bulk`,
            `ess_tail` and `agrees`.
        judgement: The verdict.
        diagnostics: What was told on the way.
    """

    fit: Fit
    nuts: InferenceData
    run: NutsRun
    table: pd.DataFrame
    judgement: Judgement
    diagnostics: Diagnostics

    @property
    def converged(self) -> bool:
        """Whether the draws of NUTS can be relied on."""
        return self.judgement.converged

    @property
    def agrees(self) -> bool | None:
        """Whether the guide agrees with NUTS; None where NUTS has not converged."""
        return self.judgement.agrees

    @property
    def verdict(self) -> tuple[str, str]:
        """Whether NUTS converged and whether the guide agrees with it, a sentence each."""
        return (self.judgement.convergence, self.judgement.agreement)

    @property
    def sampled_by(self) -> str:
        """How NUTS went, in a few words."""
        run, settings = self.run, self.run.settings
        reason = f" ({run.engine_reason})" if run.engine_reason else ""
        return (
            f"NUTS: {settings.chains} chains of {settings.draws:,} draws after {settings.tune:,}, "
            f"{run.seconds:.1f} s; engine: {run.engine}{reason}"
        )

    def plot(self) -> Figure:
        """Return a figure: both posteriors' intervals, and the densities that differ most."""
        from compiler.compare.plot import comparison_figure

        return comparison_figure(self)

    def save(self, folder: str | Path) -> Path:
        """Write the output folder, whole or not at all; one of an earlier run is replaced.

        Returns:
            The folder.

        Raises:
            SpecError: It cannot be written, or holds something else.
        """
        from compiler.compare.output import write_comparison
        from compiler.run.folder import OutputFolder

        with OutputFolder(Path(folder), self.diagnostics) as output:
            return output.write(partial(write_comparison, self))

    def __repr__(self) -> str:
        return "\n".join((f"<Comparison of {self.fit.program.name}>", *self.verdict))

    def _repr_html_(self) -> str:
        from compiler.compare.html import comparison_html

        return comparison_html(self)
