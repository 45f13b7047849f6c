"""Guides by differentiable annealed importance sampling."""

from autoguide_core.guides.dais.guide import AutoDAIS
from autoguide_core.guides.dais.semi import AutoSemiDAIS

__all__ = ["AutoDAIS", "AutoSemiDAIS"]
