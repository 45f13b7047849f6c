"""Optimizers and the settings of `fit`: a row each."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
)
_AMSGRAD = Option(
    "amsgrad",
    "bool",
    False,
    "Whether the greatest mean square so far takes the present one's place.",
)
_CLIPPING = (
    Option(
        "max_grad_norm",
        "real",
        None,
        "Greatest norm of the gradient; no bound where it is left out.",
        least=0,
        strict=True,
    ),
    Option(
        "max_grad_value",
        "real",
        None,
        "Greatest absolute value of an element of the gradient; no bound where it is left out.",
        least=0,
        strict=True,
    ),
)
_CLIPPED_ADAM = (
    Option(
        "clip_norm",
        "real",
        10.0,
        "Greatest absolute value of an element of the gradient.",
        least=0,
        strict=True,
    ),
    Option("lrd", "real", 1.0, "Factor on the learning rate at each step.", least=0, strict=True),
    Option(
        "centered_variance",
        "bool",
        False,
        "Whether steps are scaled by the gradient's variance, instead of its mean square.",
    ),
)
_DECOUPLED = Option(
    "decoupled_weight_decay", "bool", False, "Whether the decay is that of AdamW, and no penalty."
)
_SGD = (
    _LR,
    Option("momentum", "real", 0.0, "Share of the step before that is kept.", 0, 1),
    Option("dampening", "real", 0.0, "Share of the gradient that the momentum leaves out.", 0, 1),
    _DECAY,
    Option(
        "nesterov", "bool", False, "Whether steps look ahead by one more momentum, which they need."
    ),
)

_OPTIMIZERS = (
    Optimizer(
        "Adam", "Adam (Kingma and Ba, 2015).", (*_ADAM, _DECAY, _AMSGRAD, _DECOUPLED, *_CLIPPING)
    ),
    Optimizer(
        "ClippedAdam",
        "Pyro's Adam with every element of the gradient clipped.",
        (*_ADAM, _DECAY, *_CLIPPED_ADAM, *_CLIPPING),
    ),
    Optimizer(
        "AdamW",
        "Adam with decoupled weight decay (Loshchilov and Hutter, 2019).",
        (*_ADAM, replace(_DECAY, default=0.01), _AMSGRAD, *_CLIPPING),
    ),
    Optimizer("SGD", "Stochastic gradient steps.", (*_SGD, *_CLIPPING)),
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
    Option(
        "engine",
        "choice",
        "auto",
        "What makes the steps: `native`: compiled code; `graph`: the recorded operations, run by "
        "torch; `cuda`: the same, replayed by a GPU; `eager`: Python at each step; `auto`: the "
        "fastest there is.",
        choices=("auto", "native", "cuda", "graph", "eager"),
    ),
    Option(
        "analytic_kl",
        "bool",
        False,
        "Whether the divergence of a site's guide from its prior is taken in closed form, where "
        "there is one.",
    ),
    Option("draws", "int", 8000, "Draws from the posterior that are kept.", least=1),
    Option(
        "correction",
        "choice",
        "auto",
        "What is done with the guide's draws: `annealing`: they are taken to the posterior by "
        "annealing, for a fit by curvature; `weights`: drawn again by importance weights, where "
        "k-hat allows it; `none`: nothing; `auto`: as much as is needed.",
        choices=("auto", "annealing", "weights", "none"),
    ),
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
