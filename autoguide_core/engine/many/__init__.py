"""Many fits of one model and guide at once: other starts and seeds, or other data of one shape."""

from autoguide_core.engine.many.fit_many import fit_many
from autoguide_core.engine.many.result import Many

__all__ = ["Many", "fit_many"]
