"""`AutoCallable`: a hand-written guide function as a part of an `AutoGuideList`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from autoguide_core.guides.base import AutoGuide
from autoguide_core.guides.draws import quantiles_of_draws

# Calls of a guide function behind a quantile: it runs once a draw, which takes its time.
NUM_CALLS = 1_000


def _no_medians(*args: Any, **kwargs: Any) -> dict[str, Tensor]:
    return {}


class AutoCallable(AutoGuide):
    """Wraps a guide function, so that it can stand beside automatic guides.

    Lists wrap bare callables by themselves; the class is needed to give a median as well::

        guide.append(AutoCallable(model, my_local_guide, my_local_median))

    Args:
        model: A Pyro model.
        guide: A guide function with the model's arguments; returns a dict of values, or None.
        median: A function with the model's arguments that returns a dict of medians.
    """

    _reads_supports = False

    def __init__(
        self,
        model: Callable[..., Any],
        guide: Callable[..., Any],
        median: Callable[..., dict[str, Tensor]] = _no_medians,
    ) -> None:
        super().__init__(model)
        self._guide = guide
        self.median = median  # type: ignore[method-assign]

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Call the guide function; None counts as an empty dict."""
        return self._guide(*args, **kwargs) or {}

    def quantiles(
        self, quantiles: Tensor | Iterable[float], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Posterior quantiles over `NUM_CALLS` calls; see `AutoGuide.quantiles`."""
        draws = self.sample_posterior(NUM_CALLS, *args, **kwargs)
        return {name: quantiles_of_draws(values, quantiles) for name, values in draws.items()}

    def sample_posterior(self, num_samples: int, /, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Call the guide function ``num_samples`` times and stack what it returns.

        A hand-written function need not be able to draw in parallel, and its plates are its own:
        where it subsamples, so do the draws.
        """
        with torch.no_grad(), self._full_size_plates():
            draws = [self(*args, **kwargs) for _ in range(num_samples)]
        names = draws[0] if draws else {}
        return {name: torch.stack([draw[name] for draw in draws]) for name in names}
