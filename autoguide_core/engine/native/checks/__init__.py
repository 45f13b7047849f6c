"""Checks between the passes of the native compiler: what each of them must leave true.

They are on where ``PPLC_CHECKS`` is 1, as in the tests. What they find is a mistake of the
compiler, never of a model, and is raised as :class:`PassError`.
"""

from __future__ import annotations

import os

from autoguide_core.engine.native.checks.elements import PassError
from autoguide_core.engine.native.checks.memory import check_memory
from autoguide_core.engine.native.checks.program import check_program

__all__ = ["PassError", "are_on", "check_memory", "check_program"]


def are_on() -> bool:
    """Whether the environment asks for the checks."""
    return os.environ.get("PPLC_CHECKS", "") not in ("", "0")
