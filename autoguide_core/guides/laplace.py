"""`AutoLaplaceApproximation`: the mode in unconstrained space, then a Normal by its curvature."""

from __future__ import annotations

import warnings
from typing import Any

import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor, nn

from autoguide_core.guides.base import AutoGuide
from autoguide_core.guides.continuous import AutoContinuous
from autoguide_core.guides.draws import score_of_point
from autoguide_core.guides.full_size import full_size_model
from autoguide_core.guides.hessian import RELATIVE_FLOOR, covariance_of, hessian_of
from autoguide_core.guides.log_joint import LogJoint, log_joint
from autoguide_core.guides.multivariate import AutoMultivariateNormal


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

    def sample_posterior(self, num_samples: int, /, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The mode, repeated; see `AutoGuide.sample_posterior`."""
        draws = super().sample_posterior(num_samples, *args, **kwargs)
        # Cloned: where the support is real, the draws are the parameter's own entries.
        return {name: draw.detach().clone() for name, draw in draws.items()}

    def _score(self, draws: dict[str, Tensor], /, *args: Any, **kwargs: Any) -> Tensor:
        return score_of_point(draws, self.median(*args, **kwargs))

    def laplace_approximation(self, *args: Any, **kwargs: Any) -> AutoMultivariateNormal:
        """The Normal whose covariance is the inverse Hessian of minus the log joint at ``loc``.

        Subsampled plates have their full size, so that the result does not depend on a minibatch.
        Where the guide is a part of an `AutoGuideList`, the sites of the other parts stand at their
        medians, and sites that are enumerated in the model are summed out.

        Args:
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            A guide with the buffers ``loc``, ``scale`` and ``scale_tril``.

        Raises:
            ValueError: A part of the list, a callable one, has no median for its site.

        Warns:
            UserWarning: The Hessian is not positive definite: ``loc`` is not a mode, or the
                posterior is flat there. Its eigenvalues are then floored at `RELATIVE_FLOOR` times
                the largest, and the message names the site that takes most part in the worst.
            UserWarning: The arguments give a plate its indices (``subsample=``), and not all of
                them; or the model draws other sites at random, which the guide cannot see.
        """
        self._ensure_prototype(*args, **kwargs)
        loss = self._loss_on_all_data(args, kwargs)
        precision = hessian_of(loss, self.loc)
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

    def _loss_on_all_data(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Minus the log joint density in unconstrained space, with a graph down to ``loc``."""
        root = self._root()
        model = self._full_model()
        with full_size_model(), poutine.block():
            others = {} if root is self else self._medians_of_others(root, args, kwargs)
            try:
                root._emitted.update(others)
                if root is not self:
                    root._create_plates(*args, **kwargs)
                guide_trace = poutine.trace(self).get_trace(*args, **kwargs)
                own = {name: guide_trace.nodes[name]["value"] for name, _ in self._sites()}
            finally:
                root._emitted = {}
            values = {**others, **own}
            joint = log_joint(model, args, kwargs, values)
            again = log_joint(model, args, kwargs, values)
        _check(joint, again)
        loss: Tensor = guide_trace.log_prob_sum() - joint.total
        return loss

    def _medians_of_others(
        self, root: AutoGuide, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> dict[str, Tensor]:
        own = {name for name, _ in self._sites()}
        medians = root.median(*args, **kwargs)
        return {name: value for name, value in medians.items() if name not in own}

    def _cholesky_of_inverse(self, precision: Tensor) -> Tensor:
        """The Cholesky factor of the inverse of a Hessian, made positive definite if need be."""
        covariance = covariance_of(precision)
        if covariance.num_raised:
            warnings.warn(
                "The Hessian at the supposed mode is not positive definite: with each entry scaled "
                f"to unit curvature its eigenvalues run from {covariance.lowest:.3g} to "
                f"{covariance.highest:.3g}, and {covariance.num_raised} of {len(precision)} were "
                f"raised to {RELATIVE_FLOOR:g} times the largest. The worst direction is mostly "
                f"site '{self._site_at(covariance.worst)}'. Train longer, or check that the model "
                "identifies it.",
                stacklevel=3,
            )
        return covariance.tril

    def _site_at(self, index: int) -> str:
        """The site to which an entry of the packed vector belongs."""
        owners = [
            name for name, shape in self._unconstrained_shapes.items() for _ in range(shape.numel())
        ]
        return owners[index]


def _check(joint: LogJoint, again: LogJoint) -> None:
    """Refuse, or warn of, a density that is not that of all data at fixed values."""
    if joint.drawn:
        raise ValueError(
            f"The Laplace approximation needs a value for site '{joint.drawn[0]}', which no part "
            "of the guide has a median for: give its AutoCallable a median, or add a part for it."
        )
    for name, (size, full_size) in joint.minibatches.items():
        warnings.warn(
            f"Plate '{name}' was given {size} of its {full_size} indices, so that the Hessian is "
            "that of a minibatch: give laplace_approximation() arguments with all of them.",
            stacklevel=4,
        )
    if not torch.equal(joint.total.detach(), again.total.detach()):
        warnings.warn(
            "The model's density at one point differs from run to run: it draws sites at random "
            "that are hidden from the guide, and the Hessian is that of one draw of them. Make the "
            "guide a part of an AutoGuideList over the whole model.",
            stacklevel=4,
        )
