"""Runs the campaigns: `python -m fuzz --seconds 600 --seed 1`."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from random import Random

from fuzz.campaigns import CAMPAIGNS
from fuzz.clock import Clock
from fuzz.findings import Findings
from fuzz.regressions import regressions


def main(words: list[str] | None = None) -> int:
    """Run what the command line says; return 1 where a fault was found."""
    asked = _parser().parse_args(words)
    names = [name for name in CAMPAIGNS if name in (asked.only or ",".join(CAMPAIGNS)).split(",")]
    shares = sum(CAMPAIGNS[name].share for name in names)
    faults = 0
    for name in names:
        campaign = CAMPAIGNS[name]
        origin = f"python -m fuzz --only {name} --seed {asked.seed}"
        findings = Findings(asked.out / name, origin)
        print(f"{name}: {campaign.what}", flush=True)
        begun = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _, regression in regressions(name):
                regression(findings)
            known = findings.counts["inputs"]
            seconds = asked.seconds * campaign.share / shares
            campaign.run(Random(asked.seed), Clock(seconds, asked.limit), findings)
        took = time.monotonic() - begun
        print(f"  {known} known and {findings.counts['inputs'] - known} new inputs, {took:.0f} s")
        print("".join(f"  {line}\n" for line in findings.lines()), end="", flush=True)
        faults += len(findings.found)
    print(f"{faults} faults" + (f"; their inputs are in {asked.out}" if faults else ""))
    return int(faults > 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="for all campaigns together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help=f"campaigns, with commas: {', '.join(CAMPAIGNS)}")
    parser.add_argument("--limit", type=int, default=10**12, help="inputs of each campaign")
    parser.add_argument("--out", type=Path, default=Path("fuzz-findings"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
