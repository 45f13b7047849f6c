"""Mutated and generated specs, one after the other."""

from __future__ import annotations

from random import Random

from fuzz.clock import Clock
from fuzz.findings import Findings
from fuzz.specs.checks import check
from fuzz.specs.generated import generated
from fuzz.specs.linted import Linted
from fuzz.specs.mutations import mutated
from fuzz.specs.seeds import golden, seeds

_LONGEST = 6000
_EVERY = 8
_MOST = 3000


def run(random: Random, clock: Clock, findings: Findings) -> None:
    """Try mutated specs, mutants of mutants that compile, and generated ones."""
    pool = [spec for spec in (*golden(), *seeds()) if len(spec) < _LONGEST]
    linted = Linted(findings)
    while clock.going():
        made = random.random() < 0.2
        text = generated(random) if made else mutated(random.choice(pool), random)
        source = check(text, findings, deep=findings.counts["inputs"] % _EVERY == 0)
        if source is None:
            continue
        linted.add(text, source)
        if random.random() < 0.05 and len(text) < _LONGEST and len(pool) < _MOST:
            pool.append(text)
    linted.look()
