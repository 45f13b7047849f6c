"""`AutoLaplaceApproximation`: the mode in unconstrained space, then a Normal by its curvature."""

from __future__ import annotations

import warnings
from typing import Any

import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.ops.hessian import hessian
from torch import Tensor, nn

from autoguide_core.guides.continuous import AutoContinuous
from autoguide_core.guides.multivariate import AutoMultivariateNormal

# Curvatures below this share of the largest are taken for numerical noise.
RELATIVE_FLOOR = 1e-6


class AutoLaplaceApproximation(AutoContinuous):
    """Maximum a posteriori in *unconstrained* space, with a Normal around the mode.

    The Jacobians of the supports take part, unlike in `AutoDelta`. Train the guide, then ask for
    the Normal approximation::

        guide = AutoLaplaceApproximation(model)
        svi = SVI(model, guide, optim, Trace_ELBO())
        ...
        normal = guide.laplace_approximation()

    Args:
        model: A Pyro model.
        init_loc_fn: The initialisation strategy.

    Attributes:
        loc: The mode, shape (D,).
    """

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        self.loc = nn.Parameter(self._init_loc())

    def get_posterior(self, *args: Any, **kwargs: Any) -> Any:
        """A Delta at ``loc``, event shape (D,)."""
        return dist.Delta(self.loc).to_event(1)

    def _loc_scale(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return self.loc, torch.zeros_like(self.loc)

    def laplace_approximation(self, *args: Any, **kwargs: Any) -> AutoMultivariateNormal:
        """The Normal whose covariance is the inverse Hessian of minus the log joint at ``loc``.

        Args:
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            A guide with the buffers ``loc``, ``scale`` and ``scale_tril``.

        Warns:
            UserWarning: The Hessian is not positive definite: ``loc`` is not a mode, or the
                posterior is flat there. Its eigenvalues are then floored at `RELATIVE_FLOOR` times
                the largest, and the message names the site that takes most part in the worst.
        """
        guide_trace = poutine.trace(self).get_trace(*args, **kwargs)
        model_trace = poutine.trace(poutine.replay(self.model, trace=guide_trace)).get_trace(
            *args, **kwargs
        )
        loss = guide_trace.log_prob_sum() - model_trace.log_prob_sum()
        precision = hessian(loss, self.loc).detach()
        scale_tril = self._cholesky_of_inverse(precision)
        scale = scale_tril.square().sum(-1).sqrt()

        assert self._bare_model is not None
        assert self.init_loc_fn is not None
        normal = AutoMultivariateNormal(self._bare_model[0], init_loc_fn=self.init_loc_fn)
        normal._setup_prototype(*args, **kwargs)
        del normal.loc, normal.scale, normal.scale_tril
        normal.register_buffer("loc", self.loc.detach().clone())
        normal.register_buffer("scale", scale)
        normal.register_buffer("scale_tril", scale_tril / scale[:, None])
        return normal

    def _cholesky_of_inverse(self, precision: Tensor) -> Tensor:
        """The Cholesky factor of the inverse of a Hessian, made positive definite if need be."""
        values, vectors = torch.linalg.eigh(0.5 * (precision + precision.mT))
        floor = RELATIVE_FLOOR * values.abs().max()
        if not bool((values > 0).all()):
            site = self._site_at(int(vectors[:, 0].abs().argmax()))
            warnings.warn(
                f"The Hessian at the supposed mode is not positive definite: its eigenvalues run "
                f"from {values[0]:.3g} to {values[-1]:.3g}, and {int((values < floor).sum())} of "
                f"{len(values)} were raised to {floor:.3g}. The worst direction is mostly site "
                f"'{site}'. Train longer, or check that the model identifies it.",
                stacklevel=3,
            )
            values = values.clamp(min=floor)
            precision = (vectors * values) @ vectors.mT
        return torch.linalg.cholesky(torch.linalg.inv(precision))

    def _site_at(self, index: int) -> str:
        """The site to which an entry of the packed vector belongs."""
        owners = [
            name for name, shape in self._unconstrained_shapes.items() for _ in range(shape.numel())
        ]
        return owners[index]
