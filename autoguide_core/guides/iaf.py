"""`AutoIAFNormal`: an inverse autoregressive flow over the packed unconstrained vector."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from pyro.distributions.transforms import AffineAutoregressive, iterated
from pyro.nn import AutoRegressiveNN
from torch import Tensor

from autoguide_core.guides.flow import AutoNormalizingFlow
from autoguide_core.guides.scales import InitScale
from autoguide_core.initialization import InitStrategy


class TypedAffineAutoregressive(AffineAutoregressive):
    """Pyro's transform, with an inverse that works in any dtype.

    The inverse of Pyro's own starts at zeros of the default dtype, and so cannot score a given
    value in a guide of another one.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # With stable=True the base class hides its methods behind attributes of the instance.
        self.__dict__.pop("_inverse", None)

    def _inverse(self, y: Tensor) -> Tensor:
        """The vectors that the transform takes to ``y``; shape (..., D).

        The image of an entry that is zero is its shift, in both variants of the transform.
        """
        entries = [torch.zeros_like(y[..., 0])] * y.shape[-1]
        for index in self.arn.permutation:
            shift = self._call(torch.stack(entries, dim=-1))[..., index]
            entries[index] = (y[..., index] - shift) * torch.exp(
                -self._cached_log_scale[..., index]
            )
        return torch.stack(entries, dim=-1)


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
        init_scale: The initial ``scale`` of the affine layer; or scales by site name, 0.1 for the
            rest.
        **init_transform_kwargs: Further arguments of
            `pyro.distributions.transforms.AffineAutoregressive`.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        hidden_dim: int | Sequence[int] | None = None,
        init_loc_fn: InitStrategy | None = None,
        num_transforms: int = 1,
        *,
        init_scale: InitScale | None = None,
        **init_transform_kwargs: Any,
    ) -> None:
        hidden_dims = [hidden_dim] if isinstance(hidden_dim, int) else hidden_dim
        super().__init__(
            model,
            functools.partial(
                iterated,
                num_transforms,
                _autoregressive,
                hidden_dims=hidden_dims,
                **init_transform_kwargs,
            ),
            init_loc_fn=init_loc_fn,
            init_scale=init_scale,
        )


def _autoregressive(input_dim: int, hidden_dims: Sequence[int] | None, **options: Any) -> Any:
    widths = [3 * input_dim + 1] if hidden_dims is None else list(hidden_dims)
    return TypedAffineAutoregressive(AutoRegressiveNN(input_dim, widths), **options)
