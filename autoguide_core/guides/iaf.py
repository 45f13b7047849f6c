"""`AutoIAFNormal`: an inverse autoregressive flow over the packed unconstrained vector."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from pyro.distributions.transforms import affine_autoregressive, iterated

from autoguide_core.guides.flow import AutoNormalizingFlow
from autoguide_core.initialization import InitStrategy


class AutoIAFNormal(AutoNormalizingFlow):
    """A guide made of inverse autoregressive flows (Kingma et al. 2016).

    See https://arxiv.org/abs/1606.04934.

    Args:
        model: A Pyro model.
        hidden_dim: The widths of the hidden layers of each flow; an int stands for one layer.
        init_loc_fn: Has no effect; kept for compatibility.
        num_transforms: The number of flows in sequence.
        **init_transform_kwargs: Further arguments of
            `pyro.distributions.transforms.affine_autoregressive`.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        hidden_dim: int | Sequence[int] | None = None,
        init_loc_fn: InitStrategy | None = None,
        num_transforms: int = 1,
        **init_transform_kwargs: Any,
    ) -> None:
        if init_loc_fn is not None:
            warnings.warn(
                "The init_loc_fn of AutoIAFNormal has no effect and will be removed.",
                FutureWarning,
                stacklevel=2,
            )
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
        )
