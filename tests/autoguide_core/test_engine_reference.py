"""The untuned fit against the reference posteriors: means, spreads, and honest lights."""

from __future__ import annotations

import pytest
import torch
from engine_models import AVAILABLE, case, deviations, eight_schools_centred
from pyro import poutine

from autoguide_core import (
    AutoGuideList,
    AutoLaplaceApproximation,
    AutoMultivariateNormal,
    FitSettings,
    draw_posterior,
    fit,
    psis,
    resample,
)

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="the reference posteriors are not here")

PARAMETERS = {
    "earnings-earn_height": 3,
    "kidiq-kidscore_interaction": 5,
    "mesquite-mesquite": 8,
    "sblrc-blr": 6,
    "wells_data-wells_dist": 2,
}


@pytest.mark.parametrize("posterior", sorted(PARAMETERS))
def test_curvature_fit_reweighted_matches_reference(posterior: str) -> None:
    model, args = case(posterior)
    result = fit(model, AutoMultivariateNormal(model), args, settings=FitSettings(steps=1500))
    assert result.method == "curvature"
    assert result.converged, result.verdict
    assert result.notes == ()
    draws = draw_posterior(result, model, args, num_draws=10_000, seed=1)
    judged = psis(draws.log_weights)
    assert judged.level in ("good", "usable"), judged.verdict
    sites = resample(draws.sites, judged.weights, 10_000, seed=1)
    count, mean, least, greatest = deviations(posterior, sites)
    assert count == PARAMETERS[posterior]
    assert mean < 0.1
    assert least > 0.9
    assert greatest < 1.1


@pytest.mark.slow
def test_enumerated_mixture_matches_reference() -> None:
    posterior = "low_dim_gauss_mix-low_dim_gauss_mix"
    model, args = case(posterior)
    guide = AutoMultivariateNormal(poutine.block(model, hide=["k"]))
    result = fit(model, guide, args)
    assert result.method == "curvature"
    draws = draw_posterior(result, model, args, num_draws=5_000, seed=1)
    judged = psis(draws.log_weights)
    assert judged.level == "good", judged.verdict
    _, mean, least, greatest = deviations(
        posterior, resample(draws.sites, judged.weights, 5_000, seed=1)
    )
    assert mean < 0.1
    assert least > 0.9
    assert greatest < 1.1


def test_hierarchy_has_right_means_and_admits_its_error() -> None:
    posterior = "eight_schools-eight_schools_noncentered"
    model, args = case(posterior)
    result = fit(model, AutoMultivariateNormal(model), args, settings=FitSettings(steps=1500))
    draws = draw_posterior(result, model, args, num_draws=20_000, seed=0)
    judged = psis(draws.log_weights)
    assert judged.level != "good"
    count, mean, _, _ = deviations(posterior, resample(draws.sites, judged.weights, 20_000, seed=1))
    assert count == 10
    assert mean < 0.1


def test_degenerate_mode_falls_back_and_says_so() -> None:
    _, args = case("eight_schools-eight_schools_noncentered")
    model = eight_schools_centred
    result = fit(model, AutoMultivariateNormal(model), args, settings=FitSettings(steps=300))
    assert "started from a mean-field fit" in result.verdict
    draws = draw_posterior(result, model, args, num_draws=4_000)
    assert torch.isfinite(draws.log_weights).all()
    assert psis(draws.log_weights).level == "not reliable"


def test_laplace_guide_becomes_the_normal_at_the_mode() -> None:
    posterior = "GLM_Poisson_Data-GLM_Poisson_model"
    model, args = case(posterior)
    result = fit(model, AutoLaplaceApproximation(model), args)
    assert result.method == "laplace"
    assert result.converged, result.verdict
    assert type(result.guide).__name__ == "AutoMultivariateNormal"
    draws = draw_posterior(result, model, args, num_draws=10_000)
    _, mean, least, greatest = deviations(posterior, draws.sites)
    assert mean < 0.1
    assert least > 0.9
    assert greatest < 1.1


def test_list_of_one_joint_normal_is_fitted_by_curvature() -> None:
    posterior = "sblrc-blr"
    model, args = case(posterior)
    guide = AutoGuideList(model)
    guide.append(AutoMultivariateNormal(model))
    result = fit(model, guide, args, settings=FitSettings(steps=500))
    assert result.method == "curvature"
    assert sorted(result.parameter_values()) == [
        f"AutoGuideList.0.{name}" for name in ("loc", "scale", "scale_tril")
    ]
    draws = draw_posterior(result, model, args, num_draws=5_000)
    assert deviations(posterior, draws.sites)[1] < 0.1
