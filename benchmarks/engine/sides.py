"""How each library fits one row, through the door that its users use."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.engine.data import Arrays
from benchmarks.engine.rows import Row

History = npt.NDArray[np.float64]

FIRST_OF = 1_000
"""Steps of the run of ours whose first step is waited for."""


class Side(Protocol):
    """One library, with one row's model and data, on one device.

    Attributes:
        engine: What made the steps of the last fit, as our results say it; None for the others.
    """

    engine: str | None

    def run(self, steps: int) -> History:
        """Fit from the start as a user would; the ELBO at each step."""

    def repeatable(self, steps: int) -> Callable[[], object]:
        """A run of this many steps whose compilation, where it can be kept, is done already."""

    def first(self) -> float:
        """Seconds from asking for a fit until its first step is known to be done."""


class _Torch:
    """What our side and Pyro's have in common: model and data."""

    engine: str | None = None

    def __init__(self, row: Row, data: Arrays, *, dtype: str, device: str) -> None:
        import torch

        from benchmarks.engine.models import MODELS

        torch.set_default_dtype(getattr(torch, dtype))
        self.row = row
        self.args = tuple(torch.from_numpy(array).to(device) for array in data.values())
        self.model = MODELS[row.model](**row.static)

    def guide(self, library: Any) -> Any:
        """A new guide of the row's family."""
        options = dict(self.row.options)
        if self.row.at_zero:
            options["init_loc_fn"] = library.init_to_feasible
        return getattr(library, self.row.guide)(self.model, **options)


class Ours(_Torch):
    """``autoguide_core.fit``.

    Args:
        row: The row.
        data: Its data.
        dtype: The dtype of all floating-point numbers.
        device: ``cpu`` or ``cuda``.
        engine: The setting ``engine``; None leaves the default.
    """

    def __init__(
        self, row: Row, data: Arrays, *, dtype: str, device: str, engine: str | None
    ) -> None:
        import autoguide_core

        super().__init__(row, data, dtype=dtype, device=device)
        self._library = autoguide_core
        self._wanted = engine or "auto"

    def _fit(self, steps: int, progress: Any = None) -> Any:
        settings = self._library.FitSettings(
            steps=steps,
            method="adam",
            optimizer="Adam",
            optimizer_options={"lr": self.row.rate},
            schedule="constant",
            averaging=False,
            engine=self._wanted,
        )
        result = self._library.fit(
            self.model, self.guide(self._library), self.args, settings=settings, progress=progress
        )
        if result.steps != steps:
            raise RuntimeError(f"asked for {steps:,} steps, {result.steps:,} were made")
        self.engine = result.engine
        return result

    def run(self, steps: int) -> History:
        """One call of ``fit``."""
        return np.asarray(self._fit(steps).elbo)

    def repeatable(self, steps: int) -> Callable[[], object]:
        """``fit`` itself: it keeps compiled code on disk."""
        return lambda: self._fit(steps)

    def first(self) -> float:
        """Until the first report of a run of ``FIRST_OF`` steps that speaks of a step."""
        seen: list[float] = []

        def note(progress: Any) -> None:
            if progress.step >= 1:
                seen.append(time.perf_counter())

        start = time.perf_counter()
        self._fit(FIRST_OF, note)
        return seen[0] - start


class Pyro(_Torch):
    """``SVI.step`` with ``Trace_ELBO``; validation is off, as it is in the other two."""

    def __init__(self, row: Row, data: Arrays, *, dtype: str, device: str) -> None:
        import pyro

        super().__init__(row, data, dtype=dtype, device=device)
        pyro.enable_validation(False)

    def _start(self) -> Callable[[], float]:
        """Fresh parameters, and what makes one step of them."""
        import pyro
        from pyro.infer import SVI, Trace_ELBO, autoguide

        pyro.clear_param_store()
        pyro.set_rng_seed(0)
        optimiser = pyro.optim.Adam({"lr": self.row.rate})
        svi = SVI(self.model, self.guide(autoguide), optimiser, Trace_ELBO())
        return lambda: svi.step(*self.args)

    def run(self, steps: int) -> History:
        """A loop of ``svi.step``."""
        step = self._start()
        return np.array([-step() for _ in range(steps)])

    def repeatable(self, steps: int) -> Callable[[], object]:
        """The same loop: there is nothing to compile."""
        return lambda: self.run(steps)

    def first(self) -> float:
        """One step, the guide's setting-up included."""
        start = time.perf_counter()
        self._start()()
        return time.perf_counter() - start


class NumPyro:
    """``svi.run`` without a progress bar; the device is JAX's first."""

    engine: str | None = None

    def __init__(self, row: Row, data: Arrays, *, dtype: str) -> None:
        import jax
        import numpyro

        from benchmarks.engine.numpyro_models import MODELS

        numpyro.enable_x64(dtype == "float64")
        self._row = row
        self._args = tuple(jax.numpy.asarray(array) for array in data.values())
        self._key = jax.random.key(0)
        jax.block_until_ready((self._args, self._key))
        self._model = MODELS[row.model](**row.static)

    def _svi(self) -> Any:
        """A new guide with its optimiser and ELBO."""
        from jax.example_libraries import stax
        from numpyro import optim
        from numpyro.infer import SVI, Trace_ELBO, autoguide, init_to_feasible

        options = dict(self._row.numpyro_options)
        if self._row.at_zero:
            options["init_loc_fn"] = init_to_feasible
        if self._row.guide == "AutoIAFNormal":
            options["nonlinearity"] = stax.Relu  # as in the other two
        guide = getattr(autoguide, self._row.guide)(self._model, **options)
        return SVI(self._model, guide, optim.Adam(self._row.rate), Trace_ELBO())

    def run(self, steps: int) -> History:
        """One call of ``svi.run``."""
        result = self._svi().run(self._key, steps, *self._args, progress_bar=False)
        return -np.asarray(result.losses, np.float64)  # waits for the result

    def repeatable(self, steps: int) -> Callable[[], object]:
        """``svi.run`` itself compiles anew at each call: inside ``jit`` it compiles once."""
        import jax

        svi = self._svi()
        state = svi.init(self._key, *self._args)
        whole = jax.jit(
            lambda state, args: svi.run(
                self._key, steps, *args, progress_bar=False, init_state=state
            )
        )

        def again() -> object:
            result = whole(state, self._args)
            return jax.block_until_ready((result.params, result.losses))

        again()
        return again

    def first(self) -> float:
        """A run of one step: longer ones tell nothing before their end."""
        start = time.perf_counter()
        self.run(1)
        return time.perf_counter() - start


def make_side(
    name: str, row: Row, data: Arrays, *, dtype: str, device: str, engine: str | None = None
) -> Side:
    """A side by its name in ``rows.SIDES``; ``engine`` matters to ours only."""
    if name == "ours":
        return Ours(row, data, dtype=dtype, device=device, engine=engine)
    if name == "pyro":
        return Pyro(row, data, dtype=dtype, device=device)
    return NumPyro(row, data, dtype=dtype)
