"""The engine: fits a guide to a model, and says honestly how it went."""

from .errors import FitError
from .fit import fit
from .progress import Progress
from .result import FitResult
from .settings import FitSettings

__all__ = ["FitError", "FitResult", "FitSettings", "Progress", "fit"]
