"""Fits that several processes make together; run by `torchrun`, or imported for one process.

torchrun --nproc-per-node 2 distributed_fits.py FOLDER together
torchrun --nproc-per-node 3 distributed_fits.py FOLDER resumed
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor

from autoguide_core import AutoNormal, FitError, FitResult, FitSettings, fit

ROWS = 600
LONG = 600


def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, 4, generator=generator, dtype=torch.float64)
    probability = torch.sigmoid(x @ torch.tensor([0.5, -1.0, 0.0, 2.0], dtype=torch.float64))
    uniform = torch.rand(ROWS, generator=generator, dtype=torch.float64)
    return x, (uniform < probability).double()


def logistic(x: Tensor, y: Tensor, minibatch: int = 60) -> None:
    beta = pyro.sample("beta", dist.Normal(0.0, 1.0).expand([4]).to_event(1))
    with pyro.plate("row", ROWS, subsample_size=minibatch) as index:
        pyro.sample("y", dist.Bernoulli(logits=x[index] @ beta), obs=y[index])


def local(x: Tensor, y: Tensor) -> None:
    beta = pyro.sample("beta", dist.Normal(0.0, 1.0).expand([4]).to_event(1))
    with pyro.plate("row", ROWS, subsample_size=60) as index:
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        pyro.sample("y", dist.Bernoulli(logits=x[index] @ beta + z), obs=y[index])


def scored(x: Tensor, y: Tensor) -> None:
    sign = pyro.sample("sign", dist.Bernoulli(torch.tensor(0.5).double()))
    scale = pyro.sample("scale", dist.Gamma(2.0, torch.tensor(1.0).double()))
    with pyro.plate("row", ROWS, subsample_size=60) as index:
        logits = scale * (2.0 * sign - 1.0) * x[index, 0]
        pyro.sample("y", dist.Bernoulli(logits=logits), obs=y[index])


def scored_guide(x: Tensor, y: Tensor) -> None:
    probability = pyro.param("probability", lambda: torch.tensor(0.4).double())
    pyro.sample("sign", dist.Bernoulli(probability.sigmoid()))
    rate = pyro.param("rate", lambda: torch.tensor(0.1).double())
    pyro.sample("scale", dist.Gamma(rate.exp() + 1.0, 2.0))


def mixture(x: Tensor, y: Tensor) -> None:
    gap = pyro.sample("gap", dist.Normal(torch.tensor(0.0).double(), 1.0))
    with pyro.plate("row", ROWS, subsample_size=60) as index:
        z = pyro.sample("z", dist.Bernoulli(0.3), infer={"enumerate": "parallel"})
        pyro.sample("x", dist.Normal(gap * z, torch.tensor(1.0).double()), obs=x[index, 0])


def mixture_guide() -> AutoNormal:
    return AutoNormal(poutine.block(mixture, hide=["z"]))


def whole(x: Tensor, y: Tensor) -> None:
    logistic(x, y, minibatch=ROWS)


def odd(x: Tensor, y: Tensor) -> None:
    logistic(x, y, minibatch=61)


def no_sum(x: Tensor, y: Tensor) -> None:
    beta = pyro.sample("beta", dist.Normal(0.0, 1.0).expand([4]).to_event(1))
    with pyro.plate("row", ROWS, subsample_size=60) as index:
        rows = x[index] - x[index].mean(0)
        pyro.sample("y", dist.Bernoulli(logits=rows @ beta), obs=y[index])


def crossed(x: Tensor, y: Tensor) -> None:
    with (
        pyro.plate("column", 4, subsample_size=2, dim=-2),
        pyro.plate("row", ROWS, subsample_size=60, dim=-1),
    ):
        pyro.sample("z", dist.Normal(torch.tensor(0.0).double(), 1.0))


def run(model: Any, guide: Any = None, **options: Any) -> FitResult:
    torch.set_default_dtype(torch.float64)
    checkpoint = {name: options.pop(name) for name in [*options] if name.startswith("checkpoint")}
    settings = FitSettings(**{"steps": 200, "method": "adam", "engine": "eager", **options})
    return fit(model, guide or AutoNormal(model), data(), settings=settings, **checkpoint)


def record(result: FitResult) -> dict[str, Any]:
    values = {name: torch.as_tensor(value) for name, value in result.parameter_values().items()}
    return {"elbo": torch.from_numpy(result.elbo), "notes": list(result.notes), **values}


def refusal(model: Any) -> str:
    try:
        run(model, steps=3)
    except FitError as error:
        return str(error)
    return "it was fitted"


FITS: dict[str, Callable[[], FitResult]] = {
    "graph": lambda: run(logistic, engine="graph"),
    "local": lambda: run(local, steps=30),
    "scored": lambda: run(scored, scored_guide, steps=30),
}
REFUSED = {"whole": whole, "odd": odd, "no sum": no_sum, "crossed": crossed}


def together(folder: Path) -> dict[str, Any]:
    refused = {name: refusal(model) for name, model in REFUSED.items()}
    return {"refused": refused, **{name: record(one()) for name, one in FITS.items()}}


def resumed(folder: Path | None) -> dict[str, Any]:
    options = {} if folder is None else {"checkpoint": folder / "fit.pt", "checkpoint_seconds": 0.0}
    return record(run(logistic, steps=LONG, **options))


if __name__ == "__main__":
    import torch.distributed

    torch.distributed.init_process_group("gloo")
    place = Path(sys.argv[1])
    found = {"together": together, "resumed": resumed}[sys.argv[2]](place)
    if os.environ["RANK"] == "0":
        torch.save(found, place / f"{sys.argv[2]}.pt")
    torch.distributed.destroy_process_group()
