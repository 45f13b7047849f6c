"""The public posteriors, written down in numpy from their description in words."""

from statements.counts import COUNTS
from statements.hierarchies import HIERARCHIES
from statements.mixtures import MIXTURES
from statements.processes import PROCESSES
from statements.regressions import REGRESSIONS
from statements.statement import Statement, Values

STATEMENTS: dict[str, Statement] = REGRESSIONS | COUNTS | HIERARCHIES | MIXTURES | PROCESSES

__all__ = ["STATEMENTS", "Statement", "Values"]
