"""What is estimated at each step: the ELBO, and a surrogate whose gradient is the ELBO's.

Everything here can be traced to a graph of tensor operations: no value is read back to Python.
"""

from autoguide_core.engine.estimators.choice import make_estimator
from autoguide_core.engine.estimators.estimate import Estimate, Estimator, Untraceable

__all__ = ["Estimate", "Estimator", "Untraceable", "make_estimator"]
