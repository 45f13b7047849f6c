"""Where a guide starts: strategies that pick a first value for each latent site.

A strategy is a function of one Pyro message (the "site"): it returns a *constrained* value of the
site's shape. Every built-in strategy can also be called without a site, with options only, and then
returns a strategy with those options bound::

    AutoNormal(model, init_loc_fn=init_to_uniform(radius=0.5))

The interface is that of the "Initialization" section of Pyro's automatic-guide documentation
(https://docs.pyro.ai/en/stable/infer.autoguide.html#module-pyro.infer.autoguide.initialization).
"""

from __future__ import annotations

import difflib
import functools
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from pyro.distributions.torch import Independent
from pyro.distributions.torch_distribution import MaskedDistribution
from pyro.poutine.messenger import Messenger
from torch import Tensor
from torch.distributions import constraints, transform_to

Site: TypeAlias = dict[str, Any]
InitStrategy: TypeAlias = Callable[[Site], Tensor]

_LARGEST = 1e30

START_RADII = (2.0,) * 40 + (1.0,) * 20 + (0.5,) * 20 + (0.1,) * 19
"""Half the widths of the boxes that random starts are drawn from, one after the other."""

__all__ = [
    "InitMessenger",
    "InitStrategy",
    "Site",
    "init_to_feasible",
    "init_to_generated",
    "init_to_mean",
    "init_to_median",
    "init_to_sample",
    "init_to_uniform",
    "init_to_value",
]


def init_to_feasible(site: Site | None = None) -> Any:
    """Start at a fixed point of the support, whatever the prior's parameters are.

    The point is the image of zero under the support's transform from unconstrained space.

    Args:
        site: A Pyro message, or None to get the strategy itself.
    """
    if site is None:
        return init_to_feasible
    draw = site["fn"].sample().detach()
    to_support = transform_to(site["fn"].support)
    return _built_in(to_support(torch.zeros_like(to_support.inv(draw))))


def init_to_sample(site: Site | None = None) -> Any:
    """Start at one draw from the prior.

    Args:
        site: A Pyro message, or None to get the strategy itself.
    """
    if site is None:
        return init_to_sample
    return _built_in(site["fn"].sample().detach())


def init_to_median(
    site: Site | None = None,
    num_samples: int = 15,
    *,
    fallback: InitStrategy | None = init_to_feasible,
) -> Any:
    """Start at the empirical median of the prior.

    Multivariate sites, whose median is not defined, start at a feasible point instead.

    Args:
        site: A Pyro message, or None to bind the options.
        num_samples: How many prior draws the median is taken over.
        fallback: The strategy for a site whose median is not in its support or not finite.

    Raises:
        ValueError: The median cannot be had and ``fallback`` is None.
    """
    if site is None:
        return functools.partial(init_to_median, num_samples=num_samples, fallback=fallback)
    if _is_multivariate(site["fn"]):
        return init_to_feasible(site)
    try:
        median = site["fn"].sample((num_samples,)).median(dim=0)[0]
        return _built_in(_valid(site, median))
    except (RuntimeError, ValueError):
        return _fall_back(site, fallback)


def init_to_mean(
    site: Site | None = None, *, fallback: InitStrategy | None = init_to_median
) -> Any:
    """Start at the prior mean.

    Args:
        site: A Pyro message, or None to bind the options.
        fallback: The strategy for a site without a mean in its support (a Cauchy, say).

    Raises:
        ValueError: There is no usable mean and ``fallback`` is None.
    """
    if site is None:
        return functools.partial(init_to_mean, fallback=fallback)
    try:
        return _built_in(_valid(site, site["fn"].mean.detach()))
    except (NotImplementedError, ValueError):
        return _fall_back(site, fallback)


def init_to_uniform(site: Site | None = None, radius: float = 2.0) -> Any:
    """Start at a uniform draw from the box ``(-radius, radius)`` in unconstrained space.

    Args:
        site: A Pyro message, or None to bind the options.
        radius: Half the width of the box.
    """
    if site is None:
        return functools.partial(init_to_uniform, radius=radius)
    draw = site["fn"].sample().detach()
    to_support = transform_to(site["fn"].support)
    noise = torch.rand_like(to_support.inv(draw))
    return _built_in(to_support(noise * (2 * radius) - radius))


def init_to_value(
    site: Site | None = None,
    values: Mapping[str, Tensor | float] | None = None,
    *,
    fallback: InitStrategy | None = init_to_uniform,
) -> Any:
    """Start at given values.

    A name in ``values`` that belongs to no site of the guide's model is told as an error when the
    guide is set up.

    Args:
        site: A Pyro message, or None to bind the options.
        values: Constrained values by site name, each of its site's shape or without dimensions.
        fallback: The strategy for the sites that ``values`` does not name.

    Raises:
        ValueError: The site is not named in ``values`` and ``fallback`` is None.
    """
    values = {} if values is None else values
    if site is None:
        return functools.partial(init_to_value, values=values, fallback=fallback)
    if site["name"] in values:
        return values[site["name"]]
    return _fall_back(site, fallback)


class _GeneratedInit:
    """The strategy of `init_to_generated`: a new strategy for each run of the model."""

    def __init__(self, generate: Callable[[], InitStrategy]) -> None:
        self.generate = generate
        self.current: InitStrategy | None = None
        self._seen: set[str] = set()

    def __call__(self, site: Site) -> Tensor:
        # A name met for the second time means that the model is being run anew.
        if self.current is None or site["name"] in self._seen:
            self.current = self.generate()
            self._seen = set()
        self._seen.add(site["name"])
        return self.current(site)


def init_to_generated(
    site: Site | None = None,
    generate: Callable[[], InitStrategy] = lambda: init_to_uniform,
) -> Any:
    """Start each run of the model with a strategy that ``generate`` makes for it.

    This serves joint random starts::

        def generate():
            return init_to_value(values={"x": torch.randn(100), "y": torch.rand(5)})

        guide = AutoNormal(model, init_loc_fn=init_to_generated(generate=generate))

    Args:
        site: A Pyro message, or None to get the strategy itself.
        generate: Called once per run of the model; returns a strategy.
    """
    strategy = _GeneratedInit(generate)
    return strategy if site is None else strategy(site)


@dataclass
class Redrawn:
    """What became of the first values of a guide's sites inside of `redrawn_starts`.

    Attributes:
        radius: Half the width of the box that values are drawn from; None where none are drawn.
        kept: Sites that a user has given a value or a strategy of their own; they are left alone.
    """

    radius: float | None
    kept: set[str] = field(default_factory=set)


_redrawn: ContextVar[Redrawn | None] = ContextVar("redrawn", default=None)


@contextmanager
def redrawn_starts(radius: float | None) -> Iterator[Redrawn]:
    """Inside, sites without a value of the user's own start at random when a guide is set up.

    Args:
        radius: Half the width of the box in unconstrained space that they are drawn from; None to
            leave all sites where their strategies start.
    """
    redrawn = Redrawn(radius)
    token = _redrawn.set(redrawn)
    try:
        yield redrawn
    finally:
        _redrawn.reset(token)


class InitMessenger(Messenger):
    """Gives each latent site of a model the value that a strategy picks for it.

    Sites that already have a value (observations, conditioned sites) and the index draws of
    subsampled plates are left alone. A value that the user supplied is checked: it must be a
    tensor of the site's shape (or a number, or a tensor without dimensions, which fills the site)
    and lie in the support.

    Args:
        init_fn: The strategy.

    Attributes:
        names_met: The names of all sample sites seen so far, those left alone included.
    """

    def __init__(self, init_fn: InitStrategy) -> None:
        self.init_fn = init_fn
        self.names_met: set[str] = set()
        super().__init__()

    def _pyro_sample(self, msg: Site) -> None:
        if type(msg["fn"]).__name__ == "_Subsample":
            return
        self.names_met.add(msg["name"])
        if msg["value"] is not None:
            return
        with torch.no_grad(), helpful_support_errors(msg):
            value = self.init_fn(msg)
            is_custom = getattr(value, "_pyro_custom_init", True)
            if redrawn := _redrawn.get():
                if is_custom:
                    redrawn.kept.add(msg["name"])
                elif redrawn.radius is not None:
                    value = init_to_uniform(msg, redrawn.radius)
        if is_custom:
            value = _check_user_value(msg, value)
        # Cloned: the value becomes a parameter, and training must not change a tensor of the user's
        # or of the prior's (the mean of a Normal is its location itself).
        value = value.detach().clone()
        value._pyro_custom_init = is_custom
        msg["value"] = value

    def _pyro_get_init_messengers(self, msg: Site) -> None:
        # The hook through which Pyro's reparam handler finds the initialisation around it.
        if msg["value"] is None:
            msg["value"] = []
        msg["value"].append(self)

    def check_names(self) -> None:
        """Check that each name given to `init_to_value` belongs to a site met so far.

        Raises:
            ValueError: A name does not; the message suggests the closest name.
        """
        for name in sorted(set(_named_values(self.init_fn)) - self.names_met):
            hint = did_you_mean(name, self.names_met)
            raise ValueError(
                f"init_to_value has a value for '{name}', but the model (or the part of it that "
                f"this guide covers) has no such sample site.{hint} "
                f"Its sites are: {', '.join(sorted(self.names_met)) or 'none'}."
            )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the closest known one, or nothing."""
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


@contextmanager
def helpful_support_errors(site: Site) -> Iterator[None]:
    """Turn "no transform for this support" into advice that names the site.

    Args:
        site: The Pyro message or trace node that is being handled.

    Raises:
        ValueError: The support is discrete (enumerate the site) or a sphere (reparameterise it).
    """
    try:
        yield
    except NotImplementedError as error:
        name, support = site["name"], site["fn"].support
        if support.is_discrete:
            raise ValueError(
                f"Continuous inference cannot handle discrete sample site '{name}'. Consider "
                "enumerating it (https://pyro.ai/examples/enumeration.html); if it is enumerated "
                "already, hide it from the guide, e.g. "
                f"AutoNormal(poutine.block(model, hide=['{name}']))."
            ) from error
        if "sphere" in repr(support).lower():
            raise ValueError(
                f"Continuous inference cannot handle spherical sample site '{name}'. Consider a "
                "ProjectedNormal distribution with "
                f"poutine.reparam(config={{'{name}': ProjectedNormalReparam()}})."
            ) from error
        raise


def zero_of(fn: Any) -> Tensor:
    """A zero without dimensions, with the dtype and device of a distribution's parameters."""
    while hasattr(fn, "base_dist"):
        fn = fn.base_dist
    floats = [v for v in vars(fn).values() if isinstance(v, Tensor) and v.is_floating_point()]
    return floats[0].new_zeros(()) if floats else torch.zeros(())


def _built_in(value: Tensor) -> Tensor:
    """Mark a value as a default, which Pyro's reparam handler may replace without a warning."""
    value._pyro_custom_init = False
    return value


def _fall_back(site: Site, fallback: InitStrategy | None) -> Tensor:
    if fallback is None:
        raise ValueError(f"No init strategy specified for site '{site['name']}'")
    return fallback(site)


def _is_multivariate(fn: Any) -> bool:
    while isinstance(fn, Independent | MaskedDistribution):
        fn = fn.base_dist
    return any(size > 1 for size in fn.event_shape)


def _valid(site: Site, value: Tensor) -> Tensor:
    """The value, if it is a number in the site's support; ValueError otherwise.

    A prior so wide that its draws leave the range of single precision (an InverseGamma(0.001,
    0.001), say) tells nothing of where to start, and its own density overflows there.
    """
    if not bool((value.abs() < _LARGEST).all()):
        raise ValueError("not a number to start at")
    if hasattr(site["fn"], "_validate_sample"):
        site["fn"]._validate_sample(value)
    return value


def _check_user_value(site: Site, value: Any) -> Tensor:
    """Bring a user's value to the site's shape, or say what is wrong with it."""
    name, fn = site["name"], site["fn"]
    if not isinstance(value, Tensor | numbers.Number):
        raise ValueError(
            f"The initial value of site '{name}' must be a tensor, not {type(value).__name__}."
        )
    if not hasattr(fn, "batch_shape"):
        return torch.as_tensor(value)
    zero = zero_of(fn)
    value = value if isinstance(value, Tensor) else zero.new_tensor(value)
    shape = fn.batch_shape + fn.event_shape
    if value.dim() == 0:
        value = value.expand(shape)
    if value.shape != shape:
        raise ValueError(
            f"The initial value of site '{name}' has the wrong shape: "
            f"expected {tuple(shape)}, got {tuple(value.shape)}."
        )
    try:
        support = fn.support
    except NotImplementedError:
        return value
    if not support.is_discrete and not value.is_floating_point():
        value = value.to(zero.dtype)
    if not constraints.is_dependent(support) and not support.check(value).all():
        raise ValueError(
            f"The initial value of site '{name}' is not in the site's support, {support}."
        )
    return value


def _named_values(strategy: Any) -> Iterable[str]:
    """The names for which a strategy holds explicit values, its fallbacks included."""
    if isinstance(strategy, _GeneratedInit):
        strategy = strategy.current
    if not isinstance(strategy, functools.partial):
        return []
    names = list(strategy.keywords.get("values") or ()) if strategy.func is init_to_value else []
    return [*names, *_named_values(strategy.keywords.get("fallback"))]
