"""Parameters before a guide's first call: made on demand, or taken from a saved state.

A guide learns its shapes from a run of its model. Where the model takes no arguments the guide can
run it by itself, as soon as somebody asks for parameters. Where it takes data, a saved state may
come first: its tensors then stand in as parameters, and the first call takes them over.
"""

from __future__ import annotations

import inspect
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyro
import torch
from pyro.nn.module import PyroModule
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

_FREE = "_unconstrained"


def needs_no_data(model: Callable[..., Any]) -> bool:
    """Whether a model takes no arguments at all.

    An argument with a default counts: what a model does without its data is not what a guide for
    it should be made from.
    """
    try:
        signature = inspect.signature(model.forward if isinstance(model, nn.Module) else model)
    except (TypeError, ValueError):
        return False
    return not signature.parameters


def stand_in(
    guide: PyroModule, state: Mapping[str, Tensor], prefix: str, inner: Iterable[str] = ()
) -> None:
    """Make a plain parameter for each tensor of a saved state, at its path under the guide.

    Args:
        guide: A guide without parameters.
        state: Tensors by path.
        prefix: What stands before the guide's own paths.
        inner: What the paths of guides inside this one begin with, which load what is theirs.
    """
    of_others = tuple(prefix + path for path in inner)
    for key, tensor in state.items():
        if key.startswith(prefix) and not key.startswith(of_others):
            *path, leaf = key.removeprefix(prefix).split(".")
            owner: nn.Module = guide
            for part in path:
                if part not in owner._modules:
                    # Past add_module: the guide may keep None under this name until its set-up.
                    owner._modules[part] = PyroModule()
                owner = owner._modules[part]
            owner.register_parameter(
                leaf, nn.Parameter(tensor.detach().clone(), tensor.is_floating_point())
            )


def take_stand_ins(guide: PyroModule, paths: Iterable[str]) -> dict[str, nn.Parameter]:
    """Remove the stand-ins from a guide.

    Args:
        guide: The guide.
        paths: Their paths.

    Returns:
        The parameters by path.
    """
    parameters = dict(nn.Module.named_parameters(guide))
    taken = {path: parameters[path] for path in paths}
    for path in taken:
        part, _, rest = path.partition(".")
        if rest:
            guide._modules.pop(part, None)
        else:
            guide._parameters.pop(part, None)
    return taken


def put_back(guide: PyroModule, taken: Mapping[str, nn.Parameter]) -> None:
    """Put the saved parameters in the place of those that a set-up has made.

    The objects themselves are put there, since an optimizer may hold them. Pyro's store forgets
    the fresh ones, and will take these at the next read.

    Raises:
        ValueError: The guide has no such parameter, or one of another shape.
    """
    store = pyro.get_param_store()
    fresh: dict[str, Tensor] = dict(nn.Module.named_parameters(guide))
    buffers = dict(guide.named_buffers())
    for path, parameter in taken.items():
        if path in buffers and buffers[path].shape == parameter.shape:
            with torch.no_grad():
                buffers[path].copy_(parameter)
            continue
        if path not in fresh:
            raise ValueError(
                f"The loaded state has a parameter '{path}' that {type(guide).__name__} for this "
                f"model has not; it has {', '.join(sorted(fresh)) or 'none'}."
            )
        if fresh[path].shape != parameter.shape:
            raise ValueError(
                f"The loaded parameter '{path}' has shape {tuple(parameter.shape)}, but "
                f"{type(guide).__name__} for this model and data needs {tuple(fresh[path].shape)}."
            )
        *modules, leaf = path.split(".")
        owner = guide.get_submodule(".".join(modules))
        owner._parameters[leaf] = parameter
        for name in stored_names(guide, [path]) & set(store.keys()):
            del store[name]


def stored_names(guide: PyroModule, paths: Iterable[str]) -> set[str]:
    """The names that parameters at these paths have in Pyro's store, whatever module holds them."""
    names = set()
    for path in paths:
        parts = [part for part in [guide._pyro_name, *path.removesuffix(_FREE).split(".")] if part]
        # Parameters of plain modules are stored as "module$$$path.below.it".
        for cut in range(1, len(parts)):
            names.add(".".join(parts[:cut]) + "$$$" + ".".join(parts[cut:]))
        names.add(".".join(parts))
    return names


_GUIDES: WeakIdKeyDictionary = WeakIdKeyDictionary()
"""The guide of a parameter, as a weak reference."""


def belongs_to_a_guide(parameter: Tensor) -> bool:
    """Whether a parameter is that of a guide that is still there."""
    return parameter in _GUIDES and _GUIDES[parameter]() is not None


def displace_others(guide: PyroModule) -> None:
    """Remove from Pyro's store what another guide has put there under this guide's names.

    A module's read gives precedence to the store: it would go on with the other's values. What is
    there from a file, or was put there by hand, stays.
    """
    store = pyro.get_param_store()
    if not len(store) or pyro.settings.get("module_local_params"):
        return
    paths = dict(nn.Module.named_parameters(guide))
    own = {id(parameter) for parameter in paths.values()}
    others = {
        name
        for name, parameter in store.named_parameters()
        if id(parameter) not in own and parameter in _GUIDES
    }
    if own and others:
        for name in others & stored_names(guide, paths):
            del store[name]


class LoadableModule(PyroModule):
    """A module whose parameters are made late, and may be loaded or asked for before.

    Derived classes make them in `_ensure_prototype`, inside `_with_loaded_parameters`.
    """

    prototype_trace: Any
    _bare_model: tuple[Callable[..., Any]] | None

    # Whether parameters stand in that a saved state has brought.
    _is_loaded = False

    # How many parameters are known as those of a guide.
    _num_known = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the guide, with its own parameters."""
        if self._pyro_context.active:
            return super().__call__(*args, **kwargs)
        displace_others(self)
        try:
            return super().__call__(*args, **kwargs)
        finally:
            own = [parameter for _, parameter in nn.Module.named_parameters(self)]
            if len(own) != self._num_known:
                self._num_known = len(own)
                _GUIDES.update((parameter, weakref.ref(self)) for parameter in own)

    def _ensure_prototype(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError

    def named_parameters(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """The parameters by name; see `torch.nn.Module.named_parameters`.

        A guide of a model without arguments makes its parameters now, if there are none yet.
        """
        for module in list(self.modules()):
            if isinstance(module, LoadableModule):
                module._set_up_without_data()
        yield from super().named_parameters(*args, **kwargs)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The parameters as tensors by path; see `torch.nn.Module.state_dict`."""
        self._set_up_without_data()
        state: dict[str, Any] = super().state_dict(*args, **kwargs)
        return state

    def _set_up_without_data(self) -> None:
        """Make the parameters, if nothing but a run of the model is needed for it."""
        if (
            self.prototype_trace is None
            and not self._is_loaded
            and self._bare_model is not None
            and needs_no_data(self._bare_model[0])
        ):
            self._ensure_prototype()

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        self._set_up_without_data()
        if self.prototype_trace is None and not isinstance(self, nn.ModuleList):
            stand_in(self, state_dict, prefix, self._inner_prefixes())
            self._is_loaded = True
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    @contextmanager
    def _with_loaded_parameters(self) -> Iterator[None]:
        """Around the making of the parameters: loaded ones take their places.

        Without loaded ones, values that are in Pyro's store already take precedence, which is told.
        """
        loaded = take_stand_ins(self, self._own_paths()) if self._is_loaded else {}
        own = stored_names(self, self._own_paths())
        stored = set(pyro.get_param_store().keys()) - own
        yield
        put_back(self, loaded)
        self._is_loaded = False
        if not loaded:
            self._warn_of_inherited(stored)

    def _warn_of_inherited(self, stored: set[str]) -> None:
        names = sorted(stored_names(self, self._own_paths()) & stored)
        if names and not pyro.settings.get("module_local_params"):
            others = f" and {len(names) - 1} more" if len(names) > 1 else ""
            warnings.warn(
                f"This {type(self).__name__} goes on with values that it did not make: "
                f"'{names[0]}'{others} were in Pyro's parameter store already, from another guide "
                "of this name or from a file. Call pyro.clear_param_store() before making a guide "
                "that is to start afresh.",
                stacklevel=6,
            )

    def _own_paths(self) -> list[str]:
        """The paths of the parameters, without those of the guides inside this one."""
        inner = tuple(self._inner_prefixes())
        return [path for path, _ in nn.Module.named_parameters(self) if not path.startswith(inner)]

    def _inner_prefixes(self) -> list[str]:
        """What the paths of the guides inside this one begin with."""
        modules = self.named_modules()
        return [f"{name}." for name, m in modules if name and isinstance(m, LoadableModule)]
