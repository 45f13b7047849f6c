"""Sequences against their definitions, step by step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from autoguide_core.sequences import (
    at_step,
    initially,
    joined,
    linear_recurrence,
    linear_system,
    previous,
    since,
)

T = 23


@pytest.fixture(autouse=True)
def _double() -> None:
    torch.manual_seed(0)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def test_previous_holds_the_first_value_or_the_default() -> None:
    x = normal(2, 4)
    assert previous(x, 2).equal(torch.stack([x[:, 0], x[:, 0], x[:, 0], x[:, 1]], -1))
    assert previous(x, default=0.0)[:, 0].eq(0).all()
    assert previous(x, 9).equal(x[:, :1].expand(2, 4))
    column = previous(x.T.unsqueeze(-1), dim=-3)
    assert column.squeeze(-1).T.equal(previous(x))
    default = normal(3, 1, 1)
    assert previous(x, 1, default).shape == (3, 2, 4)
    assert previous(normal(2, 1)).shape == (2, 1)  # does not vary
    assert previous(normal(2, 1), default=0.5).tolist() == [[0.5], [0.5]]  # one step
    with pytest.raises(TypeError, match="no tensor"):
        previous(None)  # type: ignore[arg-type]


def test_initially_takes_each_part_where_it_holds() -> None:
    x = normal(3, 1, 5)
    found = initially(normal(2, 1), x, 5, steps=2)
    assert found.shape == (3, 2, 5)
    assert found[..., 2:].equal(x[..., 2:].expand(3, 2, 3))
    assert initially(1.0, 2.0, 3).equal(torch.tensor([1.0, 2.0, 2.0]))
    assert initially(normal(4, 2), 0.0, 3, dim=-2)[1:].eq(0).all()
    assert since(2, 4, -2).equal(torch.tensor([[False], [False], [True], [True]]))


@pytest.mark.parametrize("varying", [False, True])
@pytest.mark.parametrize("steps", [1, 2])
def test_linear_recurrence_is_the_loop(varying: bool, steps: int) -> None:
    a = (0.5 * normal(3, 1, T if varying else 1)).requires_grad_()
    b, first = normal(2, T), normal(2, 1)
    expected = [first.expand(3, 2, 1)] * steps
    for t in range(steps, T):
        expected.append(at_step(b, t) + at_step(a, t) * expected[-1])
    found = linear_recurrence(first, b, a, T, steps=steps)
    loop = joined(expected)
    torch.testing.assert_close(found, loop, rtol=1e-9, atol=1e-9)
    gradients = [torch.autograd.grad(value.sin().sum(), a)[0] for value in (found, loop)]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-8, atol=1e-9)


def test_a_walk_is_a_running_sum_along_any_axis() -> None:
    steps = normal(T, 2)
    torch.testing.assert_close(linear_recurrence(steps[:1], steps, 1.0, T, dim=-2), steps.cumsum(0))


def test_linear_system_is_the_loop() -> None:
    a: dict[tuple[int, int, int], Tensor | float]
    a = {(0, 0, 1): 0.5, (0, 1, 2): normal(3, 1, T), (1, 0, 2): 0.1, (1, 1, 1): 0.4}
    b = [normal(2, T), 0.1]
    x: list[list[Tensor | float]] = [[normal(2, 1)] * 2, [0.5] * 2]
    first = [x[0][0], x[1][0]]
    for t in range(2, T):
        now = [
            at_step(b[i], t)
            + sum(at_step(c, t) * x[j][t - k] for (n, j, k), c in a.items() if n == i)
            for i in range(2)
        ]
        for past, value in zip(x, now, strict=True):
            past.append(value)
    for found, past in zip(linear_system(first, b, a, T, steps=2), x, strict=True):
        torch.testing.assert_close(found, joined(past).expand_as(found), rtol=1e-9, atol=1e-9)
