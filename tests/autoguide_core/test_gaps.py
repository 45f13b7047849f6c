"""Data with gaps: what is left out, and what is filled in."""

from __future__ import annotations

import math

import pyro.distributions as dist
import pytest
import torch

from autoguide_core.distributions import Gaps
from autoguide_core.gaps import fill_gaps, is_gap

NAN = math.nan


def test_gaps_are_filled_in_order_under_dims_on_the_left() -> None:
    data = torch.tensor([[1.0, NAN, 3.0], [NAN, 5.0, NAN]])
    filled = fill_gaps(data, torch.tensor([[[10.0, 20.0, 30.0]], [[11.0, 21.0, 31.0]]]))
    assert filled.shape == (2, 1, 2, 3)
    assert filled[1, 0].tolist() == [[1.0, 11.0, 3.0], [21.0, 5.0, 31.0]]
    assert is_gap(torch.tensor([2, -1, 0])).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("base", "data"),
    [
        (dist.LogNormal(0.3, 1.0), torch.tensor([0.5, NAN, 2.0])),
        (dist.Poisson(3.0), torch.tensor([0.0, NAN, 2.0])),
        (dist.Binomial(torch.tensor([5.0, 1.0, 4.0]), 0.3), torch.tensor([3.0, NAN, 4.0])),
        (dist.Categorical(torch.tensor([0.2, 0.5, 0.3])), torch.tensor([0, -1, 2])),
    ],
)
def test_a_gap_counts_nothing(base: dist.TorchDistribution, data: torch.Tensor) -> None:
    density = Gaps(base, validate_args=True).log_prob(data)
    assert density[1] == 0
    whole = torch.where(is_gap(data), 1, data)
    torch.testing.assert_close(density[[0, 2]], base.log_prob(whole)[[0, 2]])


def test_gradients_are_finite_where_the_stand_in_is_impossible() -> None:
    logits = torch.zeros(3, requires_grad=True)
    base = dist.Binomial(torch.tensor([5.0, 1.0, 4.0]), logits=logits)
    Gaps(base).log_prob(torch.tensor([3.0, NAN, 4.0])).sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[1] == 0


def test_values_outside_of_the_support_are_told() -> None:
    with pytest.raises(ValueError, match="outside the support"):
        Gaps(dist.Poisson(3.0), validate_args=True).log_prob(torch.tensor([-1.0, NAN]))
