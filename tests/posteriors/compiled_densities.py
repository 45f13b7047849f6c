"""A spec's own log density, in the space of its parameters as they are called in the spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pyro import poutine
from pyro.poutine.messenger import Messenger
from torch.distributions import biject_to

import pplc
from autoguide_core.engine.curvature.density import LogDensity
from autoguide_core.engine.precision import double_precision
from compiler.emit import emit_module
from compiler.run.module import load_module

Tensor = torch.Tensor


class _At(Messenger):
    """Gives sites the constrained images of real values."""

    def __init__(self, unconstrained: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._unconstrained = unconstrained

    def _pyro_sample(self, msg: Any) -> None:
        if msg["name"] in self._unconstrained:
            value = self._unconstrained[msg["name"]]
            msg["value"] = biject_to(msg["fn"].support)(value)


class CompiledDensity:
    """The log density of some parameters, computed by the emitted module of a spec.

    Args:
        spec: The spec.
        data: Its data.
        parameters: What the density is of: sites or recorded values that determine all latents.

    Attributes:
        density: The unconstrained density that a fit works with.
    """

    def __init__(self, spec: pplc.Spec, data: Mapping[str, Any], parameters: Sequence[str]) -> None:
        with double_precision():
            module = load_module(emit_module(spec.program), spec.path)
            environment: dict[str, Any] = dict(spec.bind(data).values)
            if "derive" in module:
                environment |= module.call("derive", environment)
            self._model: Callable[..., Any] = module.function("model")
            self._arguments = module.arguments("model", environment)
            self.density = LogDensity(self._model, (), self._arguments)
        self._parameters = parameters

    def __call__(self, point: Tensor) -> tuple[float, dict[str, Any]]:
        """Return the log density at the image of an unconstrained point, and that image.

        Args:
            point: Shape (D,), float64.

        Returns:
            The unconstrained log density less the log determinant of the map to the parameters,
            which is taken from its derivatives; and the parameters.
        """
        with double_precision():
            value = float(self.density(point))
            jacobian = torch.autograd.functional.jacobian(self._free, point, vectorize=True)
            values = {name: v.detach().numpy() for name, v in self._values(point).items()}
        sign, log_det = np.linalg.slogdet(jacobian.numpy())
        assert sign != 0
        return value - float(log_det), values

    def unconstrained(self, medians: Mapping[str, Any]) -> Tensor:
        """Return a point, with those sites that have a value at its preimage, others at 0."""
        with double_precision(), poutine.block():
            trace = poutine.trace(self._model).get_trace(**self._arguments)
            parts = []
            for name, shape in self.density.layout.items():
                part = torch.zeros(shape)
                if name in medians:
                    value = torch.as_tensor(medians[name], dtype=torch.float64)
                    part = biject_to(trace.nodes[name]["fn"].support).inv(value).reshape(shape)
                parts.append(part.flatten())
        return torch.cat(parts)

    def _values(self, point: Tensor) -> dict[str, Tensor]:
        with poutine.block(), _At(self.density.unpack(point)):
            nodes = poutine.trace(self._model).get_trace(**self._arguments).nodes
        return {name: nodes[name]["value"] for name in self._parameters}

    def _free(self, point: Tensor) -> Tensor:
        """Return as many coordinates of the parameters as there are dimensions."""
        values = self._values(point)
        if sum(value.numel() for value in values.values()) > len(point):  # rows that sum to one
            values = {n: v[..., :-1] if _is_simplex(v) else v for n, v in values.items()}
        return torch.cat([value.flatten() for value in values.values()])


def _is_simplex(value: Tensor) -> bool:
    return value.dim() > 0 and bool(torch.allclose(value.sum(-1), torch.ones(value.shape[:-1])))
