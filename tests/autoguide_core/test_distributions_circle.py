"""Angles as points of a circle: a density with an integral, whatever turn they are of."""

from __future__ import annotations

import math

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from torch.distributions import biject_to

from autoguide_core import AutoMultivariateNormal, FitSettings, draw_corrected, fit
from autoguide_core.distributions import SineBivariateVonMises, VonMises
from autoguide_core.distributions.circle import TURN, around_their_mean, circle, is_circular
from autoguide_core.engine.curvature.density import LogDensity
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.curvature.mode import find_modes


def test_the_turns_of_each_angle_have_one_share_together() -> None:
    angles = torch.linspace(-math.pi, math.pi, 50).double()
    turns = angles + TURN * torch.arange(-30.0, 31.0)[:, None].double()
    shares = biject_to(circle).log_abs_det_jacobian(turns, turns).exp()
    assert torch.allclose(shares.sum(0), torch.ones(50).double(), rtol=0.0, atol=1e-8)


def test_pairs_of_angles_are_circular_too() -> None:
    pair = SineBivariateVonMises(0.0, 0.0, 1.0, 2.0, correlation=0.1)
    assert is_circular(pair.support)
    assert is_circular(VonMises(torch.zeros(3), 1.0).to_event(1).support)
    assert not is_circular(dist.Normal(0.0, 1.0).support)


@pytest.mark.parametrize(
    "made",
    [
        VonMises(torch.tensor(1.0), 2.0, one_turn=True),
        SineBivariateVonMises(0.0, 0.0, 1.0, 2.0, correlation=0.1, one_turn=True),
    ],
    ids=["one", "pair"],
)
def test_an_angle_may_be_kept_to_one_turn(made: dist.TorchDistribution) -> None:
    for one in (made, made.expand([3]), made.expand([3]).to_event(1)):
        assert not is_circular(one.support)
        assert one.support.check(one.sample()).all()
        assert not one.support.check(one.sample() + TURN).any()


def test_data_may_be_of_any_turn() -> None:
    made = VonMises(torch.tensor(1.0), 2.0, validate_args=True)
    at = torch.tensor([-3.0, 0.5])
    assert torch.allclose(made.log_prob(at + 3 * TURN), made.log_prob(at), atol=1e-5)
    with pytest.raises(ValueError, match="VonMises"):
        made.log_prob(torch.tensor(math.nan))


def test_draws_are_of_the_turn_around_their_mean() -> None:
    drawn = torch.tensor([3.0, -3.0 + 2 * TURN, 3.1 - TURN, -3.1]).double()
    assert around_their_mean(drawn).sort().values.tolist() == pytest.approx(
        [3.0, 3.1, TURN - 3.1, TURN - 3.0]
    ) or around_their_mean(drawn).sort().values.tolist() == pytest.approx(
        [3.0 - TURN, 3.1 - TURN, -3.1, -3.0]
    )


@pytest.mark.parametrize(
    ("concentration", "data"),
    [
        (0.3, []),  # no more than the prior: on the line without shares it has no integral
        (5.0, []),  # weights nearly even, with a tail that is to be annealed
        (0.1, [2.9, -3.1, 3.3, -2.8, 3.0, -3.0, 2.8, 3.2]),  # half a turn away from its loc
    ],
    ids=["flat", "narrow", "opposite"],
)
def test_the_posterior_of_an_angle_is_that_of_quadrature(
    concentration: float, data: list[float]
) -> None:
    def model() -> None:
        angle = pyro.sample("angle", VonMises(torch.tensor(0.0), torch.tensor(concentration)))
        for place, one in enumerate(data):
            pyro.sample(f"y_{place}", VonMises(angle, 4.0), obs=torch.tensor(one))

    settings = FitSettings(steps=1000, seed=2, engine="graph")
    guide = AutoMultivariateNormal(model)
    found = draw_corrected(fit(model, guide, settings=settings), model, num_draws=4000)
    grid = np.linspace(-np.pi, np.pi, 4000, endpoint=False)
    log_p = concentration * np.cos(grid)
    log_p += sum((4.0 * np.cos(one - grid) for one in data), np.zeros(4000))
    weights = np.exp(log_p - log_p.max()) / np.exp(log_p - log_p.max()).sum()
    draws = found.sites["angle"].numpy()
    assert found.level == "good"
    assert np.ptp(draws) <= 2.0 * np.pi + 1e-6
    for part in (np.cos, np.sin):
        mean = weights @ part(grid)
        sd = np.sqrt(weights @ part(grid) ** 2 - mean**2)
        assert part(draws).mean() == pytest.approx(mean, abs=0.1 * sd)
        assert part(draws).std() == pytest.approx(sd, rel=0.1)


def test_a_mode_has_no_copies_at_other_turns() -> None:
    def model() -> None:
        angle = pyro.sample("angle", VonMises(torch.tensor(3.0), torch.tensor(50.0)))
        pyro.sample("y", dist.Normal(angle.cos(), 1.0), obs=torch.tensor(-1.0))

    density = LogDensity(model)
    assert density.circular.tolist() == [True]
    starts = [torch.tensor([at]).double() for at in (2.5, -3.0, 9.0)]
    gradients = Gradients(density, starts[0])
    assert len(find_modes(gradients, starts, lambda *_: None, density.circular)) == 1
    assert len(find_modes(gradients, starts, lambda *_: None)) > 1
