"""The engine: fits a guide to a model, and says honestly how it went."""

from autoguide_core.engine.errors import FitError
from autoguide_core.engine.fit import fit
from autoguide_core.engine.many import Many, fit_many
from autoguide_core.engine.progress import Progress
from autoguide_core.engine.result import FitResult
from autoguide_core.engine.settings import FitSettings

__all__ = ["FitError", "FitResult", "FitSettings", "Many", "Progress", "fit", "fit_many"]
