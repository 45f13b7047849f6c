"""Pyro's reparameterisers that take a trained guide, made to take those of this package.

`NeuTraReparam` (Hoffman et al. 2019, https://arxiv.org/abs/1903.03704) and `StructuredReparam` are
not part of Pyro's guides, and need no second implementation. But each checks with ``isinstance``
that its guide is one of Pyro's own class. Under the name of that class they find both classes here,
so that a program that imports them from Pyro works as it is.
"""

from __future__ import annotations

import sys

from pyro.infer.reparam import NeuTraReparam, StructuredReparam

from autoguide_core.guides.continuous import AutoContinuous
from autoguide_core.guides.structured import AutoStructured

__all__ = ["NeuTraReparam", "StructuredReparam"]


def _accept(guide: type, reparam: type) -> None:
    """Let a reparameteriser's check pass for a guide class, beside that of the same name."""
    module = sys.modules[reparam.__module__]
    stock = getattr(module, guide.__name__)
    setattr(module, guide.__name__, (stock, guide))


_accept(AutoContinuous, NeuTraReparam)
_accept(AutoStructured, StructuredReparam)
