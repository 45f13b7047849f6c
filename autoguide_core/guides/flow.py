"""`AutoNormalizingFlow`: a standard Normal pushed through a trainable bijection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.nn.module import PyroParam
from torch import Tensor, nn

from autoguide_core.guides.continuous import AutoContinuous
from autoguide_core.guides.scales import (
    DEFAULT_SCALE,
    InitScale,
    checked_init_scale,
    packed_init_scale,
)
from autoguide_core.initialization import InitStrategy, init_to_feasible, init_to_median


class AutoNormalizingFlow(AutoContinuous):
    """A guide made of a normalising flow over the packed unconstrained vector.

    This is variational inference with normalising flows (Rezende and Mohamed 2015,
    https://arxiv.org/abs/1505.05770). The median and the quantiles are taken over draws.

    A flow starts near N(0, I), wherever the posterior lies. With ``init_loc_fn`` or ``init_scale``
    an affine layer ``loc + scale * flow(noise)`` with trainable ``loc`` and ``scale`` follows the
    flow, so that the guide starts where the other families do.

    Example::

        guide = AutoNormalizingFlow(
            model, partial(iterated, 2, block_autoregressive), init_loc_fn=init_to_median
        )

    Args:
        model: A Pyro model.
        init_transform_fn: Called once with D; returns a transform of vectors of that length, a
            `TransformModule` if it has parameters.
        init_loc_fn: The initialisation strategy of ``loc``; by default `init_to_median` if there is
            an affine layer.
        init_scale: The initial ``scale``, or scales by site name; by default 0.1 if there is an
            affine layer.

    Attributes:
        transform: The flow, without the affine layer; None before the guide is set up.
        loc: The shift of the affine layer, shape (D,); only if there is one.
        scale: The positive factor of the affine layer, shape (D,); only if there is one.
    """

    transform: Any
    scale_constraint = constraints.softplus_positive

    def __init__(
        self,
        model: Callable[..., Any],
        init_transform_fn: Callable[[int], Any],
        *,
        init_loc_fn: InitStrategy | None = None,
        init_scale: InitScale | None = None,
    ) -> None:
        self._is_affine = init_loc_fn is not None or init_scale is not None
        self._init_scale = checked_init_scale(DEFAULT_SCALE if init_scale is None else init_scale)
        fallback = init_to_median if self._is_affine else init_to_feasible
        super().__init__(model, init_loc_fn=init_loc_fn or fallback)
        self._init_transform_fn: Callable[[int], Any] | None = init_transform_fn
        self.transform = None
        self._prototype_tensor: Tensor = torch.zeros(())

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        assert self._init_transform_fn is not None
        loc = self._init_loc()
        transform = self._init_transform_fn(self.latent_dim)
        if isinstance(transform, nn.Module):
            # The flow is made in the default dtype; the model may be in another.
            transform.to(dtype=loc.dtype, device=loc.device)
        _move_constants(transform, loc)
        self.transform = transform
        self._prototype_tensor = loc.new_zeros(())
        if self._is_affine:
            self.loc = nn.Parameter(loc)
            scale = packed_init_scale(self._init_scale, self._unconstrained_shapes, loc)
            self.scale = PyroParam(scale, self.scale_constraint)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # Pyro's flows save one of their weights under a second name.
        state_dict.pop(f"{prefix}_prototype_tensor", None)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def get_base_dist(self) -> Any:
        """A standard Normal of event shape (D,), in the dtype of the model."""
        zero = self._prototype_tensor.new_zeros(1)
        return dist.Normal(zero, torch.ones_like(zero)).expand([self.latent_dim]).to_event(1)

    def get_transform(self, *args: Any, **kwargs: Any) -> Any:
        """The flow, followed by the affine layer if there is one."""
        if not self._is_affine:
            return self.transform
        # Both parts remember their latest values, so that a draw is scored without an inverse.
        affine = dist.transforms.AffineTransform(self.loc, self.scale, cache_size=1)
        return dist.transforms.ComposeTransform([self.transform, affine])

    def __getstate__(self) -> dict[str, Any]:
        # A guide is saved without its model, hence cannot be set up anew; and what makes the flow
        # is often a lambda, which cannot be saved.
        return {**super().__getstate__(), "_init_transform_fn": None}


def _move_constants(transform: Any, like: Tensor) -> None:
    """Move what no module would: the order of a permutation between two flows, say."""
    for part in (transform, *getattr(transform, "parts", ())):
        for name, value in list(vars(part).items()):
            if isinstance(value, Tensor):
                dtype = like.dtype if value.is_floating_point() else value.dtype
                setattr(part, name, value.to(device=like.device, dtype=dtype))
