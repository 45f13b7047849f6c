"""Optimizers and the settings of `fit`: a row each."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.tables.options import Option


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimizer that a fit may use.

    Attributes:
        name: Its name in a spec.
        doc: What it is, in one line.
        options: Its keyword arguments.
    """

    name: str
    doc: str
    options: tuple[Option, ...]

    def option(self, name: str) -> Option | None:
        """Return the option called `name`, None where there is none."""
        return next((option for option in self.options if option.name == name), None)


_LR = Option("lr", "real", 0.02, "Learning rate.", least=0, strict=True)
_DECAY = Option("weight_decay", "real", 0.0, "Decay of the parameters towards zero.", least=0)
_ADAM = (
    _LR,
    Option(
        "betas",
        "reals",
        (0.9, 0.999),
        "Decay rates of the running means of the gradient and of its square.",
        least=0,
        most=1,
        strict=True,
        length=2,
    ),
    Option("eps", "real", 1e-8, "Added to the denominator.", least=0, strict=True),
    _DECAY,
)
_CLIP_NORM = Option("clip_norm", "real", 10.0, "Greatest norm of a gradient.", least=0, strict=True)
_MOMENTUM = Option("momentum", "real", 0.0, "Share of the step before that is kept.", 0, 1)

_OPTIMIZERS = (
    Optimizer("Adam", "Adam (Kingma and Ba, 2015).", _ADAM),
    Optimizer("ClippedAdam", "Adam with the norm of the gradient clipped.", (*_ADAM, _CLIP_NORM)),
    Optimizer("AdamW", "Adam with decoupled weight decay (Loshchilov and Hutter, 2019).", _ADAM),
    Optimizer("SGD", "Stochastic gradient steps.", (_LR, _MOMENTUM, _DECAY)),
)

OPTIMIZERS: dict[str, Optimizer] = {row.name: row for row in _OPTIMIZERS}

_SETTINGS = (
    Option("steps", "int", 5000, "Gradient steps.", least=1),
    Option("particles", "int", 1, "Draws from the guide in each step.", least=1),
    Option(
        "schedule",
        "choice",
        "cosine",
        "How the learning rate moves over the steps.",
        choices=("cosine", "constant", "exponential", "one_cycle"),
    ),
    Option("seed", "int", 0, "Seed of every random number of the fit.", 0, 2**32 - 1),
    Option(
        "method",
        "choice",
        "auto",
        "`adam`: gradient steps on the guide; `curvature`: the mode and its Hessian first, for a "
        "guide that is one joint normal; `auto`: curvature where it applies.",
        choices=("auto", "adam", "curvature"),
    ),
    Option("averaging", "bool", True, "Whether the last iterates are averaged."),
    Option(
        "tolerance",
        "real",
        0.1,
        "The rise of the ELBO, in nats per 1,000 steps, that still counts as converged.",
        least=0,
        strict=True,
    ),
    Option("draws", "int", 4000, "Draws from the posterior that are kept.", least=1),
)

SETTINGS: dict[str, Option] = {row.name: row for row in _SETTINGS}

FOREIGN_SETTINGS: dict[str, str] = {
    "iterations": "steps",
    "num_steps": "steps",
    "num_iterations": "steps",
    "epochs": "steps",
    "iter": "steps",
    "num_particles": "particles",
    "grad_samples": "particles",
    "num_samples": "draws",
    "output_samples": "draws",
    "algorithm": "method",
    "scheduler": "schedule",
    "optimiser": "optimizer",
    "optim": "optimizer",
    "tol": "tolerance",
}
"""What Stan, Pyro and people call a setting, with its name here."""
