"""An epidemic in compartments, by the class that Pyro has for it."""

from __future__ import annotations

import torch
from pyro.contrib.epidemiology.models import SimpleSIRModel

from autoguide_core import AutoNormal, init_to_value
from benchmarks.parity.case import Pair


def epidemic() -> Pair:
    """Susceptible, infected, recovered: a relaxed chain of counts, observed in part."""
    data = torch.tensor([1.0, 1.0, 2.0, 3.0, 5.0, 4.0, 2.0, 1.0])
    epidemic = SimpleSIRModel(population=50, recovery_time=2.0, data=data)
    epidemic.relaxed, epidemic.num_quant_bins = True, 1
    infected = 1.0 + torch.tensor([0.0, 1.0, 2.0, 4.0, 6.0, 7.0, 6.0, 4.0])
    susceptible = 48.0 - torch.tensor([1.0, 3.0, 6.0, 10.0, 15.0, 19.0, 22.0, 24.0])
    values = {
        "R0": torch.tensor(2.5),
        "rho": torch.tensor(0.6),
        "auxiliary": torch.stack([susceptible, infected]),
    }
    model = epidemic._relaxed_model
    return model, AutoNormal(model, init_loc_fn=init_to_value(values=values), init_scale=0.01)
