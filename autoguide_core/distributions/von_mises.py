"""The von Mises distribution of the points of a circle."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from torch import Tensor

from autoguide_core.distributions.circle import support_of_angles


class VonMises(dist.VonMises):
    """Pyro's distribution, with the circle as its support.

    Pyro has it on the real line, where it repeats itself with every turn and has no integral: no
    width of a guide is the best there, and each mode has copies without number. Here each point of
    the circle counts once, whatever turn an angle is of. Data may be of any turn, too.

    Args:
        loc: Location in radians; broadcasts with the concentration.
        concentration: Concentration, positive.
        one_turn: Whether values lie in [-pi, pi], for a latent that is used otherwise than by sines
            and cosines.
        validate_args: As in every distribution.
    """

    def __init__(
        self,
        loc: float | Tensor,
        concentration: float | Tensor,
        *,
        one_turn: bool = False,
        validate_args: bool | None = None,
    ) -> None:
        self.one_turn = one_turn
        super().__init__(loc, concentration, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)  # type: ignore[untyped-decorator]
    def support(self) -> constraints.Constraint:
        """The circle, or one turn."""
        return support_of_angles(self.one_turn)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> VonMises:
        """Return the distribution with a larger batch shape."""
        shape = torch.Size(batch_shape)
        return type(self)(
            self.loc.expand(shape),
            self.concentration.expand(shape),
            one_turn=self.one_turn,
            validate_args=self.__dict__.get("_validate_args"),
        )
