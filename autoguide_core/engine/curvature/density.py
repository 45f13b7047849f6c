"""The unconstrained log posterior density of a model, as a function of one flat vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.poutine.messenger import Messenger
from torch.distributions import biject_to

from autoguide_core.engine.joint import joint_trace, marginalised_sites, plate_depth
from autoguide_core.engine.precision import double_precision, to_double
from autoguide_core.engine.structure import Model, is_latent


class LogDensity:
    """``log p(z, data) + log |det dz/du|`` at an unconstrained point u, in double precision.

    Each latent site is mapped from real space by ``biject_to`` of its support, read anew in each
    run, so that a support that depends on other sites is right. Sites marked
    ``infer={"enumerate": "parallel"}`` are summed out exactly.

    Args:
        model: The model.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        layout: Shape of each latent's unconstrained value, in the order of the flat vector; by
            default that of a run of the model, in its own order.

    Attributes:
        layout: As given or found.
        dim: Length D of the flat vector.
    """

    def __init__(
        self,
        model: Model,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        layout: Mapping[str, torch.Size] | None = None,
    ) -> None:
        self._model = model
        self._args, self._kwargs = to_double((tuple(args), dict(kwargs or {})))
        with double_precision(), poutine.block(), torch.no_grad():
            trace = poutine.trace(model).get_trace(*self._args, **self._kwargs)
        marginalised = marginalised_sites(trace)
        self._depth = plate_depth(trace) if marginalised else None
        self.layout = (
            dict(layout)
            if layout is not None
            else {
                name: biject_to(site["fn"].support).inv(site["value"]).shape
                for name, site in trace.nodes.items()
                if is_latent(site) and name not in marginalised
            }
        )
        self.dim = sum(shape.numel() for shape in self.layout.values())

    def __call__(self, point: torch.Tensor) -> torch.Tensor:
        """Evaluate at one point.

        Args:
            point: The unconstrained latents, shape (D,), float64.

        Returns:
            The log density in nats up to the evidence, a scalar.
        """
        constrain = _Constrain(self.unpack(point))
        with double_precision(), poutine.block(), pyro.validation_enabled(False):
            with_values = constrain(self._model)
            _, log_joint = joint_trace(with_values, self._args, self._kwargs, self._depth)
        return log_joint + constrain.log_det

    def unpack(self, point: torch.Tensor) -> dict[str, torch.Tensor]:
        """Split a flat vector into the sites' unconstrained values."""
        values, at = {}, 0
        for name, shape in self.layout.items():
            values[name] = point[at : at + shape.numel()].reshape(shape)
            at += shape.numel()
        return values


class _Constrain(Messenger):
    """Gives sites the constrained images of real values, and adds up the log Jacobians."""

    def __init__(self, unconstrained: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self._unconstrained = unconstrained
        self.log_det: torch.Tensor | float = 0.0

    def _pyro_sample(self, msg: Any) -> None:
        value = self._unconstrained.get(msg["name"])
        if value is None:
            return
        transform = biject_to(msg["fn"].support)
        msg["value"] = transform(value)
        self.log_det = self.log_det + transform.log_abs_det_jacobian(value, msg["value"]).sum()
