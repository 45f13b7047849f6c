"""`AutoDiscreteParallel`: an independent discrete distribution for each discrete site."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro.distributions.torch_distribution import MaskedDistribution
from pyro.infer.enum import config_enumerate
from pyro.nn.module import PyroParam
from torch import Tensor

from autoguide_core.guides.base import AutoGuide, Model
from autoguide_core.guides.naming import get_deep, parameter_paths, set_deep
from autoguide_core.guides.normal import batch_mask
from autoguide_core.guides.supports import full_shape, tile_to_full_size

_FAMILIES = (dist.Bernoulli, dist.Categorical, dist.OneHotCategorical)


class AutoDiscreteParallel(AutoGuide):
    """A mean-field guide over discrete sites, summed over their values in parallel.

    Site ``z`` has the parameter ``guide.z_probs``, which starts at the prior's probabilities and
    has the plates' full sizes under subsampling. Train it with `pyro.infer.TraceEnum_ELBO`.
    Bernoulli, Categorical and OneHotCategorical sites are supported.

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
        for name, site in self._sites():
            if site["infer"].get("enumerate") != "parallel":
                raise NotImplementedError(
                    f"Expected sample site '{name}' to be discrete and configured for parallel "
                    "enumeration."
                )
            family = self._family(site["fn"])
            prior = _unmasked(site["fn"])
            event_dim = 0 if family is dist.Bernoulli else 1
            probs = tile_to_full_size(site, prior.probs.detach().clone(), event_dim)
            constraint = prior.arg_constraints["probs"]
            set_deep(self, self._paths[name], PyroParam(probs, constraint, event_dim))

    @staticmethod
    def _family(fn: Any) -> Any:
        family = type(_unmasked(fn))
        if family not in _FAMILIES:
            raise NotImplementedError(f"{family.__name__} is not supported.")
        return family

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
        masks = self._current_masks(*args, **kwargs)
        result = {}
        for name, site in self._sites():
            with self._site_plates(site), batch_mask(masks[name]):
                posterior = self._family(site["fn"])(probs=get_deep(self, self._paths[name]))
                result[name] = pyro.sample(name, posterior, infer={"enumerate": "parallel"})
        return result

    def _full_posteriors(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The detached posterior of each site, at full size."""
        self._ensure_prototype(*args, **kwargs)
        return {
            name: self._family(site["fn"])(probs=get_deep(self, self._paths[name]).detach())
            for name, site in self._sites()
        }

    def probabilities(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The posterior probabilities of each site.

        Returns:
            For each site a tensor of its full batch shape, with one more dim for the K categories
            unless the site is a Bernoulli.
        """
        return {
            name: posterior.probs
            for name, posterior in self._full_posteriors(*args, **kwargs).items()
        }

    def median(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The most probable value of each site, at full size.

        Categories need not be ordered, so that the mode stands in for the median.
        """
        return {
            name: posterior.mode
            for name, posterior in self._full_posteriors(*args, **kwargs).items()
        }

    def quantiles(
        self, quantiles: Tensor | Iterable[float], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Posterior quantiles: the least value whose cumulative probability reaches each level.

        A OneHotCategorical site gets the quantiles of each of its indicators.

        Args:
            quantiles: Probabilities, Q of them.
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            For each site a tensor of shape (Q, *full site shape).
        """
        result = {}
        for name, posterior in self._full_posteriors(*args, **kwargs).items():
            probs = posterior.probs
            level = torch.as_tensor(quantiles, dtype=probs.dtype, device=probs.device)
            level = level.reshape(-1, *[1] * probs.dim())
            if isinstance(posterior, dist.Categorical):
                # The last cumulative sum is one, up to rounding: leave it out.
                below = probs.cumsum(-1)[..., :-1] < level
                result[name] = below.sum(-1)
            else:
                result[name] = (level > 1 - probs).to(probs.dtype)
        return result

    def sample_posterior(self, num_samples: int, /, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw from the guide many times at once; see `AutoGuide.sample_posterior`."""
        posteriors = self._full_posteriors(*args, **kwargs)
        return {
            name: posteriors[name]
            .expand(full_shape(site)[: len(site["fn"].batch_shape)])
            .sample((num_samples,))
            for name, site in self._sites()
        }


def _unmasked(fn: Any) -> Any:
    while isinstance(fn, MaskedDistribution):
        fn = fn.base_dist
    return fn
