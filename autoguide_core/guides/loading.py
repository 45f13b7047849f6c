"""Parameters before a guide's first call: made on demand, or taken from a saved state.

A guide learns its shapes from a run of its model. Where the model takes no arguments the guide can
run it by itself, as soon as somebody asks for parameters. Where it takes data, a saved state may
come first: its tensors then stand in as parameters, and the first call takes them over.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyro
import torch
from pyro.nn.module import PyroModule
from torch import Tensor, nn

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


def stand_in(guide: PyroModule, state: Mapping[str, Tensor], prefix: str) -> None:
    """Make a plain parameter for each tensor of a saved state, at its path under the guide.

    Args:
        guide: A guide without parameters.
        state: Tensors by path.
        prefix: What stands before the guide's own paths.
    """
    for key, tensor in state.items():
        if key.startswith(prefix):
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


def take_stand_ins(guide: PyroModule) -> dict[str, nn.Parameter]:
    """Remove the stand-ins from a guide.

    Returns:
        The parameters by path.
    """
    taken = dict(nn.Module.named_parameters(guide))
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


def parameter_paths_of(guide: PyroModule, parts: type) -> list[str]:
    """The paths of a guide's own parameters, without those of the guides inside it."""
    inner = [
        name + "." for name, module in guide.named_modules() if name and isinstance(module, parts)
    ]
    return [
        path
        for path, _ in nn.Module.named_parameters(guide)
        if not any(path.startswith(prefix) for prefix in inner)
    ]
