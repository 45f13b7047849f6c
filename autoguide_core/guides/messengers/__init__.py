"""Guides that are effect handlers: the model runs once, and each latent site is replaced."""

from autoguide_core.guides.messengers.base import AutoMessenger
from autoguide_core.guides.messengers.hierarchical import AutoHierarchicalNormalMessenger
from autoguide_core.guides.messengers.normal import AutoNormalMessenger
from autoguide_core.guides.messengers.regressive import AutoRegressiveMessenger

__all__ = [
    "AutoHierarchicalNormalMessenger",
    "AutoMessenger",
    "AutoNormalMessenger",
    "AutoRegressiveMessenger",
]
