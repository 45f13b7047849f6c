"""ArviZ, imported on first use: it takes a second, and writes a file that it can do without."""

from __future__ import annotations

import os
import tempfile
import warnings
from types import ModuleType
from unittest import mock


def arviz_module() -> ModuleType:
    """Return ArviZ.

    Its import keeps the date of its last warning in the user's folder for caches. Where that cannot
    be written, or another process has just done so, the date goes into a folder that is removed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own future
        try:
            import arviz
        except OSError:
            with (
                tempfile.TemporaryDirectory() as folder,
                mock.patch.dict(os.environ, XDG_CACHE_HOME=folder),
            ):
                import arviz
    module: ModuleType = arviz
    return module
