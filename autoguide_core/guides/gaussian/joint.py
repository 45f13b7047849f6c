"""The parameters of `AutoGaussian`, and the joint Normal that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from pyro.distributions import constraints
from pyro.infer.inspect import is_sample_site
from pyro.nn.module import PyroModule, PyroParam
from torch import Tensor

from autoguide_core.guides.base import is_not_latent
from autoguide_core.guides.gaussian.cholesky import SparseCholesky
from autoguide_core.guides.gaussian.dependencies import (
    Factor,
    Variable,
    batch_shape_of,
    find_pattern,
)
from autoguide_core.guides.gaussian.distribution import SparseNormal
from autoguide_core.guides.gaussian.elimination import Front, Term
from autoguide_core.guides.gaussian.layout import Layout
from autoguide_core.guides.minibatches import refuse_subsampling
from autoguide_core.guides.naming import get_deep, parameter_paths, set_deep
from autoguide_core.guides.scales import (
    DEFAULT_SCALE,
    InitScale,
    checked_init_scale,
    init_scale_by_site,
)
from autoguide_core.guides.supports import unconstrained_value
from autoguide_core.guides.unconstrained import UnconstrainedGuide
from autoguide_core.initialization import InitStrategy, Site


class SparseJointGuide(UnconstrainedGuide):
    """Base of `AutoGaussian`: sets up the sparse joint Normal, packs and scores it.

    The arguments are those of `AutoGaussian`.
    """

    scale_constraint = constraints.softplus_positive
    latent_dim: int

    def __init__(
        self,
        model: Callable[..., Any],
        *,
        init_loc_fn: InitStrategy,
        init_scale: InitScale,
        create_plates: Callable[..., Any] | None,
    ) -> None:
        self._init_scale = checked_init_scale(init_scale)
        super().__init__(model, create_plates=create_plates)
        self._initialise_with(init_loc_fn)
        self.dependencies: dict[str, dict[str, set[str]]] = {}
        self._paths: dict[str, str] = {}
        self._factor_paths: dict[str, str] = {}
        self._shapes: dict[str, torch.Size] = {}
        self._plan: tuple[Front, ...] = ()

    @staticmethod
    def _prototype_hide_fn(msg: Site) -> bool:
        # A latent Delta is no random variable: the model itself gives its value.
        return is_not_latent(msg) or not is_sample_site(msg)

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        sites = dict(self._sites())
        if not sites:
            raise RuntimeError(
                f"{type(self).__name__} found no latent variables; Use an empty guide instead"
            )
        refuse_subsampling("AutoGaussian", sites.items(), "joint Normal")
        # Before the pattern is sought: a support that has no bijection is the first thing to tell.
        init_locs = {name: unconstrained_value(site) for name, site in sites.items()}
        pattern = find_pattern(self._full_model(), args, kwargs, sites)
        self.dependencies = pattern.dependencies
        self.locs, self.scales = PyroModule(), PyroModule()
        self.white_vecs, self.prec_sqrts = PyroModule(), PyroModule()
        self._paths = parameter_paths(self.locs, sites)
        self._factor_paths = parameter_paths(self.white_vecs, pattern.factors)
        init_scales = init_scale_by_site(self._init_scale, sites)
        variables = {}
        for name, loc in init_locs.items():
            batch_dim = len(sites[name]["fn"].batch_shape)
            variables[name] = Variable(pattern.factors[name].plates, loc.shape[batch_dim:].numel())
            self._shapes[name] = loc.shape
            self._add_location(name, loc, init_scales[name], loc.dim() - batch_dim)
        layout = Layout(variables, pattern.frames)
        self.latent_dim = layout.size
        packed = torch.cat([loc.reshape(-1) for loc in init_locs.values()])
        for name, factor in pattern.factors.items():
            batch_shape = batch_shape_of(factor.plates, pattern.frames)
            self._add_factor(name, factor, layout, packed.new_zeros(batch_shape))
        terms = [Term(factor.plates, factor.variables) for factor in pattern.factors.values()]
        self._plan = self._make_plan(layout, terms)

    def _add_location(self, name: str, loc: Tensor, init_scale: float, event_dim: int) -> None:
        scale = torch.full_like(loc, init_scale)
        set_deep(self.locs, self._paths[name], PyroParam(loc, event_dim=event_dim))
        set_deep(self.scales, self._paths[name], PyroParam(scale, self.scale_constraint, event_dim))

    def _add_factor(self, name: str, factor: Factor, layout: Layout, zeros: Tensor) -> None:
        """Make the parameters of a factor.

        Args:
            name: The site that the factor belongs to.
            factor: The factor.
            layout: The packed vector.
            zeros: A zero for each replicate.
        """
        num_rows = sum(layout.width(v, factor.plates) for v in factor.variables)
        if factor.numel is None:
            num_columns = layout.width(name, factor.plates)
        else:
            # A `pyro.factor` has no observed numbers, and may tie all that it looks at.
            num_columns = min(factor.numel or num_rows, num_rows)
        white = zeros.new_zeros(*zeros.shape, num_columns)
        # Noise, as the gradient of a product vanishes where both of its parts are zero.
        root = torch.rand(
            (*zeros.shape, num_rows, num_columns), dtype=zeros.dtype, device=zeros.device
        )
        # It is about x, of which the sites' own scales have been taken out.
        spread = DEFAULT_SCALE if isinstance(self._init_scale, Mapping) else self._init_scale
        root = (root - 0.5) * spread
        if factor.numel is None:
            root.diagonal(dim1=-2, dim2=-1).fill_(1)
        path = self._factor_paths[name]
        set_deep(self.white_vecs, path, PyroParam(white, event_dim=1))
        set_deep(self.prec_sqrts, path, PyroParam(root, event_dim=2))

    def _make_plan(self, layout: Layout, terms: list[Term]) -> tuple[Front, ...]:
        """The order of elimination; backends differ in it."""
        raise NotImplementedError

    def _posterior(self) -> SparseNormal:
        """The Normal of the packed x of all sites, event shape (D,)."""
        roots, whites = [], []
        for path in self._factor_paths.values():
            white, root = get_deep(self.white_vecs, path), get_deep(self.prec_sqrts, path)
            roots.append(root.reshape(-1, *root.shape[-2:]))
            whites.append(white.reshape(-1, white.shape[-1]))
        device = roots[0].device
        if self._plan[0].index.device != device:  # once: no copy to a GPU in each step
            self._plan = tuple(front.on(device) for front in self._plan)
        return SparseNormal(SparseCholesky(self._plan, roots, whites, self.latent_dim))

    def _locs_and_scales(self) -> dict[str, tuple[Tensor, Tensor]]:
        return {
            name: (get_deep(self.locs, path), get_deep(self.scales, path))
            for name, path in self._paths.items()
        }

    def _unpack(self, packed: Tensor) -> dict[str, Tensor]:
        """Cut a packed vector into sites.

        Args:
            packed: Shape (..., D); batch dims on the left are those of plates outside.

        Returns:
            For each site a tensor of its unconstrained shape, batch dims broadcast.
        """
        result, position = {}, 0
        for name, site in self._sites():
            shape = self._shapes[name]
            event_dim = len(shape) - len(site["fn"].batch_shape)
            batched = torch.broadcast_shapes(shape, packed.shape[:-1] + (1,) * event_dim)
            result[name] = packed[..., position : position + shape.numel()].reshape(batched)
            position += shape.numel()
        return result

    def _pack(self, values: Mapping[str, Tensor]) -> Tensor:
        """Lay sites side by side: shapes (*sample, *unconstrained site shape) to (*sample, D)."""
        parts = []
        for name, shape in self._shapes.items():
            sample_shape = values[name].shape[: values[name].dim() - len(shape)]
            parts.append(values[name].reshape(*sample_shape, -1))
        return torch.cat(parts, dim=-1)

    def _score_unconstrained(self, unconstrained: Mapping[str, Tensor]) -> Tensor:
        """The log density of given values of all sites, in unconstrained space.

        Args:
            unconstrained: For each site a tensor of shape (*sample, *unconstrained site shape).

        Returns:
            The guide's log density with respect to the unconstrained values, shape ``sample``.

        Raises:
            RuntimeError: The guide was not called yet.
            ValueError: A site is missing or does not have the shape it should have.
        """
        if self.prototype_trace is None:
            raise RuntimeError("Call the guide once first: it does not know its model yet.")
        for name, shape in self._shapes.items():
            if name not in unconstrained:
                raise ValueError(f"There is no value for site '{name}'.")
            found = unconstrained[name].shape
            if found[max(0, len(found) - len(shape)) :] != shape:
                raise ValueError(
                    f"The unconstrained value of site '{name}' has shape {tuple(found)}; expected "
                    f"{tuple(shape)}, after any sample dims."
                )
        standard, log_scale = {}, torch.zeros(())
        for name, (loc, scale) in self._locs_and_scales().items():
            standard[name] = (unconstrained[name] - loc) / scale
            log_scale = log_scale + scale.log().sum()
        log_prob: Tensor = self._posterior().log_prob(self._pack(standard)) - log_scale
        return log_prob
