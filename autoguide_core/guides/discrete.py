"""`AutoDiscreteParallel`: an independent discrete distribution for each discrete site."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro.infer.enum import config_enumerate
from pyro.nn.module import PyroParam
from torch import Tensor
from torch.distributions import constraints

from autoguide_core.guides.base import AutoGuide, Model
from autoguide_core.guides.discrete_checks import check_site, check_sources, check_table
from autoguide_core.guides.finite import FiniteTable, finite_values, stripped
from autoguide_core.guides.full_size import full_size_model
from autoguide_core.guides.live import current_sites, support_sources
from autoguide_core.guides.naming import get_deep, parameter_paths, set_deep
from autoguide_core.guides.normal import batch_mask
from autoguide_core.guides.supports import full_shape, tile_to_full_size
from autoguide_core.initialization import Site

# Families with probabilities of their own; all others get a table over their values.
_NAMED = (dist.Bernoulli, dist.Categorical, dist.OneHotCategorical)


class AutoDiscreteParallel(AutoGuide):
    """A mean-field guide over discrete sites, summed over their values in parallel.

    Site ``z`` has the parameter ``guide.z_probs``, which starts at the prior's probabilities and
    has the plates' full sizes under subsampling. Train it with `pyro.infer.TraceEnum_ELBO`, whose
    sum over all values makes the ELBO and its gradients exact in the discrete sites.

    Any site of finite support that Pyro can enumerate is covered. Bernoulli, Categorical and
    OneHotCategorical sites have guides of their own kind; others (a Binomial, say) get a table over
    their values. A ``.to_event(n)`` site is one variable: its entries are summed over jointly and
    may depend on each other in the guide, so that k binary entries cost 2^k values. Put entries
    into a plate to have them independent, at the cost of 2 values.

    Args:
        model: A Pyro model.
        create_plates: As for `AutoGuide`.
    """

    _reads_supports = False

    def _prototype_model(self) -> Model:
        model: Model = config_enumerate(self.model)
        return model

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        names = [name for name, _ in self._sites()]
        paths = parameter_paths(self, [name + "_probs" for name in names])
        self._paths = {name: paths[name + "_probs"] for name in names}
        self._values: dict[str, Tensor] = {}
        for name, site in self._sites():
            check_site(site, self._masks[name])
            prior = stripped(site["fn"])
            family = _named_family(prior)
            if family is not None:
                probs, constraint = prior.probs, family.arg_constraints["probs"]
            else:
                self._values[name] = finite_values(site)
                probs, constraint = _prior_table(prior, self._values[name]), constraints.simplex
            event_dim = 0 if family is dist.Bernoulli else 1
            probs = tile_to_full_size(site, probs.detach().clone(), event_dim)
            set_deep(self, self._paths[name], PyroParam(probs, constraint, event_dim))
        tables = {name: site for name, site in self._sites() if name in self._values}
        sources = support_sources(self._full_model(), tables, args, kwargs)
        root = self._root()
        check_sources(sources, {name for guide in {root, self} for name, _ in guide._sites()})
        self._moving_tables = tuple(sources)

    def _check_tables(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Check that supports which can change are still those of the tables."""
        if not self._moving_tables:
            return
        now = current_sites(
            self._full_model(),
            args,
            kwargs,
            plates=self.plates,
            values=self._root()._emitted,
            unconstrained={},
            wanted=self._moving_tables,
        )
        for name in self._moving_tables:
            check_table(now[name], self._values[name])

    def _posterior(self, name: str, site: Site) -> Any:
        """The guide's distribution of a site, of the sizes that the entered plates have."""
        probs = get_deep(self, self._paths[name])
        if name in self._values:
            return FiniteTable(self._values[name], probs)
        return _named_family(stripped(site["fn"]))(probs=probs)

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw, or enumerate, each site.

        Args:
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            The value of each site.
        """
        self._ensure_prototype(*args, **kwargs)
        self._create_plates(*args, **kwargs)
        self._check_tables(args, kwargs)
        masks = self._current_masks(*args, **kwargs)
        result = {}
        for name, site in self._sites():
            with self._site_plates(site), batch_mask(masks[name]):
                posterior = self._posterior(name, site)
                result[name] = pyro.sample(name, posterior, infer={"enumerate": "parallel"})
        return result

    def _tables(self, *args: Any, **kwargs: Any) -> dict[str, FiniteTable]:
        """The detached posterior of each site at full size, whatever its family, as a table."""
        self._ensure_prototype(*args, **kwargs)
        tables = {}
        for name, site in self._sites():
            probs = get_deep(self, self._paths[name]).detach()
            prior = stripped(site["fn"])
            if name in self._values:
                values = self._values[name]
            elif isinstance(prior, dist.Bernoulli):
                values = torch.arange(2, dtype=probs.dtype, device=probs.device)
                probs = torch.stack([1 - probs, probs], -1)
            elif isinstance(prior, dist.Categorical):
                values = torch.arange(probs.shape[-1], device=probs.device)
            else:
                values = torch.eye(probs.shape[-1], dtype=probs.dtype, device=probs.device)
            batch_shape = full_shape(site)[: len(site["fn"].batch_shape)]
            tables[name] = FiniteTable(values, probs).expand(batch_shape)
        return tables

    def enumerated_values(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The values of each site, in the order in which `probabilities` tells theirs.

        Returns:
            For each site a tensor of shape (K, *event shape).
        """
        return {name: table.values for name, table in self._tables(*args, **kwargs).items()}

    def probabilities(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The posterior probabilities of each site.

        Returns:
            For each site a tensor of its full batch shape, with one more dim for the K values
            unless the site is a Bernoulli, where it is the probability of one.
        """
        return {
            name: table.probs[..., 1]
            if isinstance(stripped(self.prototype_trace.nodes[name]["fn"]), dist.Bernoulli)
            else table.probs
            for name, table in self._tables(*args, **kwargs).items()
        }

    def median(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The most probable value of each site, at full size; the first of equals.

        Categories need not be ordered, so that the mode stands in for the median. For a count,
        `quantiles` at 0.5 gives the median proper.
        """
        return {name: table.mode() for name, table in self._tables(*args, **kwargs).items()}

    def quantiles(
        self, quantiles: Tensor | Iterable[float], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Posterior quantiles: the least value whose cumulative probability reaches each level.

        They are those of each entry of an event: a OneHotCategorical site gets the quantiles of
        each of its indicators.

        Args:
            quantiles: Probabilities, Q of them.
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            For each site a tensor of shape (Q, *full site shape).
        """
        levels = quantiles if isinstance(quantiles, Tensor) else list(quantiles)
        result = {}
        for name, table in self._tables(*args, **kwargs).items():
            level = torch.as_tensor(levels, dtype=table.probs.dtype, device=table.probs.device)
            result[name] = table.quantiles(level)
        return result

    def sample_posterior(self, num_samples: int, /, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw from the guide many times at once; see `AutoGuide.sample_posterior`."""
        return {
            name: table.sample((num_samples,))
            for name, table in self._tables(*args, **kwargs).items()
        }

    def _score(self, draws: dict[str, Tensor], /, *args: Any, **kwargs: Any) -> Tensor:
        """The guide's log probability of draws.

        Entries that a mask leaves out of the model do not count.

        Args:
            draws: For each site S draws of full size; shape (S, *full site shape).
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            Shape (S,).
        """
        tables = self._tables(*args, **kwargs)
        masks = self._full_size_masks(args, kwargs)
        total: Tensor | float = 0.0
        for name, table in tables.items():
            log_prob = table.log_prob(draws[name])
            if name in masks:
                keep = torch.as_tensor(masks[name], device=log_prob.device)
                log_prob = torch.where(keep, log_prob, torch.zeros_like(log_prob))
            total = total + log_prob.reshape(len(log_prob), -1).sum(1)
        assert isinstance(total, Tensor)
        return total

    def _full_size_masks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The batch masks of the masked sites, with each plate at its full size."""
        masked = [name for name, mask in self._masks.items() if mask.batch is not None]
        if not masked:
            return {}
        with self._full_size_plates(), full_size_model(), torch.no_grad():
            root = self._root()
            plates = root._create_plates(*args, **kwargs)
            sites = current_sites(
                self._full_model(), args, kwargs, plates=plates, values={}, unconstrained={}
            )
        return {name: self._mask_of(sites[name]).batch for name in masked}


def _named_family(prior: Any) -> Any:
    """The family whose guide is of its own kind, or None for one that gets a table."""
    return next((family for family in _NAMED if isinstance(prior, family)), None)


def _prior_table(prior: Any, values: Tensor) -> Tensor:
    """The prior's probabilities of all values; shape (*batch_shape, K)."""
    batch_dims = (1,) * len(prior.batch_shape)
    log_prob = prior.log_prob(values.reshape(-1, *batch_dims, *prior.event_shape))
    return log_prob.expand(-1, *prior.batch_shape).movedim(0, -1).softmax(-1)
