"""Uncorrected Hamiltonian steps from a base distribution to a target, with their weight.

A chain of K leapfrog steps moves a draw of the base along densities between base and target, with
the momentum refreshed in part after each. Without accept-reject corrections the whole chain is
differentiable, and its weight on average is the target's normalising constant (Geffner and Domke
2021, https://arxiv.org/abs/2107.04150; Zhang, Hsu, Li, Finn and Grosse 2021,
https://arxiv.org/abs/2107.10211).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Schedule(NamedTuple):
    """How a chain moves.

    Attributes:
        temperatures: The weight of the target in each step, rising to one; shape (K,).
        step_sizes: Positive, shape (K,).
        keep: How much of the momentum outlasts a refreshment, between 0 and 1; a scalar.
        inverse_mass: Positive; broadcasts with the position.
    """

    temperatures: Tensor
    step_sizes: Tensor
    keep: Tensor
    inverse_mass: Tensor


def anneal(
    position: Tensor,
    noise: Tensor,
    schedule: Schedule,
    log_base: Callable[[Tensor], Tensor],
    log_target: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """Move draws of the base towards the target.

    Momenta are held in units in which they are standard normal, so that the mass shows in the
    moves only.

    Args:
        position: Draws of the base, shape (..., D).
        noise: Standard normal draws, shape (..., K, D).
        schedule: How the chain moves.
        log_base: The log density of the base at positions; shape (...).
        log_target: The log density of the target, up to a constant; shape (...).

    Returns:
        The positions after K steps, shape (..., D), and the log of what the momenta take off the
        weight, of the shape (..., D) of single coordinates: with both sums over D,
        ``log_target(end) - log_base(start) - cost`` is the log weight of a chain.
    """
    root = schedule.inverse_mass.sqrt()
    cost = torch.zeros_like(position)
    momentum = noise[..., 0, :]
    num_steps = noise.shape[-2]
    for step in range(num_steps):
        move = 0.5 * schedule.step_sizes[step] * root
        middle = position + move * momentum
        force = _force(middle, schedule.temperatures[step], log_base, log_target)
        kicked = momentum + schedule.step_sizes[step] * root * force
        cost = cost + 0.5 * (kicked.square() - momentum.square())
        position = middle + move * kicked
        if step + 1 < num_steps:
            fresh = (1 - schedule.keep.square()).sqrt() * noise[..., step + 1, :]
            momentum = schedule.keep * kicked + fresh
    return position, cost


def _force(
    position: Tensor,
    temperature: Tensor,
    log_base: Callable[[Tensor], Tensor],
    log_target: Callable[[Tensor], Tensor],
) -> Tensor:
    """The gradient of the log density between base and target; with a graph if one is wanted."""
    with_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        if not (with_graph and position.requires_grad):
            position = position.detach().requires_grad_()
        between = (1 - temperature) * log_base(position) + temperature * log_target(position)
        (force,) = torch.autograd.grad(between.sum(), position, create_graph=with_graph)
    return force
