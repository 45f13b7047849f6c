"""NUTS, by the sampler of nutpie, on the density and the compiled gradients of our engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from autoguide_core.engine.curvature.compiled import Vector
from autoguide_core.engine.curvature.density import LogDensity
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.errors import RequestError
from autoguide_core.engine.isolation import own_randomness
from autoguide_core.engine.progress import ProgressCallback, Reporter
from autoguide_core.engine.structure import Model
from autoguide_core.engine.threads import suitable_threads
from autoguide_core.posterior.vectorised import in_chunks
from autoguide_core.sampling.evaluators import Evaluators
from autoguide_core.sampling.starts import random_start
from autoguide_core.validation import Validation

_STATISTICS = {
    "logp": "lp",
    "diverging": "diverging",
    "energy": "energy",
    "depth": "tree_depth",
    "maxdepth_reached": "reached_max_treedepth",
    "n_steps": "n_steps",
    "step_size": "step_size",
    "mean_tree_accept": "acceptance_rate",
}
"""The sampler's names for what it tells of each draw, and ArviZ's."""


@dataclass(frozen=True)
class NutsSettings:
    """How long to sample.

    Attributes:
        chains: Chains, each from a random start of its own.
        draws: Draws that each chain keeps.
        tune: Draws before them, from which step size and mass matrix are learnt.
        seed: Seed of starts and draws.
        target_accept: Mean acceptance probability that the step size is set to; between 0 and 1.
    """

    chains: int = 4
    draws: int = 1000
    tune: int = 1000
    seed: int = 0
    target_accept: float = 0.9


@dataclass(frozen=True)
class NutsRun:
    """What NUTS found.

    Attributes:
        latents: Values by site, each (chains · draws, *shape of the site in one run of the model),
            chain after chain.
        statistics: What is known of each draw, by ArviZ's names, each (chains, draws).
        seconds: Wall-clock time of the sampling.
        engine: What evaluated the density: ``native`` or ``graph``.
        engine_reason: Why not compiled code, or an empty text.
        settings: The settings as given.
    """

    latents: Mapping[str, torch.Tensor]
    statistics: Mapping[str, npt.NDArray[Any]]
    seconds: float
    engine: str
    engine_reason: str
    settings: NutsSettings


def sample_nuts(
    model: Model,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    settings: NutsSettings | None = None,
    progress: ProgressCallback | None = None,
) -> NutsRun:
    """Draw from a model's posterior by the No-U-Turn sampler.

    The density is the one that guides are fitted to (:class:`LogDensity`), sites marked for
    enumeration summed out.

    Source: Hoffman and Gelman, "The No-U-Turn sampler" (2014); the mass matrix is learnt from
    draws and gradients, as in Seyboldt, Carlson and Carpenter, "Preconditioning Hamiltonian Monte
    Carlo by minimizing Fisher divergence" (2026).

    Args:
        model: A model whose latents are continuous, or marked for enumeration, without
            subsampled plates.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        settings: How long to sample.
        progress: Told of draws made, all chains together.

    Returns:
        The draws.

    Raises:
        RequestError: If the package ``nutpie`` is not installed, or it breaks off.
        FitError: If no chain can start.
    """
    nutpie = require_sampler()
    chosen = settings or NutsSettings()
    keywords = dict(kwargs or {})
    with own_randomness(chosen.seed), suitable_threads(args, keywords):
        density = LogDensity(model, args, keywords)
        start = torch.zeros(density.dim, dtype=torch.float64)
        gradients = Gradients(density, density.finite_point(start, chosen.seed))
        evaluators = Evaluators(gradients, density.dim, density.numbers, chosen.chains)
        random_start(evaluators, density.dim, chosen.seed)  # fails here, not within the threads
        started = time.perf_counter()
        relied_on = False
        while not relied_on:  # twice at most: what takes the place of compiled code is not proved
            trace = _sampled(nutpie, evaluators, density.dim, chosen, Reporter(progress))
            if evaluators.failure is not None:
                raise evaluators.failure
            points = torch.from_numpy(np.ascontiguousarray(trace.posterior["point"].to_numpy()))
            points = points.reshape(-1, density.dim)
            relied_on = evaluators.hold_at(points)
        seconds = time.perf_counter() - started
        return NutsRun(
            latents=_values(density, points),
            statistics={
                name: trace.sample_stats[theirs].to_numpy() for theirs, name in _STATISTICS.items()
            },
            seconds=seconds,
            engine=evaluators.engine,
            engine_reason=evaluators.obstacle,
            settings=chosen,
        )


def require_sampler() -> ModuleType:
    """Return the package nutpie, imported.

    Raises:
        RequestError: It is not installed.
    """
    try:
        import nutpie
    except ImportError as error:
        raise RequestError(
            "sampler",
            "NUTS needs the package nutpie, which is not installed",
            "install it: pip install 'pplc[sampling]', or pip install nutpie",
        ) from error
    module: ModuleType = nutpie
    return module


def _sampled(
    nutpie: ModuleType, evaluate: Evaluators, dim: int, settings: NutsSettings, report: Reporter
) -> Any:
    """Run all chains; returns ArviZ InferenceData with the variable ``point``."""
    counter = _Counter(settings.chains * (settings.tune + settings.draws), report)
    problem = nutpie.compiled_pyfunc.from_pyfunc(
        ndim=dim,
        make_logp_fn=lambda: evaluate,
        make_expand_fn=lambda *seeds: counter.counted,
        expanded_dtypes=[np.dtype("float64")],
        expanded_shapes=[(dim,)],
        expanded_names=["point"],
        make_initial_point_fn=lambda seed: random_start(evaluate, dim, seed),
    )
    sampler = nutpie.sample(
        problem,
        draws=settings.draws,
        tune=settings.tune,
        chains=settings.chains,
        cores=evaluate.count,
        seed=settings.seed,
        target_accept=settings.target_accept,
        progress_bar=False,
        save_warmup=False,
        blocking=False,
    )
    try:
        return sampler.wait()
    except RuntimeError as error:
        reason = " ".join(str(error).partition("Stack backtrace")[0].split())
        raise RequestError(
            "sampler", f"NUTS failed: {reason}", "try another seed, or longer tuning"
        ) from error
    except BaseException:  # Ctrl-C must end the threads too
        sampler.cancel()
        raise


class _Counter:
    """Counts the draws of all chains as the sampler has them written down."""

    def __init__(self, total: int, report: Reporter) -> None:
        self._tell: Callable[[int, int, float], None] = report.phase("NUTS")
        self._lock = threading.Lock()
        self._total, self._done = total, 0

    def counted(self, point: Vector) -> dict[str, Vector]:
        with self._lock:
            self._done += 1
            self._tell(self._done, self._total, float("nan"))
        return {"point": point}


def _values(density: LogDensity, points: torch.Tensor) -> dict[str, torch.Tensor]:
    """The latent sites at points (S, D)."""
    with torch.no_grad(), Validation(False):
        return in_chunks(density.values, points, density.numbers)
