"""Model and guide with arguments that can be exchanged while they are recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils import _pytree

from autoguide_core.engine.structure import Model


@dataclass
class Feed:
    """The arguments that functions are called with.

    Attributes:
        args: Positional arguments.
        kwargs: Keyword arguments.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def to(self, function: Model) -> Callable[[], Any]:
        """A function without arguments, which is called with the present ones."""
        return lambda: function(*self.args, **self.kwargs)

    @contextlib.contextmanager
    def exchanged(self, tensors: Sequence[Tensor], others: Sequence[Tensor]) -> Iterator[None]:
        """Put other tensors in the place of some while inside, wherever they are nested."""
        by_identity = {id(old): new for old, new in zip(tensors, others, strict=True)}
        before = self.args, self.kwargs
        self.args, self.kwargs = _pytree.tree_map_only(
            Tensor, lambda tensor: by_identity.get(id(tensor), tensor), (self.args, self.kwargs)
        )
        try:
            yield
        finally:
            self.args, self.kwargs = before
