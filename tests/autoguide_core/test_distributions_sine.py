"""Pairs of dependent angles, against Pyro and a fine quadrature."""

from __future__ import annotations

import math

import pyro.distributions as dist
import pytest
import torch
from pyro.distributions import sine_bivariate_von_mises as pyros

from autoguide_core.distributions import SineBivariateVonMises


@pytest.mark.parametrize("correlation", [-0.95, 0.0, 0.4])
def test_pairs_of_angles_have_pyros_density_and_no_assertion(correlation: float) -> None:
    phi, psi = torch.tensor([0.01, 3.0, 40.0, 200.0]), torch.tensor([0.5, 70.0, 5.0, 150.0])
    rest = {"weighted_correlation": torch.tensor(correlation).double()}
    ours = SineBivariateVonMises(0.3, -1.0, phi.double(), psi.double(), **rest)
    theirs = dist.SineBivariateVonMises(0.3, -1.0, phi.double(), psi.double(), **rest)
    angles = torch.linspace(-3.0, 3.0, 8).double().reshape(4, 2)
    assert torch.allclose(ours.log_prob(angles), theirs.log_prob(angles), rtol=1e-6)
    again = SineBivariateVonMises(
        0.3, -1.0, phi.double(), psi.double(), correlation=ours.correlation
    )
    assert torch.allclose(ours.norm_const, again.norm_const, rtol=1e-10)
    assert ours.expand([3, 4]).log_prob(angles).shape == (3, 4)


def test_pairs_of_angles_as_narrow_as_may_be_have_a_normaliser() -> None:
    wide = torch.tensor([10_000.0, 3_000.0]).double()
    for correlation in (0.0, 0.7, -0.999):
        made = SineBivariateVonMises(
            0.0, 0.0, wide, wide.flip(0), weighted_correlation=torch.tensor(correlation).double()
        )
        angle = torch.arange(100_000).double() * (2.0 * torch.pi / 100_000)
        cross = made.correlation[:, None] * angle.sin()
        size = (made.psi_concentration[:, None].square() + cross.square()).sqrt()
        terms = made.phi_concentration[:, None] * angle.cos() + size
        terms = terms + torch.special.i0e(size).log()
        expected = terms.logsumexp(1) + math.log(4.0 * torch.pi**2 / 100_000)
        assert torch.allclose(made.norm_const, expected, rtol=0.0, atol=1e-9)
    with pytest.raises(ValueError, match="phi_concentration"):
        SineBivariateVonMises(0.0, 0.0, wide * 1e30, wide, correlation=0.0, validate_args=True)


@pytest.mark.parametrize(
    ("phi", "psi", "correlation"), [(7.0, 9.0, 0.1), (2.0, 3.0, -0.9), (0.05, 0.1, 0.5), (1, 1, 3)]
)
def test_pairs_of_angles_are_drawn_without_a_series_for_each(
    phi: float, psi: float, correlation: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(pyros, "log_I1")  # a table of 250 numbers for each draw
    concentrations = torch.tensor([phi, psi]).double()
    cross = correlation * concentrations.prod().sqrt()
    made = SineBivariateVonMises(0.4, -1.0, *concentrations, correlation=cross)
    torch.manual_seed(1)
    drawn = made.sample((20_000,))
    assert (drawn.abs() <= math.pi).all()
    grid = torch.arange(400).double() * (2.0 * math.pi / 400) - math.pi
    points = torch.cartesian_prod(grid, grid)
    weights = (
        SineBivariateVonMises(0.4, -1.0, *concentrations, correlation=cross)
        .log_prob(points)
        .softmax(0)
    )

    def features(at: torch.Tensor) -> torch.Tensor:
        both = (at - torch.tensor([0.4, -1.0])).sin().prod(1)
        return torch.cat([at.cos(), at.sin(), (2.0 * at).cos(), both[:, None]], 1)

    expected = weights @ features(points)
    error = (weights @ features(points).square() - expected.square()).sqrt() / math.sqrt(20_000)
    assert ((features(drawn).mean(0) - expected) / error).abs().max() < 4.0
    expanded = made.expand([3])
    assert expanded.sample().shape == (3, 2)
    assert "norm_const" not in vars(made)  # a draw needs none, nor one for each copy
    assert torch.equal(expanded.norm_const, made.norm_const.expand(3))
