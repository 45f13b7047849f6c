"""What the Python of a model keeps from call to call: counters, lists, iterators, generators.

Two runs that do the same do not show that all others will: a schedule may begin after a thousand
calls, a minibatch may come from a list that is shuffled once an epoch. What these depend on changes
at each call, though, in a variable that the model's code can reach.
"""

from __future__ import annotations

import functools
import itertools
import operator
import random
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from types import CodeType, FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_DEEPEST, _MOST_ITEMS, _MOST_VALUES = 12, 200, 20_000
_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_FUNCTIONS = (FunctionType, MethodType, functools.partial)
_WRAPPERS = (enumerate, zip, map, filter, reversed)


def kept_values(*roots: Any) -> dict[str, Any]:
    """The plain values that functions can reach and might change, by the names they go by.

    Tensors are not among them: what a model writes to one is seen when it is recorded.

    Args:
        roots: Functions and the values that they are called with.
    """
    return _walked(roots).found


class Buffers:
    """What modules keep in their buffers, BatchNorm's running averages say, at one moment.

    Args:
        roots: Functions and the values that they are called with, from which the modules are
            reached.
    """

    def __init__(self, *roots: Any) -> None:
        self._then = [
            (f"{name}.{key}".strip("."), module, key, buffer, buffer.clone())
            for name, module in _walked(roots).modules
            for key, buffer in module._buffers.items()
            if buffer is not None
        ]

    def what_changed(self) -> str | None:
        """Why another run would not be the same; see the function of that name."""
        for name, module, key, _, contents in self._then:
            if not _is_equal(module._buffers.get(key), contents):
                return f"the model keeps {name!r}, which changes from call to call"
        return None

    def put_back(self) -> None:
        """Give all of them the contents that they had."""
        for _, module, key, buffer, contents in self._then:
            module._buffers[key] = buffer
            if not _is_equal(buffer, contents):  # the version of a tensor does not always tell
                with torch.no_grad():
                    buffer.copy_(contents)


def _is_equal(one: Tensor | None, other: Tensor) -> bool:
    """Whether two tensors have the same contents, NaN included."""
    if one is None or one.shape != other.shape or one.dtype != other.dtype:
        return False
    same = (one == other) | ((one != one) & (other != other))
    return bool(same.all())


def what_changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str | None:
    """Why another run would not be the same, as the end of a sentence; None where nothing changed.

    Args:
        before: `kept_values` before a run.
        after: The same after it.
    """
    for name in [*before, *(name for name in after if name not in before)]:
        if before.get(name, _Walk) != after.get(name, _Walk):
            return f"the model keeps {name!r}, which changes from call to call"
    return None


def _walked(roots: Iterable[Any]) -> _Walk:
    walk = _Walk()
    for root in roots:
        walk.visit("", root, 0)
    return walk


class _Walk:
    """Goes from value to value, to each once.

    Attributes:
        found: Plain values by name.
        modules: Modules with their names.
    """

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self.modules: list[tuple[str, nn.Module]] = []
        self._seen: dict[int, Any] = {}  # they are held, or the address of one might serve again

    def visit(self, name: str, value: Any, depth: int) -> None:
        """Take down a plain value, or those that it is made of."""
        if isinstance(value, _PLAIN):
            self.found.setdefault(name, value)
        elif depth <= _DEEPEST and len(self.found) < _MOST_VALUES and id(value) not in self._seen:
            self._seen[id(value)] = value
            if isinstance(value, nn.Module):
                self.modules.append((name, value))
            for suffix, part in _parts(value):
                self.visit(f"{name}{suffix}" if name else suffix.strip("."), part, depth + 1)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What a value is made of, with what is added to its name."""
    if isinstance(value, Tensor):
        return
    if isinstance(value, np.ndarray):
        yield "", value.tobytes() if value.size <= _MOST_ITEMS else None
    elif (state := _state_of_generator(value)) is not None:
        yield "", state
    elif isinstance(value, Mapping):
        yield ".length", len(value)
        yield from ((f"[{key!r}]", part) for key, part in _some(value.items()))
    elif isinstance(value, Sequence | Set | deque):
        yield ".length", len(value)
        yield from ((f"[{place}]", part) for place, part in enumerate(_some(value)))
    elif isinstance(value, MethodType):
        yield from (("", value.__self__), ("", value.__func__))
    elif isinstance(value, FunctionType):
        yield from _parts_of_function(value)
    elif isinstance(value, functools.partial):
        yield from (("", part) for part in (value.func, *value.args, *value.keywords.values()))
    elif isinstance(value, nn.Module) and _is_from_library(type(value)):
        yield from ((f".{name}", module) for name, module in value._modules.items())
        functions = ((n, p) for n, p in vars(value).items() if isinstance(p, _FUNCTIONS))
        yield from ((f".{name}", function) for name, function in functions)
    elif hasattr(value, "__next__"):
        yield from _parts_of_iterator(value)
    elif not _is_from_library(value if isinstance(value, type | ModuleType) else type(value)):
        if isinstance(value, type | ModuleType):  # of which the plain values count calls
            kinds = _PLAIN if isinstance(value, ModuleType) else (*_PLAIN, FunctionType)
            yield from ((f".{n}", p) for n, p in vars(value).items() if isinstance(p, kinds))
        else:
            yield "", type(value)
            yield from ((f".{name}", part) for name, part in getattr(value, "__dict__", {}).items())


def _parts_of_function(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f".{name}", cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    if not _is_from_library(function):
        yield from ((".default", part) for part in function.__defaults__ or ())
        yield from ((".default", part) for part in (function.__kwdefaults__ or {}).values())
        for name in _names(function.__code__):
            if name in function.__globals__:
                yield f".{name}", function.__globals__[name]


def _names(code: CodeType) -> Iterator[str]:
    """The global names of a function and of those inside of it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _parts_of_iterator(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, itertools.count):
        yield "", repr(value)
    elif isinstance(value, GeneratorType):
        frame = value.gi_frame
        yield ".line", None if frame is None else frame.f_lasti
        yield from ((f".{n}", p) for n, p in ({} if frame is None else frame.f_locals).items())
    elif isinstance(value, _WRAPPERS):
        yield from (("", part) for part in value.__reduce__()[1])
    else:
        yield ".length", operator.length_hint(value, -1)
        yield from ((f".{name}", part) for name, part in getattr(value, "__dict__", {}).items())


def _state_of_generator(value: Any) -> Any:
    """The state of a generator of random numbers; None for anything else."""
    if isinstance(value, random.Random):
        return str(value.getstate())
    if isinstance(value, np.random.Generator):
        return str(value.bit_generator.state)
    if isinstance(value, np.random.RandomState):
        return str(value.get_state(legacy=False)["state"])
    return bytes(value.get_state().tolist()) if isinstance(value, torch.Generator) else None


def _some(values: Any) -> Iterator[Any]:
    return itertools.islice(values, _MOST_ITEMS)


def _is_from_library(owner: Any) -> bool:
    """Whether a function, class or module is nobody's own: it keeps nothing of a model's."""
    name = getattr(owner, "__module__", None) or getattr(owner, "__name__", "")
    return _is_library(str(name).split(".")[0])


@functools.cache
def _is_library(package: str) -> bool:
    if package in sys.stdlib_module_names and package != "__main__":
        return True
    path = getattr(sys.modules.get(package), "__file__", None) or ""
    return package == __package__.split(".")[0] or "site-packages" in Path(path).parts
