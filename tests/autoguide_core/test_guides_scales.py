"""Initial scales by site: each family starts every site at its own."""

from __future__ import annotations

from functools import partial

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.distributions.transforms import iterated, planar

from autoguide_core import (
    AutoBNAFNormal,
    AutoDiagonalNormal,
    AutoGaussian,
    AutoGuideList,
    AutoHierarchicalNormalMessenger,
    AutoIAFNormal,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    AutoNormal,
    AutoNormalizingFlow,
    AutoNormalMessenger,
    AutoRegressiveMessenger,
    AutoStructured,
)

SCALES = {"b": 0.5, "c": 0.02}
BY_ENTRY = [0.1, 0.5, 0.5, 0.5, 0.02, 0.02]
PACKED = [
    AutoDiagonalNormal,
    AutoMultivariateNormal,
    AutoLowRankMultivariateNormal,
    AutoBNAFNormal,
    AutoIAFNormal,
    lambda model, **options: AutoNormalizingFlow(model, partial(iterated, 1, planar), **options),
]
BY_SITE = [
    AutoNormal,
    AutoGaussian,
    AutoStructured,
    AutoNormalMessenger,
    AutoHierarchicalNormalMessenger,
    AutoRegressiveMessenger,
]


def model():
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b", dist.Normal(a, torch.ones(3)).to_event(1))
    with pyro.plate("p", 2):
        pyro.sample("c", dist.Normal(b.sum(-1), 1.0))


@pytest.mark.parametrize("family", PACKED)
def test_packed_vector(family):
    guide = family(model, init_scale=SCALES)
    guide()
    start = guide.scale.detach()
    if isinstance(guide, AutoLowRankMultivariateNormal):
        start = start / 0.5**0.5
    assert torch.allclose(start, torch.tensor(BY_ENTRY))


@pytest.mark.parametrize("family", BY_SITE)
def test_site_by_site(family):
    guide = family(model, init_scale=SCALES)
    guide()
    start = [getattr(guide.scales, name).detach().reshape(-1) for name in "abc"]
    assert torch.allclose(torch.cat(start), torch.tensor(BY_ENTRY))


def test_part_of_a_list():
    guide = AutoGuideList(model)
    guide.append(AutoDiagonalNormal(poutine.block(model, expose=["b"]), init_scale={"b": 0.5}))
    guide.append(AutoNormalMessenger(poutine.block(model, hide=["b"]), init_scale={"c": 0.02}))
    guide()
    assert torch.allclose(guide[0].scale, torch.full((3,), 0.5))
    assert torch.allclose(guide[1].scales.c, torch.full((2,), 0.02))


@pytest.mark.parametrize("family", PACKED + BY_SITE)
def test_wrong_scales_are_told(family):
    with pytest.raises(ValueError, match="init_scale"):
        family(model, init_scale={"b": 0.0})
    with pytest.raises(ValueError, match=r"init_scale .*'bb'(.|\n)*Did you mean 'b'"):
        family(model, init_scale={"bb": 0.5})()
