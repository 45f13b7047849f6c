"""Sequences: lags, recurrences and hidden Markov chains, vectorised along one axis.

Everything works on tensors with any dims on the left, and takes the axis of the steps as `dim`, as
a `pyro.plate` does:

>>> import torch
>>> previous(torch.tensor([1.0, 2.0, 3.0]), default=0.0)
tensor([0., 1., 2.])
>>> linear_recurrence(1.0, 0.0, 0.5, length=4)
tensor([1.0000, 0.5000, 0.2500, 0.1250])
"""

from autoguide_core.sequences.hidden import HiddenMarkov, drawn_states, two_states
from autoguide_core.sequences.linear import linear_recurrence, linear_system
from autoguide_core.sequences.steps import at_step, initially, joined, previous, since

__all__ = [
    "HiddenMarkov",
    "at_step",
    "drawn_states",
    "initially",
    "joined",
    "linear_recurrence",
    "linear_system",
    "previous",
    "since",
    "two_states",
]
