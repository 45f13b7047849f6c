"""One fit made by several processes: each takes its share of every minibatch.

    workers.py   the processes, and the few things that they say to each other
    sharing.py   what of a step's plates and draws is one process's share
    handover.py  a step that ends with the gradient, ready to be averaged
    runner.py    share, average, update: what every process does at each step
    choice.py    which runner works out a share, and whether shares add up to the whole

The mean over the processes of the gradients of their shares is the gradient of the whole
minibatch, so that a fit does not depend on how many processes make it, but for rounding.
"""

from autoguide_core.engine.distributed.choice import share_out
from autoguide_core.engine.distributed.workers import WorkerLost, Workers

__all__ = ["WorkerLost", "Workers", "share_out"]
