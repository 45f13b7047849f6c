"""Faults of all kinds, one after the other."""

from __future__ import annotations

from random import Random

from fuzz.clock import Clock
from fuzz.faults import arguments, interrupts, kills, races
from fuzz.findings import Findings

KINDS = (arguments.try_some, interrupts.try_some, races.try_some, kills.try_some)
_WEIGHTS = (6, 3, 2, 1)


def run(random: Random, clock: Clock, findings: Findings) -> None:
    """Put faults into commands."""
    while clock.going():
        findings.counts["inputs"] += 1
        random.choices(KINDS, _WEIGHTS)[0](random, findings)
