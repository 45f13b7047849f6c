"""What a user may say of a structured guide: conditionals and dependencies, read and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from torch import Tensor

from autoguide_core.initialization import did_you_mean

Conditional: TypeAlias = str | Callable[[], Tensor]
Dependency: TypeAlias = str | Callable[[Tensor], Tensor]
Dependencies: TypeAlias = dict[str, dict[str, Dependency]]

CONDITIONALS = ("delta", "normal", "mvn")


def check_conditionals(conditionals: Any) -> None:
    """Check what can be checked of ``conditionals`` without the model.

    Raises:
        ValueError: A conditional is of no known kind.
    """
    if not isinstance(conditionals, Mapping):
        if not (isinstance(conditionals, str) and conditionals in CONDITIONALS):
            raise ValueError(
                f"conditionals is {conditionals!r}: expected 'delta', 'normal' or 'mvn', or a dict "
                "of those by site."
            )
        return
    for name, kind in conditionals.items():
        if not (kind in CONDITIONALS if isinstance(kind, str) else callable(kind)):
            raise ValueError(
                f"conditionals['{name}'] is {kind!r}: expected 'delta', 'normal', 'mvn' or a "
                "callable."
            )


def check_dependencies(dependencies: Any) -> None:
    """Check what can be checked of ``dependencies`` without the model.

    Raises:
        ValueError: A dependency is of no known kind, or a site depends on itself.
    """
    if dependencies == "linear":
        return
    if not isinstance(dependencies, Mapping):
        raise ValueError(
            f"dependencies is {dependencies!r}: expected 'linear', or a dict such as "
            "{'downstream': {'upstream': 'linear'}}."
        )
    for name, upstreams in dependencies.items():
        if not isinstance(upstreams, Mapping):
            raise ValueError(
                f"dependencies['{name}'] is {upstreams!r}: expected a dict such as "
                "{'upstream': 'linear'}."
            )
        for upstream, kind in upstreams.items():
            if kind != "linear" and (isinstance(kind, str) or not callable(kind)):
                raise ValueError(
                    f"dependencies['{name}']['{upstream}'] is {kind!r}: expected 'linear' or a "
                    "callable."
                )
            if upstream == name:
                raise ValueError(
                    f"dependencies['{name}'] lets site '{name}' depend on itself: remove this "
                    "entry; the entries of one site are tied by conditionals "
                    f"'{name}': 'mvn'."
                )


def conditionals_by_site(
    conditionals: str | Mapping[str, Conditional], names: Iterable[str]
) -> dict[str, Conditional]:
    """The conditional of each site.

    Args:
        conditionals: One kind for all sites, or kinds by site.
        names: The names of the guide's sites.

    Raises:
        ValueError: A name belongs to no site, or a site has no conditional.
    """
    names = list(names)
    if isinstance(conditionals, str):
        return dict.fromkeys(names, conditionals)
    for name in conditionals:
        _check_name(name, names, "conditionals")
    missing = [name for name in names if name not in conditionals]
    if missing:
        raise ValueError(
            f"conditionals says nothing of {_listed(missing)}: give each latent site of the guide "
            "one of 'delta', 'normal', 'mvn' or a callable."
        )
    return {name: conditionals[name] for name in names}


def dependencies_by_site(
    dependencies: Mapping[str, Mapping[str, Dependency]], names: Iterable[str]
) -> Dependencies:
    """A copy of given dependencies.

    Raises:
        ValueError: A name belongs to no site.
    """
    names = list(names)
    for name, upstreams in dependencies.items():
        _check_name(name, names, "dependencies")
        for upstream in upstreams:
            _check_name(upstream, names, f"dependencies['{name}']")
    return {name: dict(upstreams) for name, upstreams in dependencies.items()}


def check_size(value: Tensor, size: int, place: str) -> Tensor:
    """A flat value that a user's callable returned; a scalar stands for all entries of the site.

    Args:
        value: What it returned, shape (..., size) or ().
        size: The number of unconstrained entries of the site.
        place: Which callable it was, for messages.

    Returns:
        Shape (..., size).

    Raises:
        ValueError: It is not of the site's size.
    """
    if value.dim() == 0:
        return value.expand(size)
    if value.shape[-1:] != (size,):
        raise ValueError(
            f"The {place} returned shape {tuple(value.shape)}: expected {size} entries in the "
            "last dim, the flattened unconstrained value of the site at full size, or a scalar."
        )
    return value


def _check_name(name: str, names: list[str], place: str) -> None:
    if name in names:
        return
    hint = did_you_mean(name, names)
    raise ValueError(
        f"{place} names '{name}', but the guide covers no such latent site.{hint} Its sites are: "
        f"{', '.join(sorted(names)) or 'none'}."
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"site '{name}'" for name in names)
