"""Where a site's parameters live: attribute paths that cannot clash with the guide's own names.

Pyro names a parameter by the attribute path that leads to it, and stock guides use the site's name
as that path (``AutoDelta.theta``, ``AutoNormal.locs.theta``). This breaks for a site called
``median`` or ``forward``, which hides a method, and for ``a`` beside ``a.b``, where ``a`` would
have to be a tensor and a module at once. Here the path is the site's name where that works, and an
escaped name (``median_site``) only where it does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyro.nn.module import PyroModule

_ESCAPE = "_site"


def parameter_paths(owner: PyroModule, names: Iterable[str]) -> dict[str, str]:
    """The attribute path under ``owner`` for each name.

    Args:
        owner: The module that will hold the parameters; none of them set yet.
        names: Site names, which may hold dots.

    Returns:
        A dotted path by name; paths are unique, and none is a prefix of another.
    """
    names = list(names)
    reserved_at_root, reserved_below = set(dir(owner)), set(dir(PyroModule()))
    modules = {prefix for name in names for prefix in _proper_prefixes(name)}
    taken = set(names) | modules
    paths = {}
    for name in names:
        parts = name.split(".")
        for depth, part in enumerate(parts):
            reserved = reserved_below if depth else reserved_at_root
            is_leaf = depth == len(parts) - 1
            if part in reserved or (is_leaf and name in modules):
                parts[depth] = part + _ESCAPE
                while is_leaf and ".".join(parts) in taken:
                    parts[depth] += _ESCAPE
        paths[name] = ".".join(parts)
        taken.add(paths[name])
    return paths


def set_deep(owner: PyroModule, path: str, value: Any) -> None:
    """Set the attribute at a dotted path, making PyroModules on the way where there are none."""
    *prefixes, leaf = path.split(".")
    for part in prefixes:
        if part not in owner._modules:
            setattr(owner, part, PyroModule())
        owner = getattr(owner, part)
    setattr(owner, leaf, value)


def get_deep(owner: PyroModule, path: str) -> Any:
    """Read the attribute at a dotted path; inside a guide's call this is a `pyro.param` read."""
    for part in path.split("."):
        owner = getattr(owner, part)
    return owner


def _proper_prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]
