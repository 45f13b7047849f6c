"""``python -m benchmarks.parity [NAME …]``: one line a model and engine."""

from __future__ import annotations

import argparse
import sys
import warnings

from autoguide_core.engine.errors import RequestError
from benchmarks.parity.models import CASES
from benchmarks.parity.moments import compare


def main() -> int:
    """Compare the models that are named, or all; 1 if any differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of names; all models by default")
    parser.add_argument("--engines", default="graph,native", help="separated by commas")
    parser.add_argument("--draws", type=int, default=1000, help="calls of Pyro's estimator")
    parser.add_argument("--steps", type=int, default=4000, help="steps of ours")
    chosen = parser.parse_args()
    differ = 0
    for name, case in CASES.items():
        if chosen.names and not any(part in name for part in chosen.names):
            continue
        for engine in chosen.engines.split(","):
            try:
                found = compare(case, engine, chosen.draws, chosen.steps)
            except RequestError as refusal:
                print(f"{name}, {engine}: refused: {refusal}", flush=True)
                continue
            except Exception as error:
                differ += 1
                print(f"{name}, {engine}: {type(error).__name__}: {error}", flush=True)
                continue
            differ += not found.is_alike
            print(
                f"{name}, {engine}: ELBO {found.elbo:+.1f}, gradient {found.gradient:.1f} "
                f"standard errors at most ({found.entries} entries; {found.where})"
                + ("" if found.is_alike else "  DIFFERS"),
                flush=True,
            )
    print(f"{differ} differ")
    return min(differ, 1)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
