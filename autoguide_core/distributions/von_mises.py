"""The von Mises distribution of the points of a circle."""

from __future__ import annotations

import pyro.distributions as dist

from autoguide_core.distributions.circle import circle


class VonMises(dist.VonMises):
    """Pyro's distribution, with the circle as its support.

    Pyro has it on the real line, where it repeats itself with every turn and has no integral: no
    width of a guide is the best there, and each mode has copies without number. Here each point of
    the circle counts once, whatever turn an angle is of. Data may be of any turn, too.
    """

    support = circle
