"""Every family of guides with what it can do, and small models for the tests of all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO
from pyro.optim import Adam

from autoguide_core import (
    AutoBatchedLowRankMultivariateNormal,
    AutoBatchedMultivariateNormal,
    AutoBNAFNormal,
    AutoDelta,
    AutoDiagonalNormal,
    AutoGaussian,
    AutoGuideList,
    AutoHierarchicalNormalMessenger,
    AutoIAFNormal,
    AutoLaplaceApproximation,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    AutoNoncenteredMultivariateNormal,
    AutoNormal,
    AutoNormalizingFlow,
    AutoNormalMessenger,
    AutoRegressiveMessenger,
    AutoStructured,
    Ordered,
    init_to_feasible,
)
from autoguide_core.guides.dais.guide import AutoDAIS
from autoguide_core.guides.iaf import TypedAffineAutoregressive


@dataclass(frozen=True)
class Family:
    """A family of guides over continuous sites.

    Attributes:
        name: What the tests call it.
        make: Makes a guide of a model.
        is_point: Whether it is a point estimate.
        can_score: Whether the density of given draws is known.
        can_subsample: Whether it covers a site in a plate of which a minibatch is in use.
        can_jit: Whether `JitTrace_ELBO` can compile it.
        can_reload: Whether it can be drawn from when it was loaded from a file, without its model.
        moves: Whether it covers a support that moves with another site.
        scaled: Makes a guide that starts at a wide scale; None where that cannot be said.
    """

    name: str
    make: Callable[[Any], Any]
    is_point: bool = False
    can_score: bool = True
    can_subsample: bool = False
    can_jit: bool = True
    can_reload: bool = True
    moves: bool = True
    scaled: Callable[[Any], Any] | None = None

    def __str__(self) -> str:
        return self.name


def latents_of(model: Any) -> dict[str, Any]:
    """The latent sites of a model without arguments, by name."""
    with poutine.block():
        trace = poutine.trace(model).get_trace()
    return {
        name: trace.nodes[name]
        for name in trace.stochastic_nodes
        if type(trace.nodes[name]["fn"]).__name__ != "_Subsample"
    }


def listed(model: Any) -> Any:
    """A list of two parts, or of one if there is but one site."""
    names = list(latents_of(model))
    half = (len(names) + 1) // 2
    guide = AutoGuideList(model)
    for part in filter(None, (names[:half], names[half:])):
        guide.append(AutoNormal(poutine.block(model, expose=part)))
    return guide


def hierarchical(model: Any, **options: Any) -> Any:
    """A hierarchical messenger whose Normal sites follow their prior means."""
    normal = [n for n, s in latents_of(model).items() if isinstance(s["fn"], dist.Normal)]
    return AutoHierarchicalNormalMessenger(model, hierarchical_sites=normal, **options)


def flow(model: Any, **options: Any) -> Any:
    return AutoNormalizingFlow(model, _make_flow, **options)


def _make_flow(size: int) -> Any:
    from pyro.nn import AutoRegressiveNN

    return TypedAffineAutoregressive(AutoRegressiveNN(size, [2 * size]))


def _family(name: str, make: Any, wide: dict[str, Any] | None = None, **traits: Any) -> Family:
    scaled = None if wide is None else partial(make, **wide)
    return Family(name, make, scaled=scaled, **traits)


WIDE = {"init_scale": 1.0, "init_loc_fn": init_to_feasible}

FAMILIES = [
    _family("normal", AutoNormal, WIDE, can_subsample=True),
    _family("delta", AutoDelta, is_point=True, can_subsample=True, moves=False),
    _family("diagonal", AutoDiagonalNormal, WIDE),
    _family("multivariate", AutoMultivariateNormal, WIDE),
    _family("noncentered", AutoNoncenteredMultivariateNormal, WIDE, can_reload=False),
    _family("low-rank", AutoLowRankMultivariateNormal, WIDE),
    _family("flow", flow, {}),
    _family("iaf", AutoIAFNormal, {}),
    _family("bnaf", AutoBNAFNormal, WIDE),
    _family("laplace", AutoLaplaceApproximation, is_point=True),
    _family("structured", AutoStructured, WIDE),
    _family(
        "structured-normal",
        partial(AutoStructured, conditionals="normal"),
        WIDE,
        can_subsample=True,
    ),
    _family("gaussian", AutoGaussian, WIDE),
    _family("gaussian-plates", partial(AutoGaussian, backend="structured"), WIDE),
    _family("batched", AutoBatchedMultivariateNormal, WIDE, can_subsample=True),
    _family("batched-low-rank", AutoBatchedLowRankMultivariateNormal, WIDE, can_subsample=True),
    _family("normal-messenger", AutoNormalMessenger, WIDE, can_subsample=True),
    _family("hierarchical-messenger", hierarchical, WIDE, can_subsample=True),
    _family("regressive-messenger", AutoRegressiveMessenger, WIDE, can_subsample=True),
    _family("dais", partial(AutoDAIS, K=2), can_score=False, can_jit=False, can_reload=False),
    _family("list", listed, can_subsample=True),
]
BY_NAME = {family.name: family for family in FAMILIES}


def with_options(family: Family, **options: Any) -> Family:
    """The family with further options of its constructor."""
    return replace(family, make=partial(family.make, **options))


# --- Models ---------------------------------------------------------------------------------------


def shapes() -> None:
    """Scalars, events, matrices, simplices, ordered vectors; plates at -1, at -2 and at both."""
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b.c", dist.LogNormal(torch.zeros(3), 1.0).to_event(1))
    pyro.sample("p", dist.Dirichlet(torch.ones(3)))
    pyro.sample("L", dist.LKJCholesky(3, 1.0))
    outer, inner = pyro.plate("outer", 2, dim=-2), pyro.plate("inner", 3, dim=-1)
    with outer:
        c = pyro.sample("c", dist.Normal(a, 1.0))
    with inner:
        pyro.sample("o", Ordered(dist.Normal(0.0, 1.0).expand([2])))
    with outer, inner:
        d = pyro.sample("d", dist.Uniform(0.0, 2.0).expand([2]).to_event(1))
        pyro.sample("e", dist.HalfNormal(1.0))
        loc = c + d.sum(-1) + b.sum(-1)
        pyro.sample("y", dist.Normal(loc, 5.0), obs=torch.ones(2, 3))


SHAPES = {
    "a": (),
    "b.c": (3,),
    "p": (3,),
    "L": (3, 3),
    "c": (2, 1),
    "o": (3, 2),
    "d": (2, 3, 2),
    "e": (2, 3),
}
NAMES = ["a", "a.b", "model", "forward", "median", "locs", "scales", "loc", "x.y.z", "plates"]


def oddly_named() -> None:
    total = sum(pyro.sample(name, dist.Normal(float(i), 1.0)) for i, name in enumerate(NAMES))
    pyro.sample("obs", dist.Normal(total, 1.0), obs=torch.tensor(1.0))


def pair(y: Any = 0.5) -> None:
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b", dist.LogNormal(torch.zeros(3), 1.0).to_event(1))
    with pyro.plate("rows", 2):
        c = pyro.sample("c", dist.Normal(a, 1.0))
        pyro.sample("obs", dist.Normal(c + b.sum(-1), 1.0), obs=torch.as_tensor(y).expand(2))


def few_draws(monkeypatch: pytest.MonkeyPatch, count: int = 200) -> None:
    """Let summaries over draws take fewer of them than they would."""
    for name, module in list(sys.modules.items()):
        if name.startswith("autoguide_core.") and hasattr(module, "NUM_QUANTILE_DRAWS"):
            monkeypatch.setattr(module, "NUM_QUANTILE_DRAWS", count)


def train(model: Any, guide: Any, *args: Any, steps: int = 2, lr: float = 0.01, elbo: Any = None):
    svi = SVI(model, guide, Adam({"lr": lr}), elbo or Trace_ELBO())
    return [svi.step(*args) for _ in range(steps)]


def perturb(guide: Any, size: float = 0.2) -> None:
    """Move a guide away from its start, where much is equal by chance."""
    with torch.no_grad():
        for parameter in guide.parameters():
            parameter.add_(size * torch.randn_like(parameter))
