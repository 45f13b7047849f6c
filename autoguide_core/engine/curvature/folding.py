"""Reading and writing the parameters of guides that are one joint normal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch


class JointNormalGuide(Protocol):
    """What an ``AutoMultivariateNormal`` shows: mean ``loc``, ``L = diag(scale) @ scale_tril``."""

    loc: torch.Tensor
    scale: torch.Tensor
    scale_tril: torch.Tensor

    def _unpack_latent(self, latent: torch.Tensor) -> Iterator[tuple[Any, torch.Tensor]]: ...


def only_part(guide: Any) -> Any:
    """The only part of a guide list, however nested; any other guide itself."""
    while isinstance(guide, torch.nn.ModuleList) and len(guide) == 1:
        guide = guide[0]
    return guide


def is_joint_normal(guide: Any) -> bool:
    """Whether a guide is an ``AutoMultivariateNormal``, Pyro's or ours, already set up."""
    return _is_a(guide, "AutoMultivariateNormal") and hasattr(guide, "scale_tril")


def is_laplace(guide: Any) -> bool:
    """Whether a guide is an ``AutoLaplaceApproximation``, Pyro's or ours, already set up."""
    return _is_a(guide, "AutoLaplaceApproximation") and hasattr(guide, "loc")


def flat_layout(guide: Any) -> dict[str, torch.Size]:
    """Unconstrained shapes of the sites in the order of the guide's flat vector."""
    return {site["name"]: value.shape for site, value in guide._unpack_latent(guide.loc.detach())}


def write_gaussian(guide: JointNormalGuide, loc: torch.Tensor, factor: torch.Tensor) -> None:
    """Make the guide's normal the one with mean ``loc`` and covariance ``factor @ factor.T``.

    Args:
        guide: The guide to change in place; its dtype is kept.
        loc: Shape (D,).
        factor: Any square root of the covariance, shape (D, D).
    """
    upper = torch.linalg.qr(factor.T, mode="r").R
    signs = torch.where(torch.diagonal(upper) < 0, -1.0, 1.0)
    lower = (upper * signs[:, None]).T
    scale = torch.diagonal(lower)
    like = guide.loc
    with torch.no_grad():
        guide.loc.copy_(loc)
        guide.scale = scale.to(like)
        guide.scale_tril = (lower / scale[:, None]).to(like)


def _is_a(guide: Any, name: str) -> bool:
    return any(cls.__name__ == name for cls in type(guide).__mro__)
