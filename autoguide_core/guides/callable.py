"""`AutoCallable`: a hand-written guide function as a part of an `AutoGuideList`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from autoguide_core.guides.base import AutoGuide
from autoguide_core.guides.draws import quantiles_of_draws
from autoguide_core.initialization import Site

# Calls of a guide function behind a quantile: it runs once a draw, which takes its time.
NUM_CALLS = 1_000


def _no_medians(*args: Any, **kwargs: Any) -> dict[str, Tensor]:
    return {}


class AutoCallable(AutoGuide):
    """Wraps a guide function, so that it can stand beside automatic guides.

    Lists wrap bare callables by themselves; the class is needed to give a median as well::

        guide.append(AutoCallable(model, my_local_guide, my_local_median))

    Inside a list the function's own plates are the list's plates of the same names: they have the
    same indices, so that a plate of the full size follows the model's minibatches.

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
        with _SharedPlates({} if self._root()._in_full_size else self._root().plates):
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


class _SharedPlates(Messenger):
    """Gives plates the indices of those of the same names, and hides that they stand there twice.

    Args:
        plates: Plates that have been made already, by name.
    """

    def __init__(self, plates: dict[str, Any]) -> None:
        super().__init__()
        self._plates = plates

    def _pyro_sample(self, msg: Site) -> None:
        if site_is_subsample(msg) and msg["name"] in self._plates:
            msg["value"] = self._plates[msg["name"]].indices
            msg["done"] = msg["stop"] = True
