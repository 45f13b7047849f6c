"""`AutoNormalizingFlow`: a standard Normal pushed through a trainable bijection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor, nn

from autoguide_core.guides.continuous import AutoContinuous
from autoguide_core.initialization import init_to_feasible


class AutoNormalizingFlow(AutoContinuous):
    """A guide made of a normalising flow over the packed unconstrained vector.

    Its median and quantiles are taken over draws.

    Example::

        guide = AutoNormalizingFlow(model, partial(iterated, 2, block_autoregressive))

    Args:
        model: A Pyro model.
        init_transform_fn: Called once with D; returns a transform of vectors of that length, a
            `TransformModule` if it has parameters.

    Attributes:
        transform: The flow; None before the guide is set up.
    """

    transform: Any

    def __init__(self, model: Callable[..., Any], init_transform_fn: Callable[[int], Any]) -> None:
        super().__init__(model, init_loc_fn=init_to_feasible)
        self._init_transform_fn = init_transform_fn
        self.transform = None
        self._prototype_tensor: Tensor = torch.zeros(())

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        loc = self._init_loc()
        transform = self._init_transform_fn(self.latent_dim)
        if isinstance(transform, nn.Module):
            # The flow is made in the default dtype; the model may be in another.
            transform.to(dtype=loc.dtype, device=loc.device)
        self.transform = transform
        self._prototype_tensor = loc.new_zeros(())

    def get_base_dist(self) -> Any:
        """A standard Normal of event shape (D,), in the dtype of the model."""
        zero = self._prototype_tensor.new_zeros(1)
        return dist.Normal(zero, torch.ones_like(zero)).expand([self.latent_dim]).to_event(1)

    def get_transform(self, *args: Any, **kwargs: Any) -> Any:
        """The flow."""
        return self.transform
