"""Time our guides beside Pyro's, in one run: set-up, one ELBO-and-gradient step, posterior draws.

    python benchmarks/guides.py [--sites 10 100 1000] [--families AutoNormal …]

Every row is the same eager Pyro program with the guide class of either library: a model of N latent
sites, a third each real, positive and in an interval, and one likelihood. Figures are medians of
repeated runs, taken alternately, on one thread. For 10,000 draws each library goes its fastest way:
``sample_posterior`` here, one run inside a plate of draws with Pyro.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import Trace_ELBO
from pyro.infer import autoguide as stock
from rich.console import Console
from rich.table import Table

import autoguide_core as ours

FAMILIES = [
    "AutoNormal",
    "AutoDelta",
    "AutoDiagonalNormal",
    "AutoMultivariateNormal",
    "AutoLowRankMultivariateNormal",
    "AutoIAFNormal",
    "AutoLaplaceApproximation",
]
NUM_DRAWS = 10_000
SECONDS = 1.5


def model_of(num_sites: int) -> Callable[[], None]:
    """A model of many sites with different supports and one likelihood."""
    priors = [
        lambda: dist.Normal(0.0, 1.0),
        lambda: dist.LogNormal(0.0, 0.5),
        lambda: dist.Uniform(-1.0, 1.0),
    ]

    def model() -> None:
        total = torch.zeros(())
        for index in range(num_sites):
            total = total + pyro.sample(f"x_{index}", priors[index % 3]())
        pyro.sample("y", dist.Normal(total, 1.0), obs=torch.tensor(0.5 * num_sites))

    return model


def set_up(library: Any, family: str, num_sites: int) -> Any:
    """A guide of a family, set up in a store of its own."""
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    model = model_of(num_sites)
    guide = getattr(library, family)(model)
    guide()
    return guide


def step(guide: Any, model: Callable[[], None]) -> None:
    """One ELBO and its gradients."""
    Trace_ELBO().loss_and_grads(model, guide)


def draw(library: Any, guide: Any) -> None:
    """Many posterior draws at once."""
    with torch.no_grad():
        if library is ours:
            guide.sample_posterior(NUM_DRAWS)
        else:
            with pyro.plate("draws", NUM_DRAWS, dim=-1):
                guide()


def alternate(actions: list[Callable[[], Any]], seconds: float = SECONDS) -> list[float]:
    """The median time of each action, in seconds; they take turns until the time is up."""
    times: list[list[float]] = [[] for _ in actions]
    for action in actions:
        action()
    gc.collect()
    gc.freeze()  # a full collection in a step would time the libraries' own objects
    end = time.perf_counter() + seconds * len(actions)
    while time.perf_counter() < end or len(times[0]) < 3:
        for action, record in zip(actions, times, strict=True):
            start = time.perf_counter()
            action()
            record.append(time.perf_counter() - start)
    return [statistics.median(record) for record in times]


def compare(family: str, num_sites: int) -> list[tuple[str, float, float]]:
    """Each figure of a family at a size: its name, our time and Pyro's."""
    libraries = [ours, stock]
    rows = []
    first = alternate([lambda lib=lib: set_up(lib, family, num_sites) for lib in libraries])
    rows.append(("set-up", *first))
    stepping, drawing = [], []
    for library in libraries:
        guide = set_up(library, family, num_sites)
        store = pyro.get_param_store().get_state()
        model = model_of(num_sites)

        def in_store(action: Callable[[], Any], store: Any = store) -> Callable[[], Any]:
            def act() -> None:
                with pyro.get_param_store().scope(store):
                    action()

            return act

        stepping.append(in_store(lambda g=guide, m=model: step(g, m)))
        drawing.append(in_store(lambda lib=library, g=guide: draw(lib, g)))
    rows.append(("step", *alternate(stepping)))
    rows.append((f"{NUM_DRAWS:,} draws", *alternate(drawing)))
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--families", nargs="+", default=FAMILIES, choices=FAMILIES)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    table = Table(title=f"torch {torch.__version__}, Pyro {pyro.__version__}, one thread, ms")
    for column in ("family", "sites", "what", "ours", "Pyro", "Pyro / ours"):
        table.add_column(column, justify="left" if column in ("family", "what") else "right")
    for family in options.families:
        for num_sites in options.sites:
            for what, mine, theirs in compare(family, num_sites):
                table.add_row(
                    family,
                    f"{num_sites:,}",
                    what,
                    f"{mine * 1e3:.3g}",
                    f"{theirs * 1e3:.3g}",
                    f"{theirs / mine:.2f}",
                )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
