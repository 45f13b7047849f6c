"""Random models, most of them small, some beyond every threshold of the compiler."""

from __future__ import annotations

import warnings
from random import Random

import numpy as np
import torch

from fuzz.clock import Clock
from fuzz.compilers import quick_compilation
from fuzz.findings import Findings
from fuzz.semantics.comparison import compare_model, points_at_a_time
from fuzz.semantics.model import RandomModel, Sizes

LARGE = 0.15
"""How many of the models have data for which native code groups rows and starts threads."""


def run(random: Random, clock: Clock, findings: Findings) -> None:
    """Compare random models, with as many threads as the process has."""
    with quick_compilation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while clock.going():
            large = random.random() < LARGE
            sizes = Sizes.large(random) if large else Sizes.small(random)
            torch.set_num_threads(random.choice([1, 2, 4]) if large else 1)
            findings.counts["large models"] += large
            with np.errstate(all="ignore"):
                compare_model(RandomModel(sizes, random), points_at_a_time(random), findings)
