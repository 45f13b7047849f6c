"""Ordered probit and discrete uniform distributions, against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch

from autoguide_core.distributions import DiscreteUniform, OrderedProbit


def test_ordered_probit_has_the_masses_between_its_cutpoints() -> None:
    predictor = torch.tensor([-0.7, 0.0, 2.5], dtype=torch.float64)
    cutpoints = torch.tensor([-1.0, 0.2, 1.5], dtype=torch.float64)
    found = OrderedProbit(predictor, cutpoints).probs
    edges = np.array([-math.inf, -1.0, 0.2, 1.5, math.inf])
    expected = np.diff(scipy.stats.norm.cdf(edges - predictor.numpy()[:, None]), axis=1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    assert OrderedProbit(predictor, cutpoints).expand([2, 3]).sample().shape == (2, 3)


def test_ordered_probit_far_out() -> None:
    cutpoints = torch.tensor([30.0, 31.0], dtype=torch.float64, requires_grad=True)
    density = OrderedProbit(torch.zeros((), dtype=torch.float64), cutpoints).logits[1]
    known = scipy.stats.norm.logsf(30) + math.log1p(
        -math.exp(scipy.stats.norm.logsf(31) - scipy.stats.norm.logsf(30))
    )
    assert density.item() == pytest.approx(known, rel=1e-10)
    (slope,) = torch.autograd.grad(density, cutpoints)
    assert torch.isfinite(slope).all()


def test_discrete_uniform() -> None:
    made = DiscreteUniform(2, 5, validate_args=False).expand([3])
    values = made.enumerate_support()
    assert values[:, 0].tolist() == [2, 3, 4, 5]
    assert made.log_prob(values).exp().sum(0).tolist() == pytest.approx([1, 1, 1])
    assert made.log_prob(torch.tensor(6.0)).tolist() == [-math.inf] * 3
    assert set(made.sample((200,)).unique().tolist()) == {2, 3, 4, 5}
    with pytest.raises(ValueError, match="out of order"):
        DiscreteUniform(3, 2)
