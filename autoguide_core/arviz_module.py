"""ArviZ, imported on first use: it takes a second, and writes a file that it can do without."""

from __future__ import annotations

import os
import tempfile
import warnings
from types import ModuleType
from unittest import mock


def arviz_module() -> ModuleType:
    """Return ArviZ.

    Its import keeps the date of its last warning in the user's folder for caches, and looks for
    settings in the working directory. Where the one cannot be written, or another process has just
    done so, or the other has been removed, a folder takes their places that is removed again.
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
                try:
                    os.getcwd()
                except OSError:
                    os.chdir(folder)
                import arviz
    module: ModuleType = arviz
    return module
