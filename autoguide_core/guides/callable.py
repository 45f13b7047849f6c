"""`AutoCallable`: a hand-written guide function as a part of an `AutoGuideList`."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from autoguide_core.guides.base import AutoGuide
from autoguide_core.guides.callable_draws import draw_in_turn, draw_many, score_draws
from autoguide_core.guides.draws import NUM_QUANTILE_DRAWS, quantiles_of_draws
from autoguide_core.initialization import Site

# Calls behind a quantile of a function that must be called once a draw, which takes its time.
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
        """Posterior quantiles over draws; see `AutoGuide.quantiles`.

        They are fewer (`NUM_CALLS`) where the function must be called once a draw.
        """
        levels = quantiles if isinstance(quantiles, Tensor) else list(quantiles)
        with self._at_full_size(*args, **kwargs) as function:
            together = draw_many(function, NUM_QUANTILE_DRAWS)
            draws = together.values if together else draw_in_turn(function, NUM_CALLS)
        return {name: quantiles_of_draws(values, levels) for name, values in draws.items()}

    def sample_posterior(self, num_samples: int, /, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw from the guide function many times.

        The function runs once for all draws, inside a plate to the left of its own, if it gives
        the same densities and results there as draw by draw, which is checked; if not, it is
        called ``num_samples`` times. Its subsampled plates have their full size where it can run
        so; where it cannot (it was given a minibatch, say), the draws are of its own size.

        Args:
            num_samples: The number of draws.
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            For each sample site that is not auxiliary, and each other value that the function
            returns, a tensor of shape (num_samples, *its shape).
        """
        with self._at_full_size(*args, **kwargs) as function:
            together = draw_many(function, num_samples)
            return together.values if together else draw_in_turn(function, num_samples)

    def _score(self, draws: dict[str, Tensor], /, *args: Any, **kwargs: Any) -> Tensor:
        """The log density of draws under the guide function, at all of its sites.

        Args:
            draws: For each sample site of the function a tensor of shape (S, *site shape).
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            Shape (S,).

        Raises:
            ValueError: The function has a site, an auxiliary one usually, that ``draws`` lacks.
        """
        with self._at_full_size(*args, **kwargs) as function:
            return score_draws(function, draws)

    @contextmanager
    def _at_full_size(self, *args: Any, **kwargs: Any) -> Iterator[Callable[[], dict[str, Tensor]]]:
        """The guide with its arguments bound, inside `_full_size_plates`.

        The list's plates have their full size too: the function may enter them.
        """
        root = self._root()
        if root is not self:
            root._ensure_prototype(*args, **kwargs)
        with self._full_size_plates():
            if root is not self:
                root._create_plates(*args, **kwargs)
            yield lambda: self(*args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        for key in ("_guide", "median"):
            if key in state and not _can_be_pickled(state[key]):
                warnings.warn(
                    f"The function {state[key]!r} of an AutoCallable cannot be pickled, and is "
                    "left out: the loaded guide will not have it. Define it at the top level of a "
                    "module.",
                    stacklevel=2,
                )
                state[key] = _NotSaved(repr(state[key]))
        return state


class _NotSaved:
    """Stands for a function that could not be saved.

    Args:
        name: What the function was.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            f"This AutoCallable was loaded from a file, in which its function {self.name} could "
            "not be saved: make the guide anew, and load its parameters."
        )


def _can_be_pickled(function: Any) -> bool:
    try:
        pickle.dumps(function)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True


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
