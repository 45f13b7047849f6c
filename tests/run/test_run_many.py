"""Several sets of data fitted at once: each fit is the one that its data have alone."""

from __future__ import annotations

import numpy as np
import pyro
import pytest
import torch

import pplc
from autoguide_core.engine.isolation import own_store

SPEC = """\
data {
  dim obs
  dim group
  g[obs] : index(group)
  y[obs] : real
}
derive {
  spread = sd(y)
}
model levels {
  mu ~ Normal(0, 5)
  plate group {
    level ~ Normal(mu, 1)
  }
  plate obs {
    y ~ Normal(level[g], spread)
  }
}
guide {
  part all = AutoNormal(*)
}
guide near {
  part all = AutoNormal(*) { init at { mu = mean(y), level = 0 } }
}
fit {
  steps = 400
  draws = 40
  engine = graph
}
"""
GROUPS = ["a", "b", "a", "b"]
SETS = [
    {"g": GROUPS, "y": [1.0, 2.0, 3.0, 5.0]},
    {"g": GROUPS, "y": [-1.0, 0.5, 0.0, 9.0]},
    {"g": ["b", "b", "a", "a"], "y": [4.0, 3.0, 2.0, 7.0]},
]
OPTIONS = {"progress": False, "seed": 3}


@pytest.mark.parametrize("guide", [None, "near"])
def test_each_fit_is_that_of_its_data(guide: str | None) -> None:
    spec = pplc.loads(SPEC)
    fits = pplc.fit_many(spec, SETS, guide=guide, **OPTIONS)
    assert len(fits) == 3
    for fit, data in zip(fits, SETS, strict=True):
        alone = spec.fit(data, guide=guide, **OPTIONS)
        np.testing.assert_allclose(fit.elbo, alone.elbo, rtol=1e-7)
        assert fit.summary()["mean"].to_numpy() == pytest.approx(
            alone.summary()["mean"].to_numpy(), rel=1e-6
        )
        assert fit.idata["observed_data"]["y"].values.tolist() == data["y"]
        assert fit.record["hashes"]["data"] == alone.record["hashes"]["data"]
        assert not fit.notes
    assert fits[0].source == fits[1].source
    assert abs(fits[0].elbo[-1] - fits[1].elbo[-1]) > 0.1


@pytest.mark.parametrize("together", [True, False])
def test_what_the_parameter_store_holds_has_no_say(together: bool) -> None:
    spec, name = pplc.loads(SPEC), "AutoGuideList.0.locs.mu"
    with own_store({}):
        left = pyro.param(name, torch.tensor(7.0))
        fit = (
            pplc.fit_many(spec, SETS[:1], **OPTIONS)[0]
            if together
            else spec.fit(SETS[0], **OPTIONS)
        )
        assert not fit.notes
        assert dict(pyro.get_param_store().named_parameters()) == {name: left}


def test_sets_of_other_sizes_are_told() -> None:
    spec = pplc.loads(SPEC)
    longer = {"g": [*GROUPS, "a"], "y": [1.0, 2.0, 3.0, 4.0, 5.0]}
    with pytest.raises(pplc.SpecError, match=r"PPL095 data set 2 .*: obs is 5, not 4") as caught:
        pplc.fit_many(spec, [SETS[0], SETS[1], longer], **OPTIONS)
    assert "fit data of one size together" in str(caught.value)


def test_a_fit_that_fails_is_told_with_its_place() -> None:
    """Steps that suit data of some spread are far too long for data of nearly none."""
    spec = pplc.loads(SPEC.replace("draws = 40", "optimizer = SGD(lr = 0.01)"))
    narrow = {"g": GROUPS, "y": [1.0, 1.0, 1.0, 1.000001]}
    with pytest.raises(pplc.SpecError, match="PPL099 data set 1: the ELBO is not") as caught:
        pplc.fit_many(spec, [SETS[0], narrow, SETS[1]], **OPTIONS)
    assert "data set 0" not in str(caught.value)
    assert "fit it alone, or leave it out" in str(caught.value)


def test_no_sets_are_no_fits() -> None:
    assert pplc.fit_many(pplc.loads(SPEC), []) == []
