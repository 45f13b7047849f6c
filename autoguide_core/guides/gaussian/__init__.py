"""`AutoGaussian`: a joint Normal guide with the sparsity of the model's posterior."""

from autoguide_core.guides.gaussian.backends import (
    AutoGaussianDense,
    AutoGaussianFunsor,
    AutoGaussianStructured,
)
from autoguide_core.guides.gaussian.guide import AutoGaussian

__all__ = ["AutoGaussian", "AutoGaussianDense", "AutoGaussianFunsor", "AutoGaussianStructured"]
