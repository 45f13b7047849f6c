"""What tells one fit from another, so that a checkpoint is taken up by the fit that wrote it."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyro
import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.utils._pytree import tree_leaves

from autoguide_core.engine.settings import FitSettings
from autoguide_core.engine.stepping.draws import Draw

_HASHED_WHOLE = 2**24
"""Bytes of a tensor up to which all are hashed; of a greater one, as many spread over it."""


def fingerprint(
    settings: FitSettings,
    parameters: Mapping[str, Tensor],
    data: Any,
    draws: Sequence[Draw],
    graph: GraphModule | None,
) -> dict[str, str]:
    """What must be equal for two fits to be the same, by names that a user understands.

    Args:
        settings: The settings.
        parameters: The unconstrained parameters by name.
        data: The arguments of model and guide, nested as they are.
        draws: What a step draws.
        graph: The graph of a step, where there is one. It holds what the model does and the data
            that it has closed over.
    """
    return {
        **{name: repr(value) for name, value in asdict(settings).items()},
        "the parameters": ", ".join(f"{n} {_form(p)}" for n, p in parameters.items()),
        "the arguments": ", ".join(map(_described, tree_leaves(data))),
        "the random draws": ", ".join(f"{d.kind} {list(d.shape)} {d.size}" for d in draws),
        "the model, the guide or their data": "" if graph is None else _digest(graph),
    }


def surroundings() -> dict[str, str]:
    """What the last digits of a fit depend on besides."""
    return {
        "torch": str(torch.__version__),
        "pyro": str(pyro.__version__),
        "machine": f"{platform.system()} {platform.machine()}",
        "threads": str(torch.get_num_threads()),
    }


def _digest(graph: GraphModule) -> str:
    """A digest of the operations of a graph and of its constants."""
    digest = hashlib.blake2b(graph.code.encode(), digest_size=16)
    for node in graph.graph.find_nodes(op="get_attr"):
        digest.update(_described(getattr(graph, node.target)).encode())
    return digest.hexdigest()


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def _described(value: Any) -> str:
    """A value of an argument: a tensor by shape and digest, a plain value by itself."""
    if not isinstance(value, Tensor):
        plain = isinstance(value, bool | int | float | str | None)
        return repr(value) if plain else type(value).__name__
    flat = value.detach().reshape(-1)
    stride = max(1, flat.numel() * flat.element_size() // _HASHED_WHOLE)
    sample = flat[::stride].contiguous().cpu().view(torch.uint8).numpy()
    return f"{_form(value)} {hashlib.blake2b(sample.data, digest_size=8).hexdigest()}"
