"""Where restarts begin: the guide's own starting strategy under other seeds, nudged if need be."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch
from pyro import poutine
from torch import Generator, Tensor, nn
from torch.distributions import biject_to

from autoguide_core.engine.errors import FitError
from autoguide_core.engine.isolation import own_randomness, own_store
from autoguide_core.engine.many.member import Member
from autoguide_core.engine.structure import Model
from autoguide_core.guides import AutoGuide, AutoMessenger
from autoguide_core.initialization import InitStrategy, Site, zero_of

_SEEDS = 2**32


def restarts_of(
    model: Model,
    guide: Model,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    count: int,
    seed: int,
    jitter: float,
) -> list[Member]:
    """The fits of one pair from several starts, each set up.

    The first is the plain fit. Restart r has the seed ``seed + r`` and a guide made anew, whose
    strategy (``init_loc_fn``) draws under that seed. Sites that the strategy starts at the same
    point whatever the seed are moved from it, each entry by a uniform draw from
    ``(-jitter, jitter)`` in unconstrained space. Scales start as the guide has them.

    Args:
        model: The model.
        guide: The guide, which is not changed.
        args: Positional arguments of both.
        kwargs: Keyword arguments of both.
        count: How many.
        seed: The seed of the first.
        jitter: The radius.

    Raises:
        FitError: If the guide cannot be made anew.
    """
    members = [Member(copied(guide), args, kwargs, seed)]
    members[0].set_up(model)
    if count == 1:
        return members
    fixed = _fixed_sites(guide, args, kwargs, seed)
    for restart in range(1, count):
        number = (seed + restart) % _SEEDS
        twin = _made_anew(guide)
        generator = Generator().manual_seed(number)
        for part in _starting_parts(twin):
            _start_with(part, _Nudged(part.init_loc_fn, fixed, jitter, generator))
        members.append(Member(twin, args, kwargs, number))
        members[-1].set_up(model)
    return members


def copied(guide: Model) -> Model:
    """A guide of its own for one fit; a plain function has no state, and serves all.

    Raises:
        FitError: If it is a module that cannot be copied.
    """
    if not isinstance(guide, nn.Module):
        return guide
    try:
        twin: Model = copy.deepcopy(guide)
    except (RuntimeError, TypeError) as error:
        raise FitError(f"the guide cannot be copied, one for each fit: {error}") from error
    return twin


def _made_anew(guide: Model) -> Model:
    """A copy that sets itself up at its next call, even if the guide was fitted before."""
    twin = copied(guide)
    for part in twin.modules() if isinstance(twin, nn.Module) else ():
        if isinstance(part, AutoMessenger) and any(True for _ in part.parameters()):
            raise FitError(
                f"this {type(part).__name__} has been run before and cannot start anywhere else; "
                "give restarts a new one"
            )
        if isinstance(part, AutoGuide):
            part.prototype_trace = None
    return twin


def _starting_parts(guide: Model) -> Iterator[Any]:
    """The parts of a guide that start where a strategy says."""
    for part in guide.modules() if isinstance(guide, nn.Module) else ():
        if isinstance(part, AutoGuide) and part.init_loc_fn is not None:
            yield part


def _start_with(part: Any, strategy: InitStrategy) -> None:
    if isinstance(part, AutoMessenger):  # it asks for the strategy at each site
        part.init_loc_fn = strategy
    else:
        part._initialise_with(strategy)


def _fixed_sites(
    guide: Model, args: tuple[Any, ...], kwargs: Mapping[str, Any], seed: int
) -> frozenset[str]:
    """The sites whose strategy gives the same value under any seed."""
    values: list[dict[str, Tensor]] = []
    for number in (seed + 1, seed + 2):
        probe = _made_anew(guide)
        strategies = []
        for part in _starting_parts(probe):
            strategies.append(_Watched(part.init_loc_fn))
            _start_with(part, strategies[-1])
        with own_store({}), own_randomness(number % _SEEDS), torch.no_grad(), poutine.block():
            try:
                probe(*args, **kwargs)
            except (ValueError, RuntimeError, NotImplementedError):
                return frozenset()  # whoever sets the guide up in earnest will tell
        values.append({name: v for one in strategies for name, v in one.values.items()})
    first, second = values
    return frozenset(n for n, v in first.items() if n in second and torch.equal(v, second[n]))


class _Watched:
    """A strategy, and the values that it has given.

    Args:
        strategy: The strategy.
    """

    def __init__(self, strategy: InitStrategy) -> None:
        self.strategy = strategy
        self.values: dict[str, Tensor] = {}

    def __call__(self, site: Site) -> Tensor:
        value = self.strategy(site)
        self.values[site["name"]] = torch.as_tensor(value).detach().clone()
        return value


class _Nudged:
    """A strategy that moves some sites away from where another would start them.

    Args:
        strategy: The other strategy.
        sites: The sites to move.
        radius: How far at most, in unconstrained space.
        generator: Where the random numbers come from; the strategy's own are left as they are.
    """

    def __init__(
        self, strategy: InitStrategy, sites: Collection[str], radius: float, generator: Generator
    ) -> None:
        self._strategy = strategy
        self._sites = sites
        self._radius = radius
        self._generator = generator

    def __call__(self, site: Site) -> Tensor:
        value = self._strategy(site)
        if site["name"] not in self._sites:
            return value
        fn = site["fn"]
        zero = zero_of(fn)
        to_support = biject_to(fn.support)
        free = to_support.inv(torch.as_tensor(value).to(zero).expand(fn.shape()))
        unit = torch.rand(free.shape, generator=self._generator, dtype=free.dtype)
        moved: Any = to_support(free + self._radius * (2.0 * unit - 1.0).to(free))
        # Whether it was a user's value is asked for by whoever handles it next.
        moved._pyro_custom_init = getattr(value, "_pyro_custom_init", True)
        result: Tensor = moved
        return result
