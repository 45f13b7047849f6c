"""What the annealed guides share: the parameters of a chain, and summaries over draws."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.nn.module import PyroParam
from torch import Tensor

from autoguide_core.guides.base import AutoGuide
from autoguide_core.guides.dais.dynamics import Schedule
from autoguide_core.guides.dais.options import Options
from autoguide_core.guides.draws import NUM_QUANTILE_DRAWS, quantiles_of_draws

# Draws that are made in one run of a chain outside of training: its memory grows with them.
_DRAWS_AT_ONCE = 1_000


class AnnealedGuide(AutoGuide):
    """Base of the guides that run a chain; see `AutoDAIS` for the parameters."""

    # Tells a list that its parts must be drawn together.
    _follows_other_parts = True

    _options: Options

    def _make_chain(self, loc: Tensor) -> None:
        """Make the parameters of the chain.

        Args:
            loc: A location, shape (..., D); for its dtype, device and last dim.
        """
        options = self._options
        steps = loc.new_ones(options.num_steps)
        positive, unit = constraints.softplus_positive, constraints.unit_interval
        eta_range = constraints.interval(0.0, options.eta_max)
        self.beta_increments = PyroParam(steps.clone(), positive)
        self.eta = PyroParam(steps * options.eta_init, eta_range)
        self.gamma = PyroParam(loc.new_tensor(options.gamma_init), unit)
        self.inverse_mass = PyroParam(loc.new_ones(loc.shape[-1]), positive)

    def _schedule(self) -> Schedule:
        increments = self.beta_increments
        temperatures = increments.cumsum(-1) / increments.sum(-1)
        return Schedule(temperatures, self.eta, self.gamma, self.inverse_mass)

    def _momenta(self, start: Tensor) -> Any:
        """Standard normal noise, event shape (K, D); ``start`` gives dtype, device and D.

        It is masked, since the cost of the chain holds what its momenta add to the bound.
        """
        zero = start.new_zeros(())
        shape = [self._options.num_steps, start.shape[-1]]
        return dist.Normal(zero, zero + 1).expand(shape).to_event(2).mask(False)

    def sample_posterior(self, num_samples: int, /, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw the ends of many chains, in blocks; see `AutoGuide.sample_posterior`.

        A part of a list is drawn together with the other parts, whose draws its chains follow.
        """
        self._ensure_prototype(*args, **kwargs)
        whole, rest = divmod(num_samples, _DRAWS_AT_ONCE)
        sizes = [_DRAWS_AT_ONCE] * whole + [rest] * (rest > 0 or whole == 0)
        root = self._root()
        emitted = dict(root._emitted)
        blocks = [AutoGuide.sample_posterior(root, size, *args, **kwargs) for size in sizes]
        root._emitted = emitted
        names = [name for name, _ in self._sites()]
        return {name: torch.cat([block[name] for block in blocks]) for name in names}

    def median(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The median over draws of each entry of each site, at full size.

        Entries of a site whose support ties them together (a simplex, say) have their medians
        taken one by one.
        """
        draws = self.sample_posterior(NUM_QUANTILE_DRAWS, *args, **kwargs)
        return {name: quantiles_of_draws(values, [0.5])[0] for name, values in draws.items()}

    def quantiles(
        self, quantiles: Tensor | Iterable[float], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Posterior quantiles over draws; see `AutoGuide.quantiles`."""
        return AutoGuide.quantiles(self, quantiles, *args, **kwargs)
