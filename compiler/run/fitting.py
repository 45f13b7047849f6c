"""The way from a checked program and data to a fit, step by step."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import xarray as xr

from autoguide_core import FitResult, Many, fit, fit_many
from autoguide_core.engine.isolation import own_randomness, own_store
from autoguide_core.engine.threads import suitable_threads
from compiler.binding import BoundData, bind
from compiler.diagnostics import Diagnostics, did_you_mean
from compiler.emit import emit_module
from compiler.emit.guide import guide_function_name
from compiler.ir import Guide, Program
from compiler.ir.queries import minibatches
from compiler.resolve.auto_guide import auto_guide
from compiler.run.axes import (
    Variable,
    observed_variables,
    posterior_variables,
    predicted_variables,
)
from compiler.run.blame import told_in_the_spec
from compiler.run.callables import check_callables, importable_beside
from compiler.run.inference_data import data_dataset, draws_dataset, inference_data
from compiler.run.module import EmittedModule, load_module
from compiler.run.numeric import DTYPES, check_numeric, numeric
from compiler.run.posterior import Posterior, sample_posterior
from compiler.run.predictive import Predictor
from compiler.run.progress import progress_bar
from compiler.run.record import data_hashes, machine, text_hash, versions
from compiler.run.result import Fit
from compiler.run.settings import RunSettings, run_settings

_MOST_REPLICATED_NUMBERS = 50_000_000
_LEAST_REPLICATES = 100
"""Large data are replicated for fewer draws than the posterior has, to fit into memory."""


def fit_program(
    program: Program,
    data: Any,
    *,
    diagnostics: Diagnostics,
    guide: str | None = None,
    seed: int | None = None,
    steps: int | None = None,
    draws: int | None = None,
    device: str = "cpu",
    dtype: str = "float64",
    sizes: Mapping[str, int] | None = None,
    mapping: Mapping[str, str] | None = None,
    reweight: bool = True,
    log_likelihood: bool = False,
    allow_callables: bool = False,
    progress: bool = True,
    checkpoint: str | Path | None = None,
    restarts: int = 1,
    **settings: Any,
) -> Fit:
    """Fit a program to data.

    Args:
        program: A resolved and checked program.
        data: Files or objects in memory: one, or a list of several; None for none.
        diagnostics: What was told of the program; more is told to it.
        guide: Name of the guide; the program's first by default.
        seed: Seed of every random number; the spec's, or 0.
        steps: Gradient steps; the spec's, or the engine's default.
        draws: Draws of the posterior to keep; the spec's, or the default.
        device: Where to compute.
        dtype: `float64` or `float32`.
        sizes: Sizes of dims.
        mapping: From a column or key of the data to the spec's name.
        reweight: Whether draws may be re-weighted by Pareto-smoothed importance sampling.
        log_likelihood: Whether to keep the pointwise log likelihood, for model comparison.
        allow_callables: Whether the spec may import Python code.
        progress: Whether to show a progress bar where there is a terminal.
        checkpoint: A file that the fit is kept in, and goes on from where it is there.
        restarts: From how many starting points to fit; the best is kept.
        **settings: Other settings of the `fit` block, over the spec's.

    Returns:
        The fit.

    Raises:
        SpecError: If the data, a setting or the fit itself is at fault.
    """
    # What cannot be fitted, and settings that cannot be met, are told before anything is computed.
    if not program.latents():
        diagnostics.report(
            "PPL099",
            None,
            "the model has no latent site, so there is nothing to fit",
            "draw what is not known: mu ~ Normal(0, 1)",
        )
        diagnostics.raise_errors()
    chosen = _choose_guide(program, guide, diagnostics)
    check_numeric(dtype, device, diagnostics)
    _check_restarts(restarts, checkpoint, diagnostics)
    run = run_settings(
        program,
        {**settings, "seed": seed, "steps": steps, "draws": draws},
        guide=chosen.name,
        reweight=reweight,
        dtype=dtype,
        device=device,
        diagnostics=diagnostics,
    )
    with importable_beside(diagnostics.path):
        check_callables(program, chosen, allow_callables, diagnostics)
        diagnostics.raise_errors()
        assert run is not None
        with numeric(dtype, device), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch and Pyro, about how they are used
            # Data become tensors, the program becomes a module; they meet in the environment.
            bound = bind(
                program,
                data,
                mapping=mapping,
                sizes=sizes,
                dtype=DTYPES[dtype],
                device=device,
                diagnostics=diagnostics,
            )
            if chosen.auto:
                chosen = auto_guide(program, bound.sizes, chosen.location)
                guides = tuple(chosen if g.name == chosen.name else g for g in program.guides)
                program = program.model_copy(update={"guides": guides})
            source = emit_module(program, guide=chosen.name)
            module = load_module(source, diagnostics.path)
            fitting = _Fitting(module, program, chosen, bound, run, diagnostics)
            fitted, many = fitting.fit(progress, checkpoint, restarts)
            with suitable_threads(bound.values):
                posterior = fitting.draw(fitted)
                groups = fitting.groups(posterior, log_likelihood)
    record = {
        "spec": diagnostics.path,
        "model": program.name,
        "settings": run.as_record(),
        "method": fitted.method,
        "engine": fitted.engine,
        "engine_reason": fitted.engine_reason or None,
        "sizes": bound.sizes,
        "versions": versions(),
        "machine": machine(),
        "hashes": {
            "spec": text_hash(diagnostics.text),
            "module": text_hash(source),
            "data": data_hashes(data, bound.values),
        },
    }
    elbo = xr.Dataset({"elbo": ("step", fitted.elbo)}, coords={"step": fitted.elbo_steps})
    return Fit(
        program=program,
        source=source,
        data=bound,
        engine=fitted,
        posterior=posterior,
        idata=inference_data({**groups, "fit": elbo}, _attributes(record, fitted, posterior)),
        record=record,
        diagnostics=diagnostics,
        restarts=None if many is None else pd.DataFrame(many.summary()).set_index(many.kind),
        notes=(
            *((many.verdict, *many.notes) if many is not None else ()),
            *bound.notes,
            *map(_note, sorted(bound.streamed)),
            *(n for n in fitted.notes if n not in fitted.verdict and n not in fitted.engine_reason),
        ),
    )


def _choose_guide(program: Program, name: str | None, diagnostics: Diagnostics) -> Guide:
    for guide in program.guides:
        if name in (None, guide.name):
            return guide
    names = [guide.name for guide in program.guides]
    close = did_you_mean(str(name), names)
    diagnostics.report(
        "PPL010",
        None,
        f"the spec has no guide {name!r}",
        f"did you mean {close!r}?" if close else f"it has {', '.join(names)}",
    )
    return program.guides[0]


def _check_restarts(restarts: int, checkpoint: str | Path | None, diagnostics: Diagnostics) -> None:
    if restarts < 1:
        diagnostics.report("PPL081", None, f"restarts is {restarts}", "ask for at least 1")
    if restarts > 1 and checkpoint is not None:
        diagnostics.report(
            "PPL081", None, "restarts are not kept in a checkpoint", "leave one of the two out"
        )


def _attributes(
    record: Mapping[str, Any], fitted: FitResult, posterior: Posterior
) -> dict[str, Any]:
    return {
        "inference_library": "pplc",
        "inference_library_version": record["versions"]["pplc"],
        "spec": record["spec"],
        "model": record["model"],
        "seed": record["settings"]["seed"],
        "settings": record["settings"],
        "versions": record["versions"],
        "converged": fitted.converged,
        "verdict": fitted.verdict,
        "khat": "unknown" if posterior.khat is None else posterior.khat,
        "khat_meaning": posterior.trust,
        "reweighted": posterior.reweighted,
    }


def _note(dim: str) -> str:
    return (
        f"the data over {dim!r} are large: they are neither copied into the output nor predicted, "
        "and the draws are the guide's own"
    )


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


class _Fitting:
    """The emitted module with its values: runs the steps that call it.

    Args:
        module: The emitted module.
        program: What it was emitted from.
        guide: The guide to fit.
        data: The bound data.
        settings: The settings.
        diagnostics: Where to tell what goes wrong.
    """

    def __init__(
        self,
        module: EmittedModule,
        program: Program,
        guide: Guide,
        data: BoundData,
        settings: RunSettings,
        diagnostics: Diagnostics,
    ) -> None:
        self._module = module
        self._program = program
        self._guide = guide
        self._data = data
        self._settings = settings
        self._diagnostics = diagnostics
        self._environment: dict[str, Any] = dict(data.values)
        if "derive" in module:
            with self._told("deriving values from the data"):
                self._environment.update(module.call("derive", self._environment))
        small = minibatches(program)
        self._full = {**self._environment, **{f"{dim}_minibatch": None for dim in small}}
        for dim in data.streamed:
            self._full |= _first_entries(self._full, program, dim, small[dim])
        for dim, count in small.items():
            self._environment[f"{dim}_minibatch"] = min(count, data.sizes[dim])

        self._predictor = Predictor(module, program, self._full, settings.engine.seed + 3)

    def fit(
        self, progress: bool, checkpoint: str | Path | None, restarts: int
    ) -> tuple[FitResult, Many | None]:
        """Build the guide and fit it; return the fit, and all restarts where there are several."""
        name = guide_function_name(self._program, self._guide)
        seed = self._settings.engine.seed
        with self._told("building the guide"), own_store({}), own_randomness(seed):
            guide = self._module.call(name, self._environment)
        with self._told("the fit"), progress_bar(progress) as callback:
            model = self._module.function("model")
            arguments = self._module.arguments("model", self._environment)
            told: dict[str, Any] = {"settings": self._settings.engine, "progress": callback}
            if restarts == 1:
                return fit(model, guide, (), arguments, checkpoint=checkpoint, **told), None
            many = fit_many(model, guide, (), arguments, restarts=restarts, **told)
            return many.best, many

    def draw(self, fitted: FitResult) -> Posterior:
        """Draw from the fitted guide."""
        tensors = [v for v in self._full.values() if isinstance(v, torch.Tensor)]
        with self._told("drawing from the posterior"):
            posterior = sample_posterior(
                fitted,
                self._module.function("model"),
                self._module.arguments("model", self._full),
                self._guide,
                self._settings,
                data_size=sum(tensor.numel() for tensor in tensors),
                unscored="the data are too many to be scored for each draw"
                if self._data.streamed
                else None,
            )
            discrete = self._predictor.summed_out(posterior.draws, posterior.latents)
        return replace(posterior, draws={**posterior.draws, **discrete})

    def groups(self, posterior: Posterior, log_likelihood: bool) -> dict[str, xr.Dataset]:
        """Return everything that was drawn and bound, by InferenceData's groups."""
        program, data = self._program, self._data
        predictor = self._predictor
        kept = self._without_streamed(posterior_variables(program))
        groups = {"posterior": draws_dataset(posterior.draws, kept, program, data)}
        observed = self._without_streamed(observed_variables(program))
        predicted = self._without_streamed(predicted_variables(program))
        few = self._affordable(posterior.draws)
        with self._told("the posterior predictive"):
            if observed and posterior.draws:
                replicates = predictor.replicates(few, posterior.latents)
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
        streamed = self._data.streamed
        return tuple(v for v in variables if streamed.isdisjoint(map(str, v.axes)))

    def _affordable(self, draws: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the first draws, as many as replicates of the data are kept for."""
        values = (self._data.values[name] for name in self._data.observed)
        size = sum(value.numel() for value in values if isinstance(value, torch.Tensor))
        most = max(_LEAST_REPLICATES, _MOST_REPLICATED_NUMBERS // max(size, 1))
        return {name: value[:most] for name, value in draws.items()}

    def _told(self, doing: str) -> Any:
        return told_in_the_spec(self._module, self._program, self._diagnostics, doing)
