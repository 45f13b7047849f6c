"""Summaries of a messenger, all from runs of its model: medians, quantiles, draws, densities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints

from autoguide_core.guides.draws import NUM_QUANTILE_DRAWS, align_draws, quantiles_of_draws
from autoguide_core.guides.messengers.marginals import centre, mapped_normal_quantiles
from autoguide_core.guides.messengers.runs import (
    Choose,
    Layout,
    has_auxiliary,
    layout_of,
    log_density,
    run,
)
from autoguide_core.guides.supports import tensors_of

# Runs behind a quantile where each takes the time of a run.
NUM_CALLS = 1_000

# What a model raises that cannot be run with a plate of draws around it.
_NOT_VECTORISED = (RuntimeError, ValueError, IndexError, NotImplementedError)


def median(guide: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Tensor]:
    """The median of each latent site given the medians upstream, at full size."""

    def choose(name: str, prior: Any, posterior: Any) -> Tensor:
        return centre(prior, posterior.expand(prior.batch_shape))

    with run(guide, args, kwargs, choose=choose) as nodes:
        # Cloned: the transform of a real site is the identity, and gives the parameter itself.
        return {name: site["value"].detach().clone() for name, site in nodes.items()}


def quantiles(
    guide: Any,
    probabilities: Tensor | Iterable[float],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> dict[str, Tensor]:
    """Quantiles of each latent site, exact where they can be; shapes (Q, *full site shape)."""
    q = torch.as_tensor(
        probabilities if isinstance(probabilities, Tensor) else list(probabilities),
        dtype=torch.float64,
    )
    exact: dict[str, Tensor | None] = {}
    num_draws = NUM_QUANTILE_DRAWS
    if guide.master is None:
        try:
            exact = _exact_quantiles(guide, q, args, kwargs)
        except _NOT_VECTORISED:
            exact = _equal_quantiles(guide, q, args, kwargs)
            num_draws = NUM_CALLS
    if exact and all(value is not None for value in exact.values()):
        return {name: value for name, value in exact.items() if value is not None}
    draws = guide.sample_posterior(num_draws, *args, **kwargs)
    result = {}
    for name, values in draws.items():
        known = exact.get(name)
        if known is None:
            floats = values if values.is_floating_point() else values.to(torch.get_default_dtype())
            known = quantiles_of_draws(floats, q)
        result[name] = known
    return result


def _exact_quantiles(
    guide: Any, q: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Tensor | None]:
    """The quantiles of the sites that do not vary with draws upstream; None for the others.

    In a run with two draws at once, what varies with draws has a dim for them.
    """
    seen: dict[str, tuple[Any, Any]] = {}

    def note(name: str, prior: Any, posterior: Any) -> None:
        seen[name] = prior, posterior

    with run(guide, args, kwargs) as nodes:
        layout = layout_of(guide, nodes)
    with run(guide, args, kwargs, choose=note, num_draws=2, depth=layout.depth):
        pass
    result: dict[str, Tensor | None] = {}
    for name, (prior, posterior) in seen.items():
        shape, event_dim = layout.shapes[name], layout.event_dims[name]
        bounds = [len(t.shape) for t in tensors_of(prior.support)]
        result[name] = None
        if max([len(posterior.batch_shape), *bounds]) <= layout.depth:
            fixed = posterior.expand(shape[: len(shape) - event_dim])
            with torch.no_grad():
                result[name] = mapped_normal_quantiles(fixed, q)
    return result


def _equal_quantiles(
    guide: Any, q: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Tensor | None]:
    """As `_exact_quantiles`, of a model that runs with one draw at a time.

    What varies with draws differs between two runs.
    """
    seen: dict[str, list[Tensor | None]] = {}

    def note(name: str, prior: Any, posterior: Any) -> None:
        fixed = posterior.expand(prior.batch_shape)
        with torch.no_grad():
            seen.setdefault(name, []).append(mapped_normal_quantiles(fixed, q))

    for _ in range(2):
        with run(guide, args, kwargs, choose=note):
            pass
    result: dict[str, Tensor | None] = {}
    for name, found in seen.items():
        first, last = found[0], found[-1]
        is_fixed = len(found) == 2 and first is not None and last is not None
        result[name] = first if is_fixed and torch.equal(first, last) else None
    return result


def draw(
    guide: Any, num_draws: int, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Tensor]:
    """Draws of each latent site, (num_draws, *full site shape)."""
    with run(guide, args, kwargs) as nodes:
        layout = layout_of(guide, nodes)
        can_score = not has_auxiliary(guide)
    try:
        values, log_q = _all_at_once(guide, num_draws, layout, args, kwargs, can_score=can_score)
    except _NOT_VECTORISED:
        return _draw_one_by_one(guide, num_draws, args, kwargs)
    if can_score and num_draws:
        last = {name: value[-1] for name, value in values.items()}
        with run(guide, args, kwargs, choose=_given(last)):
            if not _agree(log_q[-1], log_density(guide, None, layout.depth)):
                return _draw_one_by_one(guide, num_draws, args, kwargs)
    return values


def score(
    guide: Any, draws: Mapping[str, Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Tensor:
    """The guide's log density at draws, (S,); see `AutoMessenger._score`."""
    sizes = {len(value) for value in draws.values()}
    if len(sizes) != 1:
        raise ValueError(f"Draws must have one common number of rows, but have {sorted(sizes)}.")
    num_draws = sizes.pop()

    def one(row: int) -> Tensor:
        values = {name: value[row] for name, value in draws.items()}
        with run(guide, args, kwargs, choose=_given(values), foreign=values):
            return log_density(guide, None, 0)

    if num_draws == 0:
        return torch.zeros(0, dtype=torch.float64)
    last_row = {name: value[-1] for name, value in draws.items()}
    with run(guide, args, kwargs, choose=_given(last_row), foreign=last_row) as nodes:
        if has_auxiliary(guide):
            raise NotImplementedError(
                f"{type(guide).__name__} draws auxiliary sites in get_posterior: the density of "
                "its draws would have to be integrated over them."
            )
        layout = layout_of(guide, nodes)
        last = log_density(guide, None, layout.depth)
    try:
        _, log_q = _all_at_once(guide, num_draws, layout, args, kwargs, given=draws)
    except _NOT_VECTORISED:
        log_q = torch.full((1,), torch.nan, dtype=torch.float64)
    return log_q if _agree(log_q[-1], last) else torch.stack([one(i) for i in range(num_draws)])


def _all_at_once(
    guide: Any,
    num_draws: int,
    layout: Layout,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    given: Mapping[str, Tensor] | None = None,
    can_score: bool = True,
) -> tuple[dict[str, Tensor], Tensor]:
    """Draws, or given values, under a plate to the far left, with their log density."""
    values: list[dict[str, Tensor]] = []
    log_q: list[Tensor] = []
    for start in range(0, max(1, num_draws), layout.draws_per_run):
        size = min(layout.draws_per_run, num_draws - start)
        choose = None
        if given is not None:
            rows = {name: given[name][start : start + size] for name in layout.shapes}
            choose = _given({name: layout.spread(name, row) for name, row in rows.items()})
        with run(guide, args, kwargs, choose=choose, num_draws=size, depth=layout.depth) as nodes:
            if nodes.keys() != layout.shapes.keys():
                raise ValueError("The sites of the model are not the same in all draws.")
            values.append(
                {k: align_draws(s["value"], size, layout.shapes[k]) for k, s in nodes.items()}
            )
            if can_score:
                log_q.append(log_density(guide, size, layout.depth))
    joined = {name: torch.cat([part[name] for part in values]) for name in layout.shapes}
    return joined, torch.cat(log_q) if log_q else torch.zeros(num_draws)


def _draw_one_by_one(
    guide: Any, num_draws: int, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Tensor]:
    rows: list[dict[str, Tensor]] = []
    for _ in range(num_draws):
        with run(guide, args, kwargs) as nodes:
            rows.append({name: site["value"] for name, site in nodes.items()})
    names = set().union(*rows)
    for name in sorted(names):
        if len({row[name].shape if name in row else None for row in rows}) > 1:
            raise ValueError(
                f"Site '{name}' appears in some draws only, or in several shapes: such draws "
                "cannot be stacked. Call the guide itself, once for each draw."
            )
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def _given(values: Mapping[str, Tensor]) -> Choose:
    """Puts given values at the sites; the prior's support must hold them."""

    def choose(name: str, prior: Any, posterior: Any) -> Tensor:
        if name not in values:
            raise ValueError(
                f"There are no draws of the latent site '{name}'; there are of: "
                f"{', '.join(sorted(values)) or 'none'}."
            )
        value = values[name]
        if not constraints.is_dependent(prior.support) and not prior.support.check(value).all():
            raise ValueError(
                f"Draws of site '{name}' lie outside its support, {prior.support} (given the "
                "draws of the other sites)."
            )
        return value

    return choose


def _agree(left: Tensor, right: Tensor) -> bool:
    """Whether two densities are one, but for rounding: the model may mix up the rows of draws."""
    return bool(torch.isclose(left, right, rtol=1e-3, atol=1e-3, equal_nan=False))
