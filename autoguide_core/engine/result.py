"""What a fit hands back: the guide, its parameters, and an honest account of how it went."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyro
import torch

from autoguide_core.engine.bound import Bound, bind
from autoguide_core.engine.convergence import Verdict
from autoguide_core.engine.isolation import StoreState, own_store
from autoguide_core.engine.settings import FitSettings
from autoguide_core.engine.structure import Model

if TYPE_CHECKING:  # made there with what is defined here
    from autoguide_core.engine.curvature.fitted import FittedGaussian


@dataclass(frozen=True)
class Run:
    """What a method hands back to ``fit``.

    Attributes:
        elbo: The history, in nats.
        verdict: Whether it settled.
        method: The method's name.
        notes: Things worth knowing.
        guide: The guide to use from now on, where it is another than the one given.
        engine: What made the steps; see :class:`FitResult`.
        engine_reason: Why not something faster; see :class:`FitResult`.
        gaussian: See :class:`FitResult`.
    """

    elbo: npt.NDArray[np.float64]
    verdict: Verdict
    method: str
    notes: tuple[str, ...] = ()
    guide: Model | None = None
    engine: str = "torch"
    engine_reason: str = ""
    gaussian: FittedGaussian | None = None


@dataclass(frozen=True)
class FitResult:
    """One finished fit.

    Attributes:
        guide: The fitted guide. It runs with its fitted parameters wherever it is called; a guide
            that is a function is wrapped for that.
        elbo: The ELBO in nats at each of ``elbo_steps``, single noisy estimates.
        elbo_steps: The steps at which ``elbo`` was recorded, from 1.
        converged: Whether nothing speaks against convergence of the optimisation. It says nothing
            about whether the guide's family is wide enough: see ``autoguide_core.posterior.psis``.
        verdict: The reason for ``converged``, in one sentence.
        method: The method that ran: ``adam``, ``curvature`` or ``laplace``.
        steps: Gradient steps taken in the variational stage.
        seconds: Wall-clock time.
        settings: The settings as given.
        versions: Versions of what the numbers depend on.
        engine: What made the steps of method ``adam``: ``native`` (compiled code), ``graph`` (the
            recorded operations, run by torch), ``cuda`` (the same, replayed by a GPU), ``eager``
            (Python, with the same noise) or ``plain`` (Pyro with its own random numbers); or
            several one after the other, as in ``graph, then native from step 1,201``. ``torch``
            for the other methods.
        engine_reason: Why the last steps were not made by something faster, in a few words; empty
            where there was nothing faster.
        notes: Things worth knowing that are not errors (a fallback taken, say).
        store: The parameter store of the fit.
        gaussian: The guide as a normal in the coordinates of the model's compiled density, from
            which draws are annealed to the posterior; None where the fit has not used it.
    """

    guide: Callable[..., Any]
    elbo: npt.NDArray[np.float64]
    elbo_steps: npt.NDArray[np.int64]
    converged: bool
    verdict: str
    method: str
    steps: int
    seconds: float
    settings: FitSettings
    versions: Mapping[str, str]
    engine: str
    engine_reason: str = ""
    notes: tuple[str, ...] = ()
    store: StoreState = field(default_factory=dict, repr=False)
    gaussian: FittedGaussian | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        run: Run,
        guide: Callable[..., Any],
        settings: FitSettings,
        seconds: float,
        store: StoreState,
    ) -> FitResult:
        """The result of a run, with the versions of now."""
        return cls(
            guide=bind(guide, store),
            elbo=run.elbo,
            elbo_steps=np.arange(1, len(run.elbo) + 1),
            converged=run.verdict.converged,
            verdict=run.verdict.sentence,
            method=run.method,
            steps=len(run.elbo),
            seconds=seconds,
            settings=settings,
            versions={
                "python": platform.python_version(),
                "torch": str(torch.__version__),
                "pyro": pyro.__version__,
            },
            engine=run.engine,
            engine_reason=run.engine_reason,
            notes=run.notes,
            store=store,
            gaussian=run.gaussian,
        )

    def bound(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A model, say, as it runs with the fitted parameters, wherever it is called."""
        return Bound(function, self.store)

    def __getstate__(self) -> dict[str, Any]:
        with self.parameters():  # Pyro's store takes off what cannot be copied
            return self.__dict__

    @contextlib.contextmanager
    def parameters(self) -> Iterator[None]:
        """Enter the parameter store of this fit; the store outside comes back afterwards."""
        with own_store(self.store):
            yield

    def parameter_values(self) -> dict[str, npt.NDArray[Any]]:
        """The fitted parameters by name, constrained, as numpy arrays."""
        with self.parameters():
            store = pyro.get_param_store()
            return {name: value.detach().cpu().numpy().copy() for name, value in store.items()}
