"""The posterior by NUTS: on the density of the fit, with the names, dims and records of the fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from autoguide_core.posterior.replay import replay_model
from autoguide_core.sampling import NutsRun, NutsSettings, require_sampler, sample_nuts
from compiler.ir import Site
from compiler.ir.program import statements
from compiler.run.axes import observed_variables
from compiler.run.inference_data import data_dataset, inference_data
from compiler.run.job import Job
from compiler.run.progress import progress_bar

if TYPE_CHECKING:
    from arviz import InferenceData


@dataclass(frozen=True)
class Sampled:
    """What NUTS made of a job.

    Attributes:
        run: The draws, as the sampler has them.
        idata: The same as ArviZ InferenceData, with what is recorded and summed out.
    """

    run: NutsRun
    idata: InferenceData


def check_samplable(job: Job) -> None:
    """Check that there is a sampler, a gradient to follow, and all of the data to take it on.

    Raises:
        SpecError: nutpie is not installed, a latent is discrete and not summed out, or data stay
            in their file.
    """
    with job.told("NUTS"):
        require_sampler()
    for statement in statements(job.program.model):
        if not isinstance(statement, Site) or not statement.latent:
            continue
        if statement.discrete and not statement.marginalized:
            job.diagnostics.report(
                "PPL089",
                statement.location.span,
                f"{statement.name} is discrete, and NUTS follows a gradient",
                "sum it out (marginalize), to compare all others",
            )
    for dim in sorted(job.data.streamed):
        job.diagnostics.report(
            "PPL089",
            None,
            f"the data over {dim!r} stay in their file, and NUTS takes all of them at each step",
            "compare on a part of the data that fits into memory",
        )
    job.diagnostics.raise_errors()


def sampled_posterior(
    job: Job, settings: NutsSettings, progress: bool, record: Mapping[str, Any]
) -> Sampled:
    """Draw from a job's posterior by NUTS.

    Args:
        job: The module with its values.
        settings: How long to sample.
        progress: Whether to show a bar.
        record: What the fit was made with; kept in the attributes.

    Raises:
        SpecError: If it cannot be done.
    """
    model, arguments = job.module.function("model"), job.full_arguments
    with job.told("NUTS"), progress_bar(progress) as callback:
        run = sample_nuts(model, (), arguments, settings=settings, progress=callback)
        replayed = replay_model(model, run.latents, (), arguments)
        draws = job.with_summed_out({**run.latents, **replayed.deterministics}, tuple(run.latents))
    statistics = {name: (("chain", "draw"), values) for name, values in run.statistics.items()}
    coords = {"chain": np.arange(settings.chains), "draw": np.arange(settings.draws)}
    observed = [variable.name for variable in observed_variables(job.program)]
    groups = {
        "posterior": job.posterior_dataset(draws, settings.chains),
        "sample_stats": xr.Dataset(statistics, coords=coords),
        "observed_data": data_dataset(observed, job.program, job.data),
    }
    attributes = {
        "inference_library": "nutpie",
        "spec": record["spec"],
        "model": record["model"],
        "seed": settings.seed,
        "settings": asdict(settings),
        "versions": record["versions"],
        "sampling_time": run.seconds,
        "engine": run.engine,
    }
    return Sampled(run, inference_data(groups, attributes))
