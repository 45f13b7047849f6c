"""Pairs of dependent angles, with a normaliser that has the same shape wherever it is computed."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from torch import Tensor
from torch.distributions.utils import broadcast_all, lazy_property

from autoguide_core.distributions.circle import TURN, support_of_angles

_MOST = 10_000.0
_NODES, _NODES_BY_CORRELATION = 96, 256
"""Half as many as the trapezoidal rule has on the circle. The first are right to 1e-11 for all
weighted correlations from -1 to 1. With others, and so with correlations that are not weighted,
there may be two narrow peaks: the second are right to 1e-9 where concentrations and correlation
are together below 6,000, and to 1e-5 below 10,000."""


class SineBivariateVonMises(dist.SineBivariateVonMises):
    r"""Pyro's distribution, with a normaliser that can be recorded, and differentiated, anywhere.

    Pyro sums a series of as many terms as the greatest concentration asks for, and ends with a
    failed assertion at concentrations above 10,000. Here it is the integral over the first angle,

    .. math:: 2 \pi \int e^{\kappa_1 \cos x} I_0(\sqrt{\kappa_2^2 + \rho^2 \sin^2 x}) dx,

    and concentrations above 10,000 are invalid as negative ones are. The support is the circle's
    for both angles; see `VonMises`.

    Source: Singh, Hnizdo and Demchuk, "Probabilistic model for two dependent circular variables"
    (2002).

    Args:
        phi_loc: Location of the first angle; all arguments broadcast.
        psi_loc: Location of the second angle.
        phi_concentration: Concentration of the first angle, up to 10,000.
        psi_concentration: Concentration of the second angle, up to 10,000.
        correlation: The sine model's parameter; or else
        weighted_correlation: it divided by the root of the product of the concentrations.
        validate_args: As in every distribution.
        one_turn: Whether both lie in [-pi, pi]; see `VonMises`.

    Raises:
        ValueError: If not exactly one of the correlations is given.
    """

    _smaller: Callable[[], Tensor] | None = None
    """Computes the normaliser of what this one was expanded from."""
    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        **dist.SineBivariateVonMises.arg_constraints,
        "phi_concentration": constraints.interval(0.0, _MOST),
        "psi_concentration": constraints.interval(0.0, _MOST),
    }

    def __init__(
        self,
        phi_loc: float | Tensor,
        psi_loc: float | Tensor,
        phi_concentration: float | Tensor,
        psi_concentration: float | Tensor,
        correlation: float | Tensor | None = None,
        weighted_correlation: float | Tensor | None = None,
        validate_args: bool | None = None,
        *,
        one_turn: bool = False,
    ) -> None:
        self.one_turn = one_turn
        if (correlation is None) == (weighted_correlation is None):
            raise ValueError("give either a correlation or a weighted correlation")
        correlation_is_weighted = weighted_correlation is not None
        given = weighted_correlation if correlation_is_weighted else correlation
        phi_loc, psi_loc, phi, psi, correlation = broadcast_all(
            phi_loc, psi_loc, phi_concentration, psi_concentration, given
        )
        if correlation_is_weighted:
            correlation = correlation * (phi * psi).sqrt()
        self.phi_loc, self.psi_loc, self.correlation = phi_loc, psi_loc, correlation
        self.phi_concentration, self.psi_concentration = phi, psi
        self._nodes = _NODES if correlation_is_weighted else _NODES_BY_CORRELATION
        # Past Pyro's own, for its assertion.
        super(dist.SineBivariateVonMises, self).__init__(
            phi_loc.shape, torch.Size([2]), validate_args=validate_args
        )

    @constraints.dependent_property(is_discrete=False, event_dim=1)  # type: ignore[untyped-decorator]
    def support(self) -> constraints.Constraint:
        """The circle for each, or one turn."""
        return constraints.independent(support_of_angles(self.one_turn), 1)

    @lazy_property  # type: ignore[untyped-decorator]
    def norm_const(self) -> Tensor:
        """The logarithm of the normaliser, of the batch shape."""
        if self._smaller is not None:
            return self._smaller().expand(self.batch_shape)
        like: Tensor = self.phi_concentration
        nodes = torch.arange(self._nodes + 1, dtype=like.dtype, device=like.device)
        half = nodes * (0.5 * math.pi / self._nodes)
        # The other half of the circle has the same values; it has the two ends in common.
        twice = math.log(2.0) * ((nodes > 0) & (nodes < self._nodes)).to(like.dtype)
        phi, psi, cross = (
            torch.as_tensor(value).unsqueeze(-1)
            for value in (self.phi_concentration, self.psi_concentration, self.correlation)
        )
        # Nodes are as close together as the peak is narrow: tan(x / 2) = width tan(half).
        ratio = torch.special.i1e(psi) / torch.special.i0e(psi)
        width = (1.0 + (phi - cross.square() * ratio / psi).clamp(min=0.0)).rsqrt().detach()
        adjacent, opposite = half.cos().square(), (width * half.sin()).square()
        both = adjacent + opposite
        sine = width * (2.0 * half).sin() / both
        size = (psi.square() + (cross * sine).square()).sqrt()
        terms = phi * ((adjacent - opposite) / both) + size + torch.special.i0e(size).log()
        terms = terms + (width / both).log() + twice
        return terms.logsumexp(-1) + math.log(2.0 * math.pi * math.pi / self._nodes)

    def sample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:
        """Draw pairs of angles in [-pi, pi), of shape ``sample_shape + batch_shape + (2,)``.

        Raises:
            ValueError: If the first angle has two narrow peaks, so that hardly a trial is accepted;
                weighted correlations up to 1 give but one.
        """
        shape = self._extended_shape(torch.Size(sample_shape))[:-1]
        phi, psi, cross = (
            torch.as_tensor(value).detach().expand(shape).reshape(-1)
            for value in (self.phi_concentration, self.psi_concentration, self.correlation)
        )
        angle = self._first_angles(phi, psi, cross)
        slant = cross * angle.sin()
        other = dist.VonMises(torch.atan2(slant, psi), torch.hypot(psi, slant)).sample()
        pairs = torch.stack([angle, other], -1).reshape(*shape, 2)
        pairs = pairs + torch.stack([self.phi_loc, self.psi_loc], -1).detach()
        return torch.remainder(pairs + math.pi, TURN) - math.pi

    def _first_angles(self, phi: Tensor, psi: Tensor, cross: Tensor) -> Tensor:
        """First angles less their locations, by rejection from the angles of normal vectors.

        Pyro's method, without its series, whose 250 terms for each draw are too many for a large
        sample. Source: Kent, Ganeiber and Mardia, "A new unified approach for the simulation of a
        wide class of directional distributions" (2018).
        """
        bend = 0.5 * (phi - cross.square() / psi)
        size = bend.abs()
        bound = 1.0 - size + (1.0 + size.square()).sqrt()
        angle, missing = torch.zeros_like(phi), torch.arange(len(phi), device=phi.device)
        for _ in range(self.max_sample_iter):
            k1, k2, rho, b = (value[missing] for value in (phi, psi, cross, bound))
            steep, is_wide = size[missing], bend[missing] < 0
            noise = torch.randn(2, len(missing), dtype=phi.dtype, device=phi.device)
            narrow = noise[0] * (1.0 + 2.0 * steep / b).rsqrt()
            x, y = torch.where(is_wide, narrow, noise[1]), torch.where(is_wide, noise[1], narrow)
            trial = torch.atan2(y, x)
            share = narrow.square() / (x.square() + y.square())
            log_ratio = k1 * (trial.cos() - 1.0) - torch.where(is_wide, steep, 0.0)
            log_ratio = log_ratio + _log_i0(torch.hypot(k2, rho * trial.sin())) - _log_i0(k2)
            log_ratio = log_ratio + 1.0 - 0.5 * b + (0.5 * b + steep * share).log()
            taken = torch.rand_like(trial).log() < log_ratio
            angle[missing[taken]] = trial[taken]
            missing = missing[~taken]
            if not len(missing):
                return angle
        raise ValueError("draws of a SineBivariateVonMises with two narrow peaks take too long")

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> SineBivariateVonMises:
        """Return the distribution with a larger batch shape; its normaliser stays as small."""
        new: SineBivariateVonMises = self._get_checked_instance(SineBivariateVonMises, _instance)
        shape = torch.Size(batch_shape)
        for name in self.arg_constraints:
            setattr(new, name, getattr(self, name).expand(shape))
        new.one_turn = self.one_turn
        new._nodes, new._smaller = self._nodes, partial(getattr, self, "norm_const")
        super(dist.SineBivariateVonMises, new).__init__(
            shape, self.event_shape, validate_args=False
        )
        new._validate_args = self._validate_args
        return new


def _log_i0(x: Tensor) -> Tensor:
    return x + torch.special.i0e(x).log()
