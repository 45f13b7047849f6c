"""What all modes that look at operations on tensors have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class OperationMode(TorchDispatchMode):
    """A mode that torch's compiler need not be kept from looking into.

    Torch wraps the method of other modes in a guard for that, and imports its whole compiler when
    it is first called, which takes longer than a short fit.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    @abstractmethod
    def operate(self, func: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Give the result of an operation of ATen.

        Args:
            func: The operation.
            args: Its positional arguments.
            keywords: Its keyword arguments, a copy.
        """

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """What torch calls."""
        return self.operate(func, args, dict(kwargs or {}))
