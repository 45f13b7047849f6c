"""`AutoStructured`, under the module path that users of Pyro import."""

from autoguide_core.guides.structured import AutoStructured

__all__ = ["AutoStructured"]
