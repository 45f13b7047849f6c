"""`AutoBNAFNormal`: a block neural autoregressive flow over the packed unconstrained vector."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from pyro.distributions.torch_transform import ComposeTransformModule
from pyro.distributions.transforms import BlockAutoregressive, Permute
from pyro.distributions.transforms.block_autoregressive import MaskedBlockLinear
from torch import Tensor

from autoguide_core.guides.flow import AutoNormalizingFlow
from autoguide_core.guides.scales import DEFAULT_SCALE, InitScale
from autoguide_core.guides.triangular import invert_triangular, with_inverse_gradient
from autoguide_core.initialization import InitStrategy, init_to_uniform

_EPS = 1e-8
"""Keeps a norm from zero, as in Pyro."""


class GatedBlockAutoregressive(BlockAutoregressive):
    """A block neural autoregressive transform onto the whole space, with an inverse.

    Without a residual path the range of the network is bounded, since tanh is: the flow would have
    no tails, and no inverse beyond some distance. The paper's gated residual path
    ``a x + (1 - a) f(x)`` gives both. The inverse is found numerically.

    Args:
        input_dim: The length D of the vectors.
        hidden_factors: The hidden units of each layer for each entry of the vector.
    """

    def __init__(self, input_dim: int, hidden_factors: Sequence[int]) -> None:
        super().__init__(input_dim, hidden_factors=list(hidden_factors), residual="gated")
        for layer in self.modules():
            if isinstance(layer, MaskedBlockLinear):
                layer.__class__ = _BlockLinear

    def _inverse(self, y: Tensor) -> Tensor:
        """The vectors that the transform takes to ``y``; shape (..., D)."""
        with torch.no_grad():
            x = invert_triangular(self._value_and_slope, y)
        if torch.is_grad_enabled():
            x = with_inverse_gradient(self._call, x, y)
        # Leaves the Jacobian at x where log_abs_det_jacobian reads that of the latest call.
        self._call(x)
        return x

    def _value_and_slope(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The image and the diagonal of the Jacobian, each (..., D)."""
        value: Tensor = self._call(x)
        return value, self._cached_logDetJ.exp()


class _BlockLinear(MaskedBlockLinear):
    """The layer of Pyro's with its diagonal blocks as views: a boolean index waits for a GPU."""

    def get_weights(self) -> tuple[Tensor, Tensor]:
        """The normalised weights (out, in), and the logs of their diagonal blocks.

        Returns:
            The second of shape (D, out / D, in / D).
        """
        weight = self._weight.exp() * self.mask_d + self._weight * self.mask_o
        square_norm = weight.square().sum(-1, keepdim=True)
        normalised = self._diag_weight.exp() * weight / (square_norm.sqrt() + _EPS)
        logs = self._diag_weight + self._weight - 0.5 * (square_norm + _EPS).log()
        blocks = logs.reshape(self.dim, logs.shape[0] // self.dim, self.dim, -1)
        return normalised, blocks.diagonal(dim1=0, dim2=2).permute(2, 0, 1)


class AutoBNAFNormal(AutoNormalizingFlow):
    """A guide made of block neural autoregressive flows (De Cao, Titov and Aziz 2019).

    See https://arxiv.org/abs/1904.04676. Each entry of the vector is a monotone neural network of
    its own noise, given the noise of the entries before it. This is more flexible than the affine
    map of `AutoIAFNormal`: one flow can fit several modes and sharp bends. Between flows the order
    of the entries is reversed.

    An affine layer with trainable ``loc`` and ``scale`` follows the flows, as in
    `AutoNormalizingFlow`. The score of the guide's latest draw is cheap. That of any other value
    needs a numerical inverse, of some 20 passes through the network.

    Args:
        model: A Pyro model.
        num_flows: The number of flows in sequence.
        hidden_factors: The hidden units of each layer of a flow for each entry of the vector.
        init_loc_fn: The initialisation strategy of ``loc``.
        init_scale: The initial ``scale``; or scales by site name, 0.1 for the rest.

    Attributes:
        transform: The flows, without the affine layer; None before the guide is set up.
        loc: The shift of the affine layer, shape (D,).
        scale: The positive factor of the affine layer, shape (D,).

    Raises:
        ValueError: ``num_flows`` or one of ``hidden_factors`` is not a positive integer.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        *,
        num_flows: int = 1,
        hidden_factors: Sequence[int] = (8, 8),
        init_loc_fn: InitStrategy = init_to_uniform,
        init_scale: InitScale = DEFAULT_SCALE,
    ) -> None:
        if not _is_positive_integer(num_flows):
            raise ValueError(f"Expected an integer num_flows > 0, but got {num_flows!r}.")
        if not hidden_factors or not all(map(_is_positive_integer, hidden_factors)):
            raise ValueError(
                f"Expected a list of integers > 0 as hidden_factors, but got {hidden_factors!r}."
            )
        super().__init__(
            model,
            functools.partial(_flows, num_flows, tuple(hidden_factors)),
            init_loc_fn=init_loc_fn,
            init_scale=init_scale,
        )


def _flows(num_flows: int, hidden_factors: tuple[int, ...], input_dim: int) -> Any:
    """Flows in sequence, the order of the entries reversed between them."""
    parts: list[Any] = []
    for index in range(num_flows):
        if index:
            parts.append(Permute(torch.arange(input_dim - 1, -1, -1)))
        parts.append(GatedBlockAutoregressive(input_dim, hidden_factors))
    return ComposeTransformModule(parts)


def _is_positive_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
