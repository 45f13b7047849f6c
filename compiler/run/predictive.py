"""What a fitted model predicts: replicates of the observed sites, and the `predict` block."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.infer import infer_discrete
from pyro.poutine import Trace
from pyro.poutine.messenger import Messenger

from autoguide_core.engine.isolation import own_randomness
from autoguide_core.sequences import drawn_states
from autoguide_core.validation import Validation
from compiler.ir import Program
from compiler.run.axes import (
    Variable,
    beside_plates,
    observed_variables,
    posterior_variables,
    predicted_variables,
)
from compiler.run.drawable import Drawable
from compiler.run.module import EmittedModule

_NUMBERS_PER_CHUNK = 8_000_000

Samples = Mapping[str, torch.Tensor]
Model = Callable[[], Any]
Wrap = Callable[[Model], Model]
Prepare = Callable[[Samples, Wrap], Model]
Read = Callable[[Trace, str], torch.Tensor]


class Predictor:
    """Runs a fitted model forwards on draws from its posterior.

    Args:
        module: The emitted module.
        program: What it was emitted from.
        environment: Values of the module's parameters, all plates at full size.
        seed: Seed of the predictions.
    """

    def __init__(
        self, module: EmittedModule, program: Program, environment: Mapping[str, Any], seed: int
    ) -> None:
        self._module = module
        self._program = program
        self._environment = dict(environment)
        self._nesting = program.max_plate_nesting
        self._seed = seed

    def replicates(self, draws: Samples, latents: Sequence[str]) -> dict[str, torch.Tensor]:
        """Draw the observed sites anew for every posterior draw.

        Args:
            draws: Values by site, each (S, *shape in one run).
            latents: Which of them are drawn sites of the model.

        Returns:
            Values of the observed sites, each (S, *batch, *event).
        """

        def prepare(chunk: Samples, wrap: Wrap) -> Model:
            return wrap(
                poutine.condition(_Redraw(sites)(Drawable()(self._model)), data=dict(chunk))
            )

        sites = {v.name: len(v.event) for v in observed_variables(self._program)}
        return self._run(prepare, self._given(draws, latents), sites, _value)

    def log_likelihood(self, draws: Samples, latents: Sequence[str]) -> dict[str, torch.Tensor]:
        """Score the observed data under every posterior draw.

        Args:
            draws: Values by site, each (S, *shape in one run).
            latents: Which of them are drawn sites of the model.

        Returns:
            Log densities of the observed sites in nats, each (S, *batch).
        """

        def prepare(chunk: Samples, wrap: Wrap) -> Model:
            return wrap(poutine.condition(self._model, data=dict(chunk)))

        sites = {variable.name: 0 for variable in observed_variables(self._program)}
        return self._run(prepare, self._given(draws, latents), sites, _log_density)

    def summed_out(self, draws: Samples, latents: Sequence[str]) -> dict[str, torch.Tensor]:
        """Draw the discrete sites that were summed out, and what is recorded of them.

        Each comes from its conditional distribution given a posterior draw of all others, by
        forward filtering and backward sampling, as in Pyro's `infer_discrete`.

        Args:
            draws: Values by site, each (S, *shape in one run).
            latents: Which of them are drawn sites of the model.

        Returns:
            Values of the posterior's variables that `draws` lacks, each (S, *batch, *event).
        """

        def prepare(chunk: Samples, wrap: Wrap) -> Model:
            model: Model = infer_discrete(
                wrap(poutine.condition(self._model, data=dict(chunk))),
                first_available_dim=-2 - self._nesting,
                temperature=1,
            )
            return model

        missing = [v for v in posterior_variables(self._program) if v.name not in draws]
        sites = {variable.name: len(variable.event) for variable in missing}
        if not sites:
            return {}
        with drawn_states():
            return self._run(prepare, self._given(draws, latents), sites, _value)

    def predictions(self, draws: Samples) -> dict[str, torch.Tensor]:
        """Run the `predict` block for every posterior draw.

        Args:
            draws: Values by site, each (S, *shape in one run).

        Returns:
            Values of the block's sites and recorded values, each (S, *batch, *event).
        """

        def prepare(chunk: Samples, wrap: Wrap) -> Model:
            return wrap(
                Drawable()(lambda: self._module.call("predict", {**self._environment, **chunk}))
            )

        given = {
            variable.name: self._beside(draws[variable.name], variable)
            for variable in posterior_variables(self._program)
            if variable.name in draws
        }
        sites = {v.name: len(v.event) for v in predicted_variables(self._program)}
        return self._run(prepare, given, sites, _value)

    def _model(self) -> Any:
        return self._module.call("model", self._environment)

    def _beside(self, draws: torch.Tensor, variable: Variable) -> torch.Tensor:
        return beside_plates(draws, len(variable.event), self._nesting)

    def _given(self, draws: Samples, latents: Sequence[str]) -> Samples:
        # At a draw of the posterior, since the model may refuse one of the prior.
        first = poutine.condition(self._model, data={name: draws[name][0] for name in latents})
        with own_randomness(self._seed), Validation(False), torch.no_grad():
            nodes = poutine.trace(first).get_trace().nodes
        return {
            name: beside_plates(draws[name], nodes[name]["fn"].event_dim, self._nesting)
            for name in latents
        }

    def _run(
        self, prepare: Prepare, given: Samples, sites: Mapping[str, int], read: Read
    ) -> dict[str, torch.Tensor]:
        """Run a model on draws, vectorised in chunks; draw by draw if it cannot be.

        Args:
            prepare: Makes a model of some draws; is to wrap the model's run as it is told.
            given: Draws, each (S, *batch, *event) with `nesting` batch dims.
            sites: The sites to read, with how many event axes are read.
            read: Reads a site.
        """
        count = len(next(iter(given.values())))
        chunk = self._chunk_size()
        with (
            own_randomness(self._seed),
            torch.no_grad(),
            Validation(False),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            try:
                parts = [
                    self._vectorised(prepare, _slice(given, i, min(i + chunk, count)), sites, read)
                    for i in range(0, count, chunk)
                ]
            except (RuntimeError, ValueError, IndexError, NotImplementedError):
                parts = [
                    self._single(prepare, {n: v[i] for n, v in given.items()}, sites, read)
                    for i in range(count)
                ]
        return {name: torch.cat([part[name] for part in parts]) for name in sites}

    def _vectorised(
        self, prepare: Prepare, given: Samples, sites: Mapping[str, int], read: Read
    ) -> dict[str, torch.Tensor]:
        size = len(next(iter(given.values())))
        plate = pyro.plate("_draws", size, dim=-1 - self._nesting)
        trace = poutine.trace(prepare(given, plate)).get_trace()
        found = {}
        for name, events in sites.items():
            value = read(trace, name)
            if value.dim() > 1 + self._nesting + events:
                raise ValueError(f"site {name!r} has more dimensions than its plates")
            whole = value.dim() == 1 + self._nesting + events
            found[name] = (
                value
                if whole
                else self._padded(value, events).expand(size, *[-1] * (self._nesting + events))
            )
        return found

    def _single(
        self, prepare: Prepare, given: Samples, sites: Mapping[str, int], read: Read
    ) -> dict[str, torch.Tensor]:
        trace = poutine.trace(prepare(given, lambda model: model)).get_trace()
        return {name: self._padded(read(trace, name), events) for name, events in sites.items()}

    def _padded(self, value: torch.Tensor, events: int) -> torch.Tensor:
        """Return a value of one run with an axis of one draw and all plate dims before it."""
        missing = 1 + self._nesting + events - value.dim()
        return value.reshape(*(1,) * missing, *value.shape)

    def _chunk_size(self) -> int:
        values = self._environment.values()
        numbers: int = sum(v.numel() for v in values if isinstance(v, torch.Tensor))
        return max(1, _NUMBERS_PER_CHUNK // max(numbers, 1))


class _Redraw(Messenger):
    """Draws observed sites anew.

    `poutine.uncondition` would do so to recorded values too, which are observed sites of their
    own kind.

    Args:
        names: The sites.
    """

    def __init__(self, names: Collection[str]) -> None:
        super().__init__()
        self._names = names

    def _pyro_sample(self, message: dict[str, Any]) -> None:
        if message["name"] in self._names:
            message.update(is_observed=False, value=None, done=False)


def _value(trace: Trace, name: str) -> torch.Tensor:
    value: torch.Tensor = trace.nodes[name]["value"]
    return value


def _log_density(trace: Trace, name: str) -> torch.Tensor:
    site = trace.nodes[name]
    score: torch.Tensor = site["fn"].log_prob(site["value"])
    return score


def _slice(given: Samples, start: int, stop: int) -> Samples:
    return {name: value[start:stop] for name, value in given.items()}
