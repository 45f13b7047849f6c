"""`AutoDAIS`: a Normal that is moved towards the posterior by the model's own gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions import constraints
from pyro.nn.module import PyroParam
from torch import Tensor, nn

from autoguide_core.guides.continuous import AutoContinuous
from autoguide_core.guides.dais.chain import AnnealedGuide
from autoguide_core.guides.dais.density import log_joint_per_draw, summed_to
from autoguide_core.guides.dais.dynamics import anneal
from autoguide_core.guides.dais.options import checked_options
from autoguide_core.guides.divergence import watch
from autoguide_core.guides.scales import positive_init_scale
from autoguide_core.guides.supports import constrain, hold_masked
from autoguide_core.initialization import InitStrategy, init_to_uniform

# How many densities at one point are compared, to see whether they differ from run to run.
_NUM_RUNS = 6


class AutoDAIS(AnnealedGuide, AutoContinuous):
    """Differentiable annealed importance sampling with uncorrected Hamiltonian steps.

    A draw of a Normal over the packed unconstrained vector moves K steps along the gradients of
    densities between that Normal and the model's posterior. The Normal, the temperatures, the step
    sizes, the masses and the refreshment are all trained, by plain `pyro.infer.Trace_ELBO`, whose
    loss is then minus the annealed bound on the evidence, which gets tighter as K grows (Geffner
    and Domke 2021, https://arxiv.org/abs/2107.04150; Zhang, Hsu, Li, Finn and Grosse 2021,
    https://arxiv.org/abs/2107.10211; Jankowiak and Phan 2022, https://arxiv.org/abs/2112.12194).
    The interface is that of NumPyro's guide of this name.

    A call runs the model K times and differentiates it twice. The forces need all of the data: on
    minibatches the bound holds, but does not get tighter with K, and the guide warns of it.

    Args:
        model: A Pyro model whose latent sites are all continuous.
        K: The number of steps.
        base_dist: "diagonal" or "cholesky", the covariance of the Normal at the start.
        eta_init: The first step size.
        eta_max: The largest step size.
        gamma_init: How much of the momentum outlasts a step at first, between 0 and 1.
        init_loc_fn: The initialisation strategy of the Normal's location.
        init_scale: Its initial scale in unconstrained space.

    Attributes:
        loc: The location of the Normal, shape (D,).
        scale: Its scales, positive; shape (D,).
        scale_tril: With "cholesky" only: unit lower triangular, shape (D, D). The Cholesky factor
            is ``scale[:, None] * scale_tril``.
        beta_increments: Positive, shape (K,); the temperatures are their cumulative shares.
        eta: The step sizes, between 0 and ``eta_max``; shape (K,).
        gamma: Between 0 and 1, a scalar.
        inverse_mass: Positive, shape (D,).
    """

    scale_constraint = constraints.softplus_positive
    scale_tril_constraint = constraints.unit_lower_cholesky

    def __init__(
        self,
        model: Callable[..., Any],
        *,
        K: int = 4,  # noqa: N803  (NumPyro's name)
        base_dist: str = "diagonal",
        eta_init: float = 0.01,
        eta_max: float = 0.1,
        gamma_init: float = 0.9,
        init_loc_fn: InitStrategy = init_to_uniform,
        init_scale: float = 0.1,
    ) -> None:
        self._options = checked_options(K, base_dist, eta_init, eta_max, gamma_init)
        self._init_scale = positive_init_scale(init_scale)
        super().__init__(model, init_loc_fn=init_loc_fn)

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        options, loc = self._options, self._init_loc()
        self.loc = nn.Parameter(loc)
        self.scale = PyroParam(torch.full_like(loc, self._init_scale), self.scale_constraint)
        if options.base_dist == "cholesky":
            identity = torch.eye(len(loc), dtype=loc.dtype, device=loc.device)
            self.scale_tril = PyroParam(identity, self.scale_tril_constraint)
        self._make_chain(loc)
        self._warn_of_noise(args, kwargs)

    def _warn_of_noise(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Warn where the density at one point differs from run to run."""
        if self.master is not None:
            return  # the parts before this one have not drawn yet
        with torch.no_grad():
            loc = self._init_loc()
            # A site of few values may well have the same one in two runs.
            first, *others = (self._log_target(loc, args, kwargs) for _ in range(_NUM_RUNS))
        if not all(torch.equal(first, other) for other in others):
            warnings.warn(
                "The model's density at one point differs from run to run, because it draws "
                "minibatches, or sites that are hidden from the guide. AutoDAIS remains a bound, "
                "but does not get tighter with more steps: run subsampled plates at their full "
                "size, and put the guide last into an AutoGuideList if other parts draw the rest.",
                stacklevel=6,
            )

    def get_base_dist(self) -> Any:
        """The Normal at the start of the chain, event shape (D,)."""
        # Not validated: the chain is, and that check names the site.
        if self._options.base_dist == "diagonal":
            return dist.Normal(self.loc, self.scale, validate_args=False).to_event(1)
        scale_tril = self.scale[:, None] * self.scale_tril
        return dist.MultivariateNormal(self.loc, scale_tril=scale_tril, validate_args=False)

    def get_posterior(self, *args: Any, **kwargs: Any) -> Any:
        """Not to be had: the density of the chain's end has no closed form.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            "AutoDAIS has no posterior in closed form: draw from it with sample_posterior()."
        )

    def sample_latent(self, *args: Any, **kwargs: Any) -> Tensor:
        """Run the chain; its end is emitted as an auxiliary site, shape (..., D).

        The start and the noise of the momenta are auxiliary sites too. What the momenta add to the
        bound is the log density of the end.
        """
        base, name = self.get_base_dist(), self._pyro_name
        sizes = {name: shape.numel() for name, shape in self._unconstrained_shapes.items()}

        def log_base(latent: Tensor) -> Tensor:
            watch(latent, sizes)
            log_density: Tensor = base.log_prob(latent)
            return log_density

        auxiliary = {"is_auxiliary": True}
        start = pyro.sample(f"_{name}_start", base, infer=auxiliary)
        noise = pyro.sample(f"_{name}_noise", self._momenta(start), infer=auxiliary)
        end, cost = anneal(
            start,
            noise,
            self._schedule(),
            log_base,
            lambda latent: self._log_target(latent, args, kwargs),
        )
        return pyro.sample(
            f"_{name}_latent", dist.Delta(end, cost.sum(-1), event_dim=1), infer=auxiliary
        )

    def _log_target(self, latent: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """The log joint density in unconstrained space; shape (..., D) to (...)."""
        batch_shape = latent.shape[:-1]
        unconstrained = {site["name"]: value for site, value in self._unpack_latent(latent)}
        with poutine.block():
            self._create_plates(*args, **kwargs)
            self._refuse_partial_plates()
            supports = self._current_supports(unconstrained, *args, **kwargs)
            masks = self._current_masks(*args, **kwargs)
        values, total = dict(self._root()._emitted), latent.new_zeros(batch_shape)
        for name, site in self._sites():
            event_dim, draw = site["fn"].event_dim, unconstrained[name]
            value, log_density = constrain(supports[name], event_dim, draw, masks[name])
            assert isinstance(log_density, Tensor)
            draw_event_dim = event_dim + draw.dim() - value.dim()
            log_density = hold_masked(log_density, draw, draw_event_dim, masks[name])
            total = total - summed_to(log_density, batch_shape)
            values[name] = value
        return total + log_joint_per_draw(self._full_model(), args, kwargs, values, batch_shape)
