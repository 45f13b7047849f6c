"""Coordinates relative to parents and data: the map, its density, and what is learnt for it."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import pytest
import torch

from autoguide_core.engine.curvature.compiled import CompiledGradients
from autoguide_core.engine.curvature.density import LogDensity
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.curvature.knowledge import learn_knowledge
from autoguide_core.noncentring import Conditional, LocationScale
from autoguide_core.noncentring.priors import _ROWS
from compiler.tables.hierarchy import NONCENTRABLE

SEEN = torch.tensor([2.0, -1.0, 0.5, 4.0, 3.0], dtype=torch.float64)
ERRORS = torch.tensor([0.3, 2.0, 1.0, 0.1, 5.0], dtype=torch.float64)


def groups() -> None:
    mean = pyro.sample("mean", dist.Normal(0.0, 5.0))
    scale = pyro.sample("scale", dist.HalfNormal(3.0))
    with pyro.plate("group", 5):
        level = pyro.sample("level", dist.Normal(mean, scale))
        pyro.sample("seen", dist.Normal(level, ERRORS), obs=SEEN)


def process() -> None:
    width = pyro.sample("width", dist.HalfNormal(2.0))
    gaps = torch.arange(4.0, dtype=torch.float64)
    covariance = torch.exp(-0.5 * (gaps[:, None] - gaps) ** 2) + 0.01 * torch.eye(4)
    prior = dist.MultivariateNormal(torch.zeros(4), covariance * width**2)
    values = pyro.sample("values", prior)
    pyro.sample("seen", dist.Normal(values, 0.5).to_event(1), obs=SEEN[:4])


def times() -> None:
    rate = pyro.sample("rate", dist.HalfNormal(1.0))
    with pyro.plate("part", 5):
        wait = pyro.sample("wait", dist.Exponential(rate))
        factor = pyro.sample("factor", dist.LogNormal(rate, 0.5))
        pyro.sample("seen", dist.Normal(wait * factor, 1.0), obs=SEEN.abs())


def knowledge_for(density: LogDensity, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(2, density.dim, generator=generator, dtype=torch.float64)
    return drawn * density.noncentrable


@pytest.mark.parametrize("model", [groups, process, times])
def test_the_density_follows_its_coordinates(model) -> None:
    density = LogDensity(model)
    assert density.noncentrable.any()
    assert not density.noncentrable.all()
    known = knowledge_for(density, 1)
    point = torch.linspace(-0.7, 0.9, density.dim, dtype=torch.float64)
    plain = density.to_centred(point, known)
    jacobian = torch.autograd.functional.jacobian(lambda at: density.to_centred(at, known), point)
    expected = density(plain) + torch.linalg.slogdet(jacobian)[1]
    torch.testing.assert_close(density(point, known), expected)


@pytest.mark.parametrize("model", [groups, process])
def test_what_a_normal_model_tells_is_learnt_exactly(model) -> None:
    """Given the parents, the standard numbers of the latents are then standard normal."""
    density = LogDensity(model)
    movable = density.noncentrable
    start = torch.zeros(density.dim, dtype=torch.float64)
    gradients = Gradients(density, start, torch.zeros(2, density.dim, dtype=torch.float64))
    point = learn_knowledge(density, gradients, [start])
    torch.testing.assert_close(point[movable], start[movable], atol=1e-2, rtol=0)
    elsewhere = torch.where(movable, 0.0, point + 0.7)  # for other parents, too
    for at in (point, elsewhere):
        hessian = -gradients.hessian(torch.where(movable, 0.0, at))
        latents = hessian[movable][:, movable]
        torch.testing.assert_close(latents, torch.eye(len(latents)).double(), atol=1e-4, rtol=0)
        ties = hessian[movable][:, ~movable]
        assert float(ties.abs().max()) < 1e-2


def test_without_knowledge_the_form_is_the_noncentred_one() -> None:
    prior = LocationScale(torch.tensor(2.0), torch.tensor(3.0))
    value, log_det = Conditional(prior, torch.zeros(2), torch.zeros(2))(torch.tensor([0.0, 1.0]))
    assert value.tolist() == [2.0, 5.0]
    back = Conditional(prior, torch.ones(2), -torch.ones(2))
    torch.testing.assert_close(back.inverse(back(value)[0]), value)
    torch.testing.assert_close(log_det, torch.tensor([3.0, 3.0]).log())


def test_the_compiler_knows_the_same_distributions() -> None:
    assert frozenset(family.__name__ for family in _ROWS) == NONCENTRABLE


def test_compiled_gradients_are_those_of_the_graph() -> None:
    density = LogDensity(groups)
    known = knowledge_for(density, 2)
    gradients = Gradients(density, torch.zeros(density.dim, dtype=torch.float64), known)
    compiled = CompiledGradients(gradients, density.dim, 16)
    points = torch.randn(300, density.dim, dtype=torch.float64)
    for found, expected in zip(
        compiled.value_and_grad(points), gradients.value_and_grad(points), strict=True
    ):
        torch.testing.assert_close(found, expected)
    point = points[0]
    torch.testing.assert_close(compiled.hessian(point), gradients.hessian(point))
