"""What all modes that look at operations on tensors have in common."""

from __future__ import annotations

from torch.utils._python_dispatch import TorchDispatchMode


class OperationMode(TorchDispatchMode):
    """A mode that torch's compiler need not be kept from looking into.

    Torch wraps the method of other modes in a guard for that, and imports its whole compiler when
    it is first called, which takes longer than a short fit.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False
