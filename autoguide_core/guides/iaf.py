"""`AutoIAFNormal`: an inverse autoregressive flow over the packed unconstrained vector."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from pyro.distributions.transforms import affine_autoregressive, iterated

from autoguide_core.guides.flow import AutoNormalizingFlow
from autoguide_core.initialization import InitStrategy


class AutoIAFNormal(AutoNormalizingFlow):
    """A guide made of inverse autoregressive flows (Kingma et al. 2016).

    See https://arxiv.org/abs/1606.04934. Without ``init_loc_fn`` and ``init_scale`` the guide
    starts near N(0, I); with one of them it starts like the other families, by an affine layer:
    see `AutoNormalizingFlow`.

    Args:
        model: A Pyro model.
        hidden_dim: The widths of the hidden layers of each flow; an int stands for one layer. By
            default there is one of width 3 D + 1.
        init_loc_fn: The initialisation strategy of the affine layer's ``loc``.
        num_transforms: The number of flows in sequence.
        init_scale: The initial ``scale`` of the affine layer.
        **init_transform_kwargs: Further arguments of
            `pyro.distributions.transforms.affine_autoregressive`.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        hidden_dim: int | Sequence[int] | None = None,
        init_loc_fn: InitStrategy | None = None,
        num_transforms: int = 1,
        *,
        init_scale: float | None = None,
        **init_transform_kwargs: Any,
    ) -> None:
        hidden_dims = [hidden_dim] if isinstance(hidden_dim, int) else hidden_dim
        super().__init__(
            model,
            functools.partial(
                iterated,
                num_transforms,
                affine_autoregressive,
                hidden_dims=hidden_dims,
                **init_transform_kwargs,
            ),
            init_loc_fn=init_loc_fn,
            init_scale=init_scale,
        )
