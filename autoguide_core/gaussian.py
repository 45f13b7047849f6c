"""`AutoGaussian`, under the module path that users of Pyro import."""

from autoguide_core.guides.gaussian import AutoGaussian

__all__ = ["AutoGaussian"]
