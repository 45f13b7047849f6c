"""The pure update rules: number for number those of torch and Pyro."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyro.optim.clipped_adam import ClippedAdam
from torch.fx.experimental.proxy_tensor import make_fx

from autoguide_core.engine.optimisers import (
    AVERAGE,
    OPTIMISERS,
    SCHEDULES,
    Averaged,
    Optimiser,
    make_optimiser,
    rates,
)
from compiler.tables.optimizers import OPTIMIZERS, SETTINGS

SIZE, STEPS = 7, 50
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}
TORCH: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "ClippedAdam": ClippedAdam,
    "SGD": torch.optim.SGD,
}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("Adam", {}),
    ("Adam", {"betas": (0.8, 0.95), "eps": 0.1, "weight_decay": 0.3, "amsgrad": True}),
    ("Adam", {"weight_decay": 0.3, "decoupled_weight_decay": True, "betas": (0.0, 0.9)}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.5, "amsgrad": True, "eps": 0.01}),
    ("ClippedAdam", {}),
    ("ClippedAdam", {"clip_norm": 0.5, "lrd": 0.97, "weight_decay": 0.3, "eps": 0.1}),
    ("ClippedAdam", {"centered_variance": True, "betas": (0.8, 0.95)}),
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "dampening": 0.4, "weight_decay": 0.3}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.3}),
]
Clip = Callable[[list[torch.Tensor]], object]


def problem(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """A point and the gradients of all steps, whose size varies a thousandfold."""
    generator = torch.Generator().manual_seed(3)
    theta = torch.randn(SIZE, dtype=torch.float64, generator=generator)
    gradients = torch.randn(STEPS, SIZE, dtype=torch.float64, generator=generator)
    scale = torch.logspace(-1.5, 1.5, STEPS, dtype=torch.float64)[:, None]
    return theta.to(dtype), (gradients * scale).to(dtype)


def walk(
    rule: Optimiser, theta: torch.Tensor, gradients: torch.Tensor, factors: torch.Tensor
) -> list[tuple[torch.Tensor, dict[str, torch.Tensor]]]:
    """Parameters and slots after each step."""
    slots, path = rule.start(theta), []
    steps = torch.arange(1, len(gradients) + 1)
    for gradient, row in zip(
        gradients, rule.rows(steps, rule.lr * factors).to(theta.dtype), strict=True
    ):
        theta, slots = rule.step(theta, gradient, slots, row)
        path.append((theta, slots))
    return path


def torch_walk(
    name: str,
    options: Mapping[str, Any],
    theta: torch.Tensor,
    gradients: torch.Tensor,
    factors: torch.Tensor,
    clip: Clip | None = None,
) -> list[torch.Tensor]:
    """Parameters after each step of the public class, its rate scaled by the factors."""
    point = theta.clone().requires_grad_()
    optimiser = TORCH[name]([point], lr=0.02, **options)
    (group,), path, last = optimiser.param_groups, [], 1.0
    for gradient, factor in zip(gradients, factors.tolist(), strict=True):
        point.grad = gradient.clone()
        if clip is not None:
            clip([point])
        group["lr"] *= factor / last  # ClippedAdam's own decay lives in the same number
        last = factor
        optimiser.step()
        path.append(point.detach().clone())
    return path


def assert_same(
    found: list[tuple[torch.Tensor, dict[str, torch.Tensor]]], expected: list[torch.Tensor]
) -> None:
    limit = TOLERANCE[expected[0].dtype]
    for (theta, _), other in zip(found, expected, strict=True):
        assert theta.dtype == other.dtype
        assert float((theta - other).norm()) <= limit * float(other.norm())


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_steps_are_those_of_torch_and_pyro(
    name: str, options: dict[str, Any], dtype: torch.dtype
) -> None:
    theta, gradients = problem(dtype)
    factors = rates("cosine", 1.0, torch.arange(1, STEPS + 1), STEPS)
    found = walk(make_optimiser(name, options), theta, gradients, factors)
    assert_same(found, torch_walk(name, options, theta, gradients, factors))
    assert torch.equal(theta, problem(dtype)[0])


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(["Adam", "AdamW", "ClippedAdam"]),
    beta1=st.floats(0.0, 0.99),
    beta2=st.floats(0.5, 0.9999),
    eps=st.floats(1e-8, 1.0),
    weight_decay=st.floats(0.0, 1.0),
)
def test_any_decay_rates_agree_with_torch(
    name: str, beta1: float, beta2: float, eps: float, weight_decay: float
) -> None:
    theta, gradients = (part[:20] for part in problem(torch.float64))
    factors = torch.ones(20, dtype=torch.float64)
    common = {"eps": eps, "weight_decay": weight_decay}
    rule = make_optimiser(name, {"beta1": beta1, "beta2": beta2, **common})
    expected = torch_walk(name, {"betas": (beta1, beta2), **common}, theta, gradients, factors)
    assert_same(walk(rule, theta, gradients, factors), expected)


def by_norm(parameters: list[torch.Tensor]) -> object:
    return torch.nn.utils.clip_grad_norm_(parameters, 0.7)


def by_value(parameters: list[torch.Tensor]) -> object:
    return torch.nn.utils.clip_grad_value_(parameters, 0.3)


def by_both(parameters: list[torch.Tensor]) -> object:
    return by_value(parameters), by_norm(parameters)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize(
    ("bounds", "clip"),
    [
        ({"max_grad_norm": 0.7}, by_norm),
        ({"max_grad_value": 0.3}, by_value),
        ({"max_grad_norm": 0.7, "max_grad_value": 0.3}, by_both),
    ],
)
def test_every_optimiser_can_clip_as_torch_does(
    bounds: dict[str, float], clip: Clip, name: str, dtype: torch.dtype
) -> None:
    theta, gradients = problem(dtype)
    gradients[0] = 0.0
    factors = torch.ones(STEPS, dtype=torch.float64)
    decay = {"weight_decay": 0.3}  # acts on what has been clipped
    found = walk(make_optimiser(name, bounds | decay), theta, gradients, factors)
    assert_same(found, torch_walk(name, decay, theta, gradients, factors, clip))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1.0, 1.0, 1.0, 1.0, 1.0]),
        ("cosine", [1.0, 0.905463412215599, 0.7959536998847742, 0.35203658778440106, 0.01]),
        ("exponential", [1.0, 0.39810717055349726, 0.251188643150958, 0.06309573444801933, 0.01]),
        ("one_cycle", [0.040000000000000036, 0.7600000000000001, 1.0, 0.6151478623083756, 0.01]),
    ],
)
def test_rates_follow_their_schedule(schedule: str, expected: list[float]) -> None:
    at = [0, 20, 30, 60, 100]
    path = rates(schedule, 0.5, torch.arange(1, 102), 101)
    assert path.dtype == torch.float64
    assert (2.0 * path[at]).tolist() == pytest.approx(expected, rel=1e-13, abs=0.0)
    assert torch.equal(rates(schedule, 0.5, torch.tensor(at) + 1, 101), path[at])
    assert float(rates(schedule, 0.5, torch.tensor([1]), 1)) == 0.5 * expected[0]


def test_an_unknown_schedule_is_told_of() -> None:
    with pytest.raises(ValueError, match="'linear' is unknown; one of cosine, constant"):
        rates("linear", 0.1, torch.arange(1, 3), 2)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("total", "share"), [(10, 1.0), (40, 0.625), (5000, 0.005)])
def test_the_average_takes_its_share_of_each_iterate(
    total: int, share: float, dtype: torch.dtype
) -> None:
    theta, gradients = problem(dtype)
    rule = make_optimiser("Adam", {"lr": 0.5})
    factors = torch.ones(STEPS, dtype=torch.float64)
    average = theta
    plain = walk(rule, theta, gradients, factors)
    followed = walk(Averaged(rule, total), theta, gradients, factors)
    for (alone, _), (iterate, slots) in zip(plain, followed, strict=True):
        assert torch.equal(alone, iterate)
        average = torch.lerp(average, iterate, share)
        assert float((slots[AVERAGE] - average).norm()) <= TOLERANCE[dtype] * float(average.norm())
    assert torch.equal(followed[-1][1][AVERAGE], followed[-1][0]) == (share == 1.0)


@pytest.mark.parametrize(
    ("name", "options"),
    [*CASES, ("Adam", {"max_grad_norm": 1.0}), ("SGD", {"max_grad_value": 1.0})],
)
def test_a_traced_rule_holds_for_other_numbers(name: str, options: dict[str, Any]) -> None:
    rule = Averaged(make_optimiser(name, options), 100)
    theta, gradients = problem(torch.float32)
    rows = rule.rows(torch.tensor([1, 30]), torch.tensor([0.1, 0.02], dtype=torch.float64)).float()
    slots = rule.start(theta)
    graph = make_fx(lambda *given: rule.step(*given))(theta, gradients[0], slots, rows[0])
    later = {slot: value + 0.5 for slot, value in slots.items()}
    found, new = graph(2.0 * theta, gradients[9], later, rows[1])
    expected, expected_new = rule.step(2.0 * theta, gradients[9], later, rows[1])
    assert torch.equal(found, expected)
    assert all(torch.equal(new[slot], value) for slot, value in expected_new.items())
    assert set(new) == set(slots)
    operations = {str(node.target) for node in graph.graph.nodes if node.op == "call_function"}
    assert operations <= {
        f"aten.{name}"
        for name in (
            "add.Tensor",
            "sub.Tensor",
            "mul.Tensor",
            "div.Tensor",
            "sqrt.default",
            "clamp.default",
            "maximum.default",
            "sum.default",
            "select.int",
            "slice.Tensor",
            "reciprocal.default",
        )
    }


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Adan", {}, "'Adan' is unknown; one of Adam, ClippedAdam, AdamW, SGD"),
        ("Adam", {"momentum": 0.9}, "Adam does not take the option 'momentum'; its options are lr"),
        ("SGD", {"betas": (0.9, 0.99)}, "SGD does not take the option 'betas'"),
        ("Adam", {"betas": (0.9,)}, r"betas=\(0.9,\) is not a pair"),
        ("Adam", {"betas": (0.9, 0.99), "beta2": 0.9}, "betas and beta2 set the same number"),
        ("Adam", {"betas": (0.9, 1.0)}, "beta2=1.0 will not do; it takes a number of at least 0"),
        ("Adam", {"lr": float("nan")}, "lr=nan will not do"),
        ("AdamW", {"amsgrad": 2}, "amsgrad=2 will not do; it takes true or false"),
        ("SGD", {"max_grad_norm": 0.0}, "max_grad_norm=0.0 will not do; it takes a number above"),
        ("SGD", {"nesterov": True}, "nesterov needs a momentum"),
    ],
)
def test_mistakes_are_told_with_what_would_do(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_optimiser(name, options)


def test_all_that_a_spec_may_say_is_taken() -> None:
    assert set(SETTINGS["schedule"].choices) == set(SCHEDULES)
    assert set(OPTIMIZERS) <= set(OPTIMISERS)
    for row in OPTIMIZERS.values():
        make_optimiser(row.name, {o.name: o.default for o in row.options if o.default is not None})
