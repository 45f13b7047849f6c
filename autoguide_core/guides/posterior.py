"""`GuidePosterior`: a guide as a distribution to draw from, to score with and to hand to ArviZ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from autoguide_core.arviz_module import arviz_module
from autoguide_core.guides.supports import full_shape, full_size

if TYPE_CHECKING:
    from arviz import InferenceData

    from autoguide_core.guides.base import AutoGuide


class GuidePosterior:
    """The approximate posterior that a guide stands for, at its present parameters.

    Example::

        posterior = guide.posterior(data)
        draws = posterior.sample(4000, seed=1)
        log_q = posterior.log_prob(draws)
        az.summary(posterior.to_arviz(seed=1))

    Args:
        guide: The guide; it is set up if it has not been yet.
        args: Positional arguments of the model.
        kwargs: Keyword arguments of the model.
    """

    def __init__(self, guide: AutoGuide, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        guide._ensure_prototype(*args, **kwargs)
        self._guide, self._args, self._kwargs = guide, args, dict(kwargs)

    def sample(self, num_samples: int = 1000, *, seed: int | None = None) -> dict[str, Tensor]:
        """Draw all sites jointly, many times at once.

        Args:
            num_samples: The number of draws, S.
            seed: Seeds these draws alone, and leaves torch's random state as it was; without one
                the draws go on from that state.

        Returns:
            For each site that the guide covers a detached tensor of shape (S, *full site shape).

        Raises:
            ValueError: The number of draws is not positive.
        """
        if num_samples < 1:
            raise ValueError(f"Expected at least one draw, but got num_samples={num_samples}.")
        if seed is None:
            return self._guide.sample_posterior(num_samples, *self._args, **self._kwargs)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return self._guide.sample_posterior(num_samples, *self._args, **self._kwargs)

    def log_prob(self, draws: Mapping[str, Tensor]) -> Tensor:
        """The guide's log density, on the supports, of joint draws.

        For a point estimate it is 0 at the point and minus infinity elsewhere.

        Args:
            draws: For each site that the guide covers a tensor of shape (S, *full site shape).

        Returns:
            Shape (S,).

        Raises:
            ValueError: A site is missing, or has another shape.
            NotImplementedError: The density of the family is not known.
        """
        self._check(draws)
        with torch.no_grad():
            return self._guide._score(dict(draws), *self._args, **self._kwargs)

    def median(self) -> dict[str, Tensor]:
        """The guide's medians; see `AutoGuide.median`."""
        return self._guide.median(*self._args, **self._kwargs)

    def quantiles(self, quantiles: Tensor | Iterable[float]) -> dict[str, Tensor]:
        """The guide's quantiles; see `AutoGuide.quantiles`."""
        return self._guide.quantiles(quantiles, *self._args, **self._kwargs)

    def to_arviz(self, num_samples: int = 1000, *, seed: int | None = None) -> InferenceData:
        """Draws as ArviZ's `InferenceData`, with one chain and the plates as dims.

        Args:
            num_samples: The number of draws.
            seed: As for `sample`.
        """
        arviz = arviz_module()

        draws = self.sample(num_samples, seed=seed)
        origin = {"inference_library": "autoguide_core", "guide": type(self._guide).__name__}
        dims, coords = self._labels(draws)
        data: InferenceData = arviz.from_dict(
            posterior={name: values[None].cpu().numpy() for name, values in draws.items()},
            dims=dims,
            coords=coords,
            posterior_attrs=origin,
        )
        return data

    def _labels(
        self, draws: Mapping[str, Tensor]
    ) -> tuple[dict[str, list[str]], dict[str, list[int]]]:
        """The dims of each site, named by plate where there is one, and the plates' coords."""
        sites = dict(self._guide._sites())
        dims: dict[str, list[str]] = {}
        coords: dict[str, list[int]] = {}
        for name, values in draws.items():
            count = values.dim() - 1
            labels = [f"{name}_dim_{position}" for position in range(count)]
            if name in sites:
                event_dim = sites[name]["fn"].event_dim
                for frame in sites[name]["cond_indep_stack"]:
                    position = count + frame.dim - event_dim
                    if values.shape[1 + position] == full_size(frame):
                        labels[position] = frame.name
                        coords[frame.name] = list(range(full_size(frame)))
            dims[name] = labels
        return dims, coords

    def _check(self, draws: Mapping[str, Tensor]) -> None:
        counts = {len(values) for values in draws.values()}
        if len(counts) != 1:
            raise ValueError(
                f"Expected as many draws of each site, but got {sorted(counts)} of them."
            )
        for name, site in self._guide._covered_sites():
            if name not in draws:
                raise ValueError(
                    f"The draws have no site '{name}', which the guide covers; they have: "
                    f"{', '.join(sorted(draws))}."
                )
            if draws[name].shape[1:] != full_shape(site):
                raise ValueError(
                    f"The draws of site '{name}' have shape {tuple(draws[name].shape)}, but one "
                    f"draw of it has shape {tuple(full_shape(site))}."
                )
