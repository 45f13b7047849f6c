"""Gaussians fitted by compiled steps: exact answers, one compilation, and honest failures."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from torch import Tensor

from autoguide_core import AutoMultivariateNormal, FitError, FitSettings, fit
from autoguide_core.engine.curvature.gaussian import Gaussian, GaussianFits
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.curvature.landing import LandingEstimator
from autoguide_core.engine.curvature.whitening import Whitening, by_curvature, by_scale
from autoguide_core.engine.native import start
from autoguide_core.engine.native.toolchain import CompilerUnavailable, find_toolchain
from autoguide_core.engine.stepping.supply import discover, supplied

MEAN = torch.tensor([1.0, -3.0, 0.5], dtype=torch.float64)
FACTOR = torch.tensor([[2.0, 0.0, 0.0], [0.6, 0.5, 0.0], [-1.0, 0.2, 1.5]], dtype=torch.float64)
COVARIANCE = FACTOR @ FACTOR.T
PRECISION = torch.linalg.inv(COVARIANCE)
EVIDENCE = 4.25
ZERO, ONE = torch.zeros_like(MEAN), torch.ones_like(MEAN)
Density = Callable[[Tensor], Tensor]


def normal(z: Tensor) -> Tensor:
    log_p: Tensor = dist.MultivariateNormal(MEAN, COVARIANCE, validate_args=False).log_prob(z)
    return log_p + EVIDENCE


def skewed(z: Tensor) -> Tensor:
    """No Gaussian, and without a finite density where the first coordinate is above 2.5."""
    return (2.5 - z[0]).log() - z[0].exp() - 0.5 * (z * z).sum() + (z[1] * z[2]).tanh()


def settings(steps: int, engine: str = "graph", **others: Any) -> FitSettings:
    return FitSettings(**{"steps": steps, "engine": engine, "averaging": False, **others})


def quiet(*_: object) -> None:
    pass


def fitted(
    density: Density, whitening: Whitening, chosen: FitSettings, *, full_rank: bool = True
) -> Gaussian:
    with closing(GaussianFits(Gradients(density, ZERO), ZERO, chosen)) as fits:
        return fits.fit(whitening, chosen, quiet, full_rank=full_rank)


def as_vector(gaussian: Gaussian) -> Tensor:
    elbo = torch.from_numpy(gaussian.elbo)
    return torch.cat([gaussian.loc, gaussian.factor.reshape(-1), elbo])


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that are given to the compiler, where there is one."""
    try:
        find_toolchain(tmp_path)
    except CompilerUnavailable as error:
        pytest.skip(str(error))
    monkeypatch.setenv("PPLC_CACHE_DIR", str(tmp_path))
    asked: list[str] = []
    compile_source = start.Compilation.start

    def note(source: str, *others: Any) -> Any:
        asked.append(source)
        return compile_source(source, *others)

    monkeypatch.setattr(start.Compilation, "start", note)
    return asked


# --- One estimate ---


def test_estimate_is_the_bound_and_its_gradient_with_the_score_held_still() -> None:
    free = torch.linspace(-0.4, 0.5, 15, dtype=torch.float64).requires_grad_()
    estimator = LandingEstimator(Gradients(skewed, ZERO), free, ZERO, 7)
    matrix = FACTOR + 0.1
    whitening = Whitening(MEAN - 2.0, matrix, float(torch.linalg.slogdet(matrix).logabsdet))
    draws = discover(lambda: estimator(estimator.start()))
    noise = 0.5 * torch.randn(7, 3, dtype=torch.float64)
    with supplied(draws, [noise]):
        estimate = estimator(estimator.carry_of(whitening, full_rank=True))
    (found,) = torch.autograd.grad(estimate.surrogate, free)

    factor = free[6:].reshape(3, 3).tril(-1) + free[3:6].exp().diag()
    z = whitening.centre + (free[:3] + noise @ factor.T) @ matrix.T
    loc, full = whitening.centre + matrix @ free[:3].detach(), (matrix @ factor).detach()
    log_q = dist.MultivariateNormal(loc, full @ full.T).log_prob(z)
    bound = (torch.stack([skewed(point) for point in z]) - log_q).mean()
    (expected,) = torch.autograd.grad(bound, free)
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert float(estimate.elbo) == pytest.approx(float(bound.detach()), abs=1e-9)


# --- Exact answers ---


def test_every_estimate_is_the_evidence_where_the_start_is_the_posterior() -> None:
    stay = settings(50, optimizer_options={"lr": 0.0})
    found = fitted(normal, by_curvature(MEAN, PRECISION), stay)
    assert np.allclose(found.elbo, EVIDENCE, atol=1e-9)
    assert torch.allclose(found.loc, MEAN)
    assert torch.allclose(found.factor @ found.factor.T, COVARIANCE)


def test_a_normal_is_found_from_a_whitening_amiss() -> None:
    amiss = by_curvature(MEAN - ONE, torch.diag(2.0 * torch.diagonal(PRECISION)))
    found = fitted(normal, amiss, settings(1500, averaging=True))
    assert found.elbo[-1] == pytest.approx(EVIDENCE, abs=0.01)
    assert torch.allclose(found.loc, MEAN, atol=0.01)
    assert torch.allclose(found.factor @ found.factor.T, COVARIANCE, atol=0.01)


def test_mean_field_has_the_spread_of_each_coordinate_given_the_others() -> None:
    found = fitted(normal, by_scale(MEAN, ONE), settings(1500, averaging=True), full_rank=False)
    scale = torch.diagonal(found.factor)
    assert torch.equal(found.factor, scale.diag())
    assert torch.allclose(scale, torch.diagonal(PRECISION).rsqrt(), rtol=0.03)
    assert torch.allclose(found.loc, MEAN, atol=0.03)


# --- Engines ---


def test_one_compilation_serves_every_run_and_makes_the_steps_of_the_graph(
    sources: list[str],
) -> None:
    whitenings = [by_scale(ZERO, 0.3 * ONE), by_curvature(0.2 * MEAN, PRECISION + 1.0)]
    runs = [(40, whitenings[0], False), (60, whitenings[1], True), (25, whitenings[0], True)]
    found = {}
    for engine in ("native", "graph", "eager"):
        gradients = Gradients(skewed, ZERO)
        with closing(GaussianFits(gradients, ZERO, settings(60, engine))) as fits:
            gaussians = [
                fits.fit(whitening, settings(steps, engine), quiet, full_rank=full_rank)
                for steps, whitening, full_rank in runs
            ]
        assert {gaussian.engine for gaussian in gaussians} == {engine}
        found[engine] = [as_vector(gaussian) for gaussian in gaussians]
    assert len(sources) == 1
    for engine in ("native", "eager"):
        for one, other in zip(found[engine], found["graph"], strict=True):
            assert torch.allclose(one, other, rtol=1e-9, atol=1e-9), engine


def test_a_run_depends_on_its_seed_and_on_no_run_before_it() -> None:
    chosen, whitening = settings(30), by_scale(ZERO, 0.3 * ONE)
    alone = as_vector(fitted(skewed, whitening, chosen))
    with closing(GaussianFits(Gradients(skewed, ZERO), ZERO, chosen)) as fits:
        fits.fit(by_scale(ONE, ONE), settings(50), quiet, full_rank=False)
        assert torch.equal(as_vector(fits.fit(whitening, chosen, quiet)), alone)
        other = fits.fit(whitening, settings(30, seed=1), quiet)
    assert not torch.allclose(as_vector(other), alone)


def test_what_cannot_be_recorded_is_fitted_all_the_same() -> None:
    def branching() -> None:
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.factor("f", -a * a if float(a.detach()) > -9.0 else a)

    guide = AutoMultivariateNormal(branching)
    result = fit(branching, guide, settings=FitSettings(steps=120))
    assert (result.method, result.engine) == ("curvature", "eager")
    assert len(result.notes) == 1
    assert "it runs slowly" in result.verdict
    with result.parameters():
        assert float(guide.scale.detach()) == pytest.approx(3.0**-0.5, rel=1e-3)
    gradients = Gradients(
        lambda z: -(z * z).sum() if float(z.detach()) > -9.0 else z.sum(), ZERO[:1]
    )
    fits = GaussianFits(gradients, ZERO[:1], settings(40, "graph"))
    with pytest.raises(FitError, match="engine 'graph' cannot be used: the density could not"):
        fits.fit(by_scale(ZERO[:1], ONE[:1]), settings(40), quiet)


def test_a_fit_with_a_checkpoint_is_made_again_to_the_last_digit(tmp_path: Path) -> None:
    def model() -> None:
        scale = pyro.sample("scale", dist.HalfNormal(1.0))
        with pyro.plate("N", 4):
            pyro.sample("y", dist.Normal(0.0, scale), obs=torch.tensor([0.5, -1.0, 2.0, 0.1]))

    first, second = (
        fit(
            model,
            AutoMultivariateNormal(model),
            settings=FitSettings(steps=700),
            checkpoint=tmp_path / "fit.pt",
        )
        for _ in range(2)
    )
    assert first.engine == second.engine
    assert first.engine in ("native", "graph")  # no change on the way
    assert (first.elbo == second.elbo).all()
    assert not list(tmp_path.iterdir())
    assert first.notes[-1] == "method 'curvature' keeps no checkpoint: made again, it is the same"


# --- Failures ---


def test_draws_without_a_finite_density_are_left_out() -> None:
    def bounded(z: Tensor) -> Tensor:
        """Normal, but without a density on some twentieth of the space."""
        outside = z[0] > MEAN[0] + 1.7 * FACTOR[0, 0]
        return torch.where(outside, torch.nan, normal(z))

    stay = settings(45, optimizer_options={"lr": 0.0})
    found = fitted(bounded, by_curvature(MEAN, PRECISION), stay)
    assert np.allclose(found.elbo, EVIDENCE, atol=1e-9)


def test_a_density_that_is_never_finite_ends_the_run() -> None:
    with pytest.raises(FitError, match="not a finite number around its mode"):
        fitted(lambda z: -(z * z).sum() + torch.nan, by_scale(ZERO, ONE), settings(80))
    with pytest.raises(FitError, match="not a finite number around its mode"):
        # Nearly every step leaves out some draws, until there are too many such steps.
        fitted(skewed, by_scale(ONE, ONE), settings(400, optimizer_options={"lr": 0.0}))
