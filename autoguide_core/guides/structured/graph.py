"""The dependency graph of a structured guide: found in the model, and put in drawing order."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyro import poutine
from pyro.infer.inspect import get_dependencies
from pyro.poutine.util import site_is_subsample

from autoguide_core.guides.structured.options import Dependencies
from autoguide_core.initialization import Site


def inferred_dependencies(
    model: Callable[..., Any],
    names: Iterable[str],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Dependencies:
    """The dependencies that the model's posterior has, each from the earlier site to the later.

    Two latent sites are tied where one stands in the prior of the other, or both stand in the
    distribution of a third site ("moralisation"; Webb et al. 2018,
    https://arxiv.org/abs/1712.00287). Latent sites that are not the guide's own are marginalised:
    what depends on them depends on what they depend on.

    Args:
        model: The whole model, observations included, since those tie latent sites.
        names: The names of the guide's sites, in the model's order.
        args: Positional arguments of the model.
        kwargs: Keyword arguments of the model.

    Raises:
        ValueError: The model computes in a way in which dependencies get lost.
    """
    order = {name: position for position, name in enumerate(names)}

    def is_foreign(msg: Site) -> bool:
        is_latent = msg["type"] == "sample" and not msg["is_observed"]
        return is_latent and not site_is_subsample(msg) and msg["name"] not in order

    own_model = poutine.block(model, hide_fn=is_foreign)
    try:
        found = poutine.block(get_dependencies)(own_model, args, kwargs)
    except Exception as error:
        raise ValueError(
            "AutoStructured could not follow how the model's sites depend on each other "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}). Give "
            "the dependencies by name, such as dependencies={'downstream': {'upstream': "
            "'linear'}}, or {} for none."
        ) from error
    result: Dependencies = {}
    for name, neighbours in found["posterior_dependencies"].items():
        for neighbour in neighbours:
            if name in order and neighbour in order and name != neighbour:
                upstream, downstream = sorted((name, neighbour), key=order.__getitem__)
                result.setdefault(downstream, {})[upstream] = "linear"
    return result


def drawing_order(names: Iterable[str], dependencies: Dependencies) -> list[str]:
    """The sites, each after those it depends on, and otherwise by name.

    Raises:
        ValueError: The dependencies go round in a circle.
    """
    waiting = {name: len(dependencies.get(name, ())) for name in names}
    children: dict[str, list[str]] = {name: [] for name in waiting}
    for name, upstreams in dependencies.items():
        for upstream in upstreams:
            children[upstream].append(name)
    ready = sorted(name for name, count in waiting.items() if count == 0)
    order: list[str] = []
    while ready:
        name = heapq.heappop(ready)
        del waiting[name]
        order.append(name)
        for child in children[name]:
            waiting[child] -= 1
            if waiting[child] == 0:
                heapq.heappush(ready, child)
    if waiting:
        raise ValueError(
            f"The dependencies go round in a circle: {_circle(waiting, dependencies)}. Remove one "
            "of these: a site can only depend on sites that are drawn before it."
        )
    return order


def _circle(waiting: Mapping[str, int], dependencies: Dependencies) -> str:
    """One circle among the sites that wait for each other."""
    path = [min(waiting)]
    while True:
        upstream = min(name for name in dependencies[path[-1]] if name in waiting)
        if upstream in path:
            circle = [*path[path.index(upstream) :], upstream]
            return " depends on ".join(f"'{name}'" for name in circle)
        path.append(upstream)
