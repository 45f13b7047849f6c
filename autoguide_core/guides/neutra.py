"""`NeuTraReparam`: a trained guide as the geometry in which another method samples the model."""

from __future__ import annotations

from typing import Any

from pyro.infer.reparam import NeuTraReparam as StockNeuTraReparam
from torch import Tensor

from autoguide_core.guides.continuous import AutoContinuous


class NeuTraReparam(StockNeuTraReparam):
    """Neural transport (Hoffman et al. 2019, https://arxiv.org/abs/1903.03704).

    Pyro's class of this name accepts guides of its own `AutoContinuous` only; this one accepts
    those of this package. All sites share one instance::

        neutra = NeuTraReparam(trained_guide)
        nuts = NUTS(neutra.reparam(model))

    Args:
        guide: A trained guide, the transform of which does not depend on the model's arguments.

    Raises:
        TypeError: The guide is not an `AutoContinuous`.
    """

    def __init__(self, guide: AutoContinuous) -> None:
        if not isinstance(guide, AutoContinuous):
            raise TypeError(
                f"NeuTraReparam expected an AutoContinuous guide, but got {type(guide).__name__}."
            )
        self.guide = guide
        self.transform: Any = None
        self.x_unconstrained: dict[str, tuple[Any, Tensor]] = {}
        self.is_observed: bool | None = None
