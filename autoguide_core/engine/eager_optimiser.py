"""The optimizers a fit may use, built by name over plain tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

DEFAULT_RATE = 0.02
_DEFAULT_CLIP_NORM = 10.0


class Optimiser:
    """A torch optimizer whose learning rate follows a factor, with optional gradient clipping.

    Args:
        name: ``Adam``, ``ClippedAdam``, ``AdamW`` or ``SGD``.
        parameters: Leaf tensors to update in place.
        options: Keyword options of the torch class; ``clip_norm`` (global norm, nats per unit)
            for ``ClippedAdam``.

    Raises:
        ValueError: For an unknown name or an option that the optimizer does not have.
    """

    def __init__(
        self, name: str, parameters: Sequence[torch.Tensor], options: Mapping[str, float]
    ) -> None:
        keywords = dict(options)
        self.rate = float(keywords.pop("lr", DEFAULT_RATE))
        self._clip_norm = (
            float(keywords.pop("clip_norm", _DEFAULT_CLIP_NORM)) if name == "ClippedAdam" else None
        )
        classes = {
            "Adam": torch.optim.Adam,
            "ClippedAdam": torch.optim.Adam,
            "AdamW": torch.optim.AdamW,
            "SGD": torch.optim.SGD,
        }
        if name not in classes:
            raise ValueError(f"optimizer={name!r} is unknown; one of {', '.join(classes)}")
        try:
            self._torch = classes[name](list(parameters), lr=self.rate, **keywords)
        except TypeError as error:
            raise ValueError(f"{name} does not take these options: {error}") from error

    @property
    def parameters(self) -> list[torch.Tensor]:
        """The tensors being updated."""
        return [p for group in self._torch.param_groups for p in group["params"]]

    def add(self, parameters: Sequence[torch.Tensor]) -> None:
        """Take on parameters that a dynamic model has made since the start."""
        self._torch.add_param_group({"params": list(parameters)})

    def step(self, factor: float) -> None:
        """One update at ``factor`` times the base rate, then forget the gradients."""
        if self._clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self._clip_norm)
        for group in self._torch.param_groups:
            group["lr"] = self.rate * factor
        self._torch.step()
        self._torch.zero_grad(set_to_none=True)
