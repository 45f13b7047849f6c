"""Pyro's own estimators of the ELBO, for the pairs that ours are not made for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from pyro.infer import TraceEnum_ELBO, TraceGraph_ELBO
from torch import Tensor

from autoguide_core.engine.estimators import Estimate
from autoguide_core.engine.structure import Model, Structure, parameters
from autoguide_core.engine.validity import Validity


class PyroEstimator:
    """Lets ``TraceEnum_ELBO`` or ``TraceGraph_ELBO`` estimate the bound and its gradient.

    Both read values back to Python, so they cannot be recorded.

    Args:
        structure: The facts of the pair.
        model: The model.
        guide: The guide.
        args: Positional arguments of both.
        kwargs: Keyword arguments of both.
        particles: Draws from the guide per estimate, made one by one.
    """

    def __init__(
        self,
        structure: Structure,
        model: Model,
        guide: Model,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *,
        particles: int,
    ) -> None:
        model, guide = Validity()(model), Validity()(guide)
        kind = TraceEnum_ELBO if structure.enumerated else TraceGraph_ELBO
        self._elbo = kind(num_particles=particles, max_plate_nesting=structure.max_plate_nesting)
        self._run: Callable[[], float] = lambda: self._elbo.loss_and_grads(
            model, guide, *args, **kwargs
        )

    def start(self) -> dict[str, Tensor]:
        """Nothing goes from step to step; Pyro keeps its baselines in the parameter store."""
        return {}

    def __call__(self, carry: Mapping[str, Tensor]) -> Estimate:
        """Estimate the bound; the surrogate is the plane with the gradient that Pyro has found."""
        loss = self._run()
        surrogate = torch.zeros(())
        for leaf in parameters().values():
            if leaf.grad is not None:
                surrogate = surrogate - (leaf * leaf.grad).sum()
                leaf.grad = None
        return Estimate(torch.tensor(-float(loss), dtype=torch.float64), surrogate, {})
