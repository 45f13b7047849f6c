"""What is subtracted from the cost of a draw, so that its score function has less variance.

A baseline does not depend on the draw, so that it leaves the mean of the gradient as it is.

Sources: Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement
learning" (1992), for running averages; Kool, van Hoof and Welling, "Buy 4 REINFORCE samples, get a
baseline for free!" (2019), for several draws; Mnih and Gregor, "Neural variational inference and
learning in belief networks" (2014), for learned ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from pyro.distributions.util import detach
from torch import Tensor

from autoguide_core.engine.errors import FitError

_OPTIONS = (
    "nn_baseline",
    "nn_baseline_input",
    "use_decaying_avg_baseline",
    "baseline_beta",
    "baseline_value",
)
_BETA = 0.9


@dataclass(frozen=True)
class Baseline:
    """The baseline of one site in one run of the guide.

    Attributes:
        beta: The share that the running average of costs keeps at each step; None for no average.
        learned: A value of the user's own, which may have parameters; None for none.
        leave_one_out: Whether each particle's baseline is the mean cost of the others.
    """

    beta: float | None
    learned: Tensor | None
    leave_one_out: bool

    @classmethod
    def of(cls, name: str, infer: Mapping[str, Any], particles: int) -> Self:
        """Read ``infer["baseline"]``, which has the options of Pyro's ``TraceGraph_ELBO``.

        Without it, several particles are the baselines of each other, and one particle has a
        running average.

        Raises:
            FitError: For an option that does not exist, or two that exclude each other.
        """
        options = infer.get("baseline")
        if not options:
            several = particles > 1
            return cls(None if several else _BETA, None, leave_one_out=several)
        if unknown := [option for option in options if option not in _OPTIONS]:
            raise FitError(
                f"site {name!r} has the baseline option {unknown[0]!r}, which is not one of "
                + ", ".join(_OPTIONS),
                site=name,
            )
        network, learned = options.get("nn_baseline"), options.get("baseline_value")
        if network is not None and learned is not None:
            raise FitError(
                f"site {name!r} has both nn_baseline and baseline_value; give one", site=name
            )
        if network is not None:
            learned = network(detach(options["nn_baseline_input"]))
        decaying = options.get("use_decaying_avg_baseline", False)
        beta = options.get("baseline_beta", _BETA) if decaying else None
        return cls(beta, None if learned is None else torch.as_tensor(learned), False)

    def value(self, cost: Tensor, learned: Tensor | None, average: Tensor | None) -> Tensor:
        """The baseline of each particle.

        Args:
            cost: The costs, shape (P, ...).
            learned: The values of the user's own, of a shape that expands to the costs'.
            average: The running average so far, shape (...).
        """
        value = torch.zeros_like(cost)
        if self.leave_one_out and len(cost) > 1:  # one is left where others have not met the site
            value = (cost.sum(0, keepdim=True) - cost) / (len(cost) - 1)
        if average is not None:
            value = value + average
        return value if learned is None else value + learned.expand(cost.shape)

    def new_average(self, cost: Tensor, average: Tensor) -> Tensor:
        """The running average after costs of shape (P, ...); shape (...)."""
        assert self.beta is not None
        return self.beta * average + (1 - self.beta) * cost.mean(0)
