"""`AutoGaussian`, under the module path that users of Pyro import."""

from autoguide_core.guides.gaussian import (
    AutoGaussian,
    AutoGaussianDense,
    AutoGaussianFunsor,
    AutoGaussianStructured,
)

__all__ = ["AutoGaussian", "AutoGaussianDense", "AutoGaussianFunsor", "AutoGaussianStructured"]
