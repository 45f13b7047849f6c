"""Solutions of ordinary differential equations, for models whose steps are recorded and compiled.

``solve`` is the front door. A solution is one operation of torch (``operation``), made by a solver:
one of fixed steps (``fixed``), compiled with the engine's means, or one of torchdiffeq's
(``adaptive``).
"""

from autoguide_core.functions.odes.solve import solve

__all__ = ["solve"]
