"""All campaigns, and how the time is shared among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import fuzz.data.campaign
import fuzz.edges.campaign
import fuzz.faults.campaign
import fuzz.ir.campaign
import fuzz.models.campaign
import fuzz.saved.campaign
import fuzz.semantics.campaign
import fuzz.specs.campaign
from fuzz.clock import Clock
from fuzz.findings import Findings


@dataclass(frozen=True)
class Campaign:
    """A row of the table.

    Attributes:
        run: Tries inputs as long as the clock says.
        share: Its share of the time, relative to the others'.
        what: What it tries.
    """

    run: Callable[[Random, Clock, Findings], None]
    share: float
    what: str


CAMPAIGNS = {
    "specs": Campaign(fuzz.specs.campaign.run, 2, "mutated and generated specs"),
    "ir": Campaign(fuzz.ir.campaign.run, 1, "hostile IR files"),
    "data": Campaign(fuzz.data.campaign.run, 1, "hostile data files"),
    "saved": Campaign(fuzz.saved.campaign.run, 1, "checkpoints and fits that were tampered with"),
    "semantics": Campaign(
        fuzz.semantics.campaign.run, 3, "random models: scipy, eager torch, graph, native code"
    ),
    "models": Campaign(
        fuzz.models.campaign.run, 3, "random models of Pyro: every engine and stock Pyro"
    ),
    "edges": Campaign(fuzz.edges.campaign.run, 1, "fits of edge cases with exact posteriors"),
    "faults": Campaign(
        fuzz.faults.campaign.run, 2, "odd arguments, signals, kills, files that change"
    ),
}
"""The campaigns, by name, in the order in which they run."""
