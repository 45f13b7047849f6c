"""The structured guide: noise site by site, dependencies between the sites."""

from autoguide_core.guides.structured.guide import AutoStructured
from autoguide_core.guides.structured.reparam import StructuredReparam

__all__ = ["AutoStructured", "StructuredReparam"]
