"""`StructuredReparam`: a trained structured guide as the geometry in which a model is sampled."""

from __future__ import annotations

from typing import Any

from pyro.infer.reparam.structured import StructuredReparam as StockStructuredReparam

from autoguide_core.guides.structured.guide import AutoStructured


class StructuredReparam(StockStructuredReparam):
    """Preconditioning by a structured guide (after Hoffman et al. 2019, arXiv:1903.03704).

    Pyro's class of this name accepts Pyro's own `AutoStructured` only; this one accepts that of
    this package. All sites share one instance::

        reparam = StructuredReparam(trained_guide)
        nuts = NUTS(reparam.reparam(model))

    Args:
        guide: A trained guide; its parameters are frozen.

    Raises:
        TypeError: The guide is not an `AutoStructured`.
    """

    def __init__(self, guide: AutoStructured) -> None:
        if not isinstance(guide, AutoStructured):
            raise TypeError(
                "StructuredReparam expected an AutoStructured guide, but got "
                f"{type(guide).__name__}."
            )
        self.guide = guide.requires_grad_(False)
        self.deltas: dict[str, Any] = {}
