"""Parameters and notes that many rows share."""

from __future__ import annotations

from compiler.tables.distribution_row import Parameter

LOC = Parameter("loc")
SCALE = Parameter("scale", "positive")
RATE = Parameter("rate", "positive")
CONCENTRATION = Parameter("concentration", "positive")
DF = Parameter("df", "positive")

PROBS = Parameter("probs", "unit_interval", group="chance")
LOGITS = Parameter("logits", group="chance")
"""The chance of a success, or its log odds."""

CLASS_PROBS = Parameter("probs", "simplex", ("n",), group="chance")
CLASS_LOGITS = Parameter("logits", "real", ("n",), group="chance")
"""The chance of each class (Pyro normalises it), or its logarithm up to a constant."""

TRIALS = Parameter("total_count", "nonnegative_integer", default=1)
"""How many trials there are."""
