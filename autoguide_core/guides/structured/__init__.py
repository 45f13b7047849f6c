"""The structured guide: noise site by site, dependencies between the sites."""

from autoguide_core.guides.structured.guide import AutoStructured

__all__ = ["AutoStructured"]
