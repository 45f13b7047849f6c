"""What a user may set about a fit, with the defaults that need no tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from autoguide_core.engine.optimisers import OPTIMISERS, SCHEDULES, make_optimiser

ENGINES = ("auto", "native", "cuda", "graph", "eager")
METHODS = ("auto", "adam", "curvature")


@dataclass(frozen=True)
class FitSettings:
    """Settings of one fit.

    Attributes:
        steps: Gradient steps of the variational stage.
        optimizer: ``Adam``, ``ClippedAdam``, ``AdamW`` or ``SGD``.
        optimizer_options: Keyword options of the optimizer, named as in torch and Pyro: ``lr``
            (default 0.02), ``betas`` and so on; ``max_grad_norm`` and ``max_grad_value`` clip the
            gradient in front of each.
        schedule: How the learning rate moves: ``cosine`` (to 1 % of it), ``constant``,
            ``exponential`` (to 1 %) or ``one_cycle`` (up for 30 % of the steps, then down).
        particles: Draws from the guide per step. The curvature method takes at least 16.
        seed: Seed of every random number of the fit.
        method: ``adam``: gradient steps on the guide as it is; ``curvature``: mode, whitening by
            the Hessian, then a full-rank Gaussian (needs a guide that is one joint normal);
            ``auto``: curvature where it applies.
        averaging: Whether the result is an exponential average of the last iterates.
        tolerance: The rise of the ELBO, in nats per 1,000 steps, that still counts as flat; the
            ELBO's own Monte Carlo error is allowed for on top of it.
        engine: What makes the steps of method ``adam``. ``native``: compiled code; ``graph``: the
            operations of one step, recorded once and run by torch; ``cuda``: the same, replayed by
            a GPU; ``eager``: Python at each step; ``auto``: the fastest there is, without waiting
            for it. The numbers are the same but for rounding, which under ``auto`` can depend on
            when the compiler was done. All but ``eager`` record the model's Python at the start; a
            model whose Python does something else at each call is seen there and stepped eagerly.
            A rare outcome of something outside (a clock, a file) is not: it needs ``eager``.
        analytic_kl: Whether the divergence of a site's guide from its prior is taken in closed
            form where there is one, in steps of method ``adam``.

    Raises:
        ValueError: For an unknown name, a number out of its range, or an option that the optimizer
            does not have.
    """

    steps: int = 5000
    optimizer: str = "Adam"
    optimizer_options: Mapping[str, float | Sequence[float]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    schedule: str = "cosine"
    particles: int = 1
    seed: int = 0
    method: str = "auto"
    averaging: bool = True
    tolerance: float = 0.1
    engine: str = "auto"
    analytic_kl: bool = False

    def __post_init__(self) -> None:
        for name, allowed in (
            ("optimizer", OPTIMISERS),
            ("schedule", SCHEDULES),
            ("method", METHODS),
            ("engine", ENGINES),
        ):
            if (value := getattr(self, name)) not in allowed:
                raise ValueError(f"{name}={value!r} is unknown; one of {', '.join(allowed)}")
        for name in ("steps", "particles"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.tolerance <= 0:
            raise ValueError(f"tolerance must be positive, not {self.tolerance}")
        object.__setattr__(self, "optimizer_options", dict(self.optimizer_options))
        make_optimiser(self.optimizer, self.optimizer_options)
