"""One emitted module with one set of data: the steps from its guide to all that is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import xarray as xr

from autoguide_core import FitResult, Many, fit, fit_many
from autoguide_core.engine.isolation import own_randomness, own_store
from compiler.binding import BoundData
from compiler.diagnostics import Diagnostics
from compiler.emit.guide import guide_function_name
from compiler.ir import Guide, Program
from compiler.ir.queries import minibatches
from compiler.run.axes import (
    Variable,
    observed_variables,
    posterior_variables,
    predicted_variables,
)
from compiler.run.blame import told_in_the_spec
from compiler.run.gaps import at_gaps
from compiler.run.inference_data import data_dataset, draws_dataset
from compiler.run.module import EmittedModule
from compiler.run.posterior import Posterior, sample_posterior
from compiler.run.predictive import Predictor
from compiler.run.progress import progress_bar
from compiler.run.settings import RunSettings

_MOST_REPLICATED_NUMBERS = 50_000_000
_LEAST_REPLICATES = 100
"""Large data are replicated for fewer draws than the posterior has, to fit into memory."""


class Job:
    """The emitted module with its values: runs the steps that call it.

    Args:
        source: The emitted module, as text.
        module: The same, loaded.
        program: What it was emitted from.
        guide: The guide to fit.
        data: The bound data.
        settings: The settings.
        diagnostics: Where to tell what goes wrong.
    """

    def __init__(
        self,
        source: str,
        module: EmittedModule,
        program: Program,
        guide: Guide,
        data: BoundData,
        settings: RunSettings,
        diagnostics: Diagnostics,
    ) -> None:
        self.source = source
        self.module = module
        self.program = program
        self.guide = guide
        self.data = data
        self.settings = settings
        self.diagnostics = diagnostics
        self._environment: dict[str, Any] = dict(data.values)
        if "derive" in module:
            with self.told("deriving values from the data"):
                self._environment.update(module.call("derive", self._environment))
        small = minibatches(program)
        self._full = {**self._environment, **{f"{dim}_minibatch": None for dim in small}}
        for dim in data.streamed:
            self._full |= _first_entries(self._full, program, dim, small[dim])
        for dim, count in small.items():
            self._environment[f"{dim}_minibatch"] = min(count, data.sizes[dim])

        self._predictor = Predictor(module, program, self._full, settings.engine.seed + 3)

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """What the model is called with for the fit."""
        return self.module.arguments("model", self._environment)

    @property
    def full_arguments(self) -> dict[str, Any]:
        """What the model is called with on all of the data, every plate at its full size."""
        return self.module.arguments("model", self._full)

    @property
    def start(self) -> dict[str, Any]:
        """What the guide is made from."""
        return self.module.arguments(self._guide_name, self._environment)

    def fit(self, progress: bool, checkpoint: str | Path | None = None) -> FitResult:
        """Build the guide and fit it."""
        guide = self._made_guide()
        with self.told("the fit"), own_store({}), progress_bar(progress) as callback:
            return fit(
                self.module.function("model"),
                guide,
                (),
                self.arguments,
                settings=self.settings.engine,
                progress=callback,
                checkpoint=checkpoint,
            )

    def fit_many(self, progress: bool, **options: Any) -> Many:
        """Build the guide, and fit it as `autoguide_core.fit_many` does."""
        guide = self._made_guide()
        with self.told("the fits"), own_store({}), progress_bar(progress) as callback:
            return fit_many(
                self.module.function("model"),
                guide,
                settings=self.settings.engine,
                progress=callback,
                **options,
            )

    @property
    def _guide_name(self) -> str:
        return guide_function_name(self.program, self.guide)

    def _made_guide(self) -> Any:
        seed = self.settings.engine.seed
        with self.told("building the guide"), own_store({}), own_randomness(seed):
            return self.module.call(self._guide_name, self._environment)

    def draw(self, fitted: FitResult, progress: bool = False) -> Posterior:
        """Draw from the fitted guide."""
        tensors = [v for v in self._full.values() if isinstance(v, torch.Tensor)]
        with self.told("drawing from the posterior"), progress_bar(progress) as callback:
            posterior = sample_posterior(
                fitted,
                self.module.function("model"),
                self.full_arguments,
                self.guide,
                self.settings,
                data_size=sum(tensor.numel() for tensor in tensors),
                unscored="the data are too many to be scored for each draw"
                if self.data.streamed
                else None,
                progress=callback,
            )
            draws = self.with_summed_out(posterior.draws, posterior.latents)
        return replace(posterior, draws=draws)

    def with_summed_out(
        self, draws: Mapping[str, torch.Tensor], latents: Sequence[str]
    ) -> dict[str, torch.Tensor]:
        """Add the discrete sites that were summed out, and what is recorded of them."""
        return {**draws, **self._predictor.summed_out(draws, latents)}

    def posterior_dataset(
        self,
        draws: Mapping[str, torch.Tensor],
        chains: int = 1,
        replicates: Mapping[str, torch.Tensor] | None = None,
    ) -> xr.Dataset:
        """Return draws, chain after chain, as the posterior shows them.

        Args:
            draws: Values by site, each (S, *batch, *event).
            chains: How many chains they are of.
            replicates: Those of the observed sites, which fill gaps in the data.
        """
        imputed = at_gaps(draws, replicates or {}, self.program, self.data)
        own = {variable.name for variable in imputed}
        whole = self._without_streamed(posterior_variables(self.program))
        kept = [*(v for v in whole if v.name not in own), *imputed]
        every = {**draws, **{variable.name: values for variable, values in imputed.items()}}
        return draws_dataset(every, kept, self.program, self.data, chains)

    def groups(self, posterior: Posterior, log_likelihood: bool) -> dict[str, xr.Dataset]:
        """Return everything that was drawn and bound, by InferenceData's groups."""
        program, data = self.program, self.data
        predictor = self._predictor
        groups = {"posterior": self.posterior_dataset(posterior.draws)}
        observed = self._without_streamed(observed_variables(program))
        predicted = self._without_streamed(predicted_variables(program))
        few = self._affordable(posterior.draws)
        with self.told("the posterior predictive"):
            if observed and posterior.draws:
                replicates = predictor.replicates(few, posterior.latents)
                groups["posterior"] = self.posterior_dataset(posterior.draws, replicates=replicates)
                groups["posterior_predictive"] = draws_dataset(replicates, observed, program, data)
            if observed and log_likelihood:
                scores = predictor.log_likelihood(posterior.draws, posterior.latents)
                groups["log_likelihood"] = draws_dataset(
                    scores, [variable.scored for variable in observed], program, data
                )
            if predicted and posterior.draws:
                predictions = predictor.predictions(few)
                groups["predictions"] = draws_dataset(predictions, predicted, program, data)
        if posterior.log_density is not None:
            density = posterior.log_density[None].cpu().numpy()
            groups["sample_stats"] = xr.Dataset({"lp": (("chain", "draw"), density)})
        names = [variable.name for variable in observed]
        whole = [v.name for v in program.data if data.streamed.isdisjoint(map(str, v.dims))]
        constant = [n for n in whole if n not in data.observed]
        groups["observed_data"] = data_dataset(names, program, data)
        groups["constant_data"] = data_dataset(constant, program, data)
        return groups

    def _without_streamed(self, variables: Sequence[Variable]) -> tuple[Variable, ...]:
        """Return the variables that do not run over data that are too many."""
        streamed = self.data.streamed
        return tuple(v for v in variables if streamed.isdisjoint(map(str, v.axes)))

    def _affordable(self, draws: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the first draws, as many as replicates of the data are kept for."""
        values = (self.data.values[name] for name in self.data.observed)
        size = sum(value.numel() for value in values if isinstance(value, torch.Tensor))
        most = max(_LEAST_REPLICATES, _MOST_REPLICATED_NUMBERS // max(size, 1))
        return {name: value[:most] for name, value in draws.items()}

    def told(self, doing: str) -> AbstractContextManager[None]:
        """Turn what the emitted code or the engine raises inside into a diagnostic."""
        return told_in_the_spec(self.module, self.program, self.diagnostics, doing)


def _first_entries(
    environment: Mapping[str, Any], program: Program, dim: str, count: int
) -> dict[str, Any]:
    """Return the size of a dim and the data over it, cut to its first entries.

    With them a model is as good as with all data where none is looked at: to learn the shapes of
    its latents, and to compute what it records of them.
    """
    count = min(count, environment[dim])
    cut: dict[str, Any] = {dim: count}
    for variable in program.data:
        if dim in variable.dims:
            index = tuple(slice(count) if axis == dim else slice(None) for axis in variable.dims)
            cut[variable.name] = environment[variable.name][index]
    return cut
