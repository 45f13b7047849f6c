"""The families of parts: that they run where their rows say so, and have as many parameters."""

import pyro
import pyro.infer.autoguide
import pytest
import torch
from guide_specs import LOCAL, SCHOOLS, guide, program, told
from pyro.infer import SVI, Trace_ELBO

import autoguide_core
from compiler.checks.pyro_guides import check_pyro_guides
from compiler.diagnostics import Diagnostics
from compiler.diff.facts import facts
from compiler.diff.parameters import part_parameters
from compiler.emit import emit_guide, emit_module
from compiler.ir import Program
from compiler.run.module import load_module
from compiler.tables.families import FAMILIES
from compiler.tables.hierarchy import hierarchical_sites
from compiler.verify import problems

SIZED = """
data {
  dim school = 3
  dim k = 2
  y[school] : real
}
model {
  mu  ~ Normal(0, 5)
  tau ~ HalfNormal(1)
  w[3] ~ Dirichlet(fill(2, 3))
  plate school {
    theta  ~ Normal(mu, tau)
    eta    ~ Normal(theta, 1) reparam noncentered
    phi[k] ~ Normal(tau, 1)
    y      ~ Normal(theta + eta + sum(phi) + w[0], 1)
  }
}
"""
# A point of a simplex is kept as one number more than is free, and gradients vanish at a mode.
POINTS = ("AutoDelta", "AutoLaplaceApproximation")
COUNTED = [
    *(n for n, r in FAMILIES.items() if r.holds == "continuous" and r.count and n not in POINTS),
    "AutoLowRankMultivariateNormal(*) { rank = 4 }",
    "AutoBatchedLowRankMultivariateNormal(*) { rank = 3 }",
    "AutoBNAFNormal(*) { num_flows = 2; hidden_factors = [3, 2] }",
]


@pytest.fixture(autouse=True)
def _fresh():
    pyro.set_rng_seed(0)
    with pyro.get_param_store().scope():
        yield


def stepped(spec: Program, steps: int = 3, **data: object) -> tuple[object, list[torch.Tensor]]:
    """Take steps; return the guide and, by parameter, which entries had a gradient."""
    emitted = load_module(emit_module(spec), "spec.ppl")
    model, built = emitted.function("model"), emitted.call("guide", data)
    svi = SVI(model, built, pyro.optim.Adam({"lr": 0.01}), Trace_ELBO())
    used: dict[str, torch.Tensor] = {}
    for _ in range(steps):
        svi.loss_and_grads(model, built, **data)
        for name, parameter in built.named_parameters():
            used[name] = used.get(name, False) | (parameter.grad != 0)
            parameter.grad = None
    return built, list(used.values())


@pytest.mark.parametrize("family", COUNTED)
def test_parameters_are_counted(family: str) -> None:
    part = family if "(" in family else f"{family}(*)"
    spec = program(SIZED, guide(f"part all = {part}"))
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        _, used = stepped(spec, school=3, k=2, y=torch.tensor([0.5, -1.0, 2.0]))
    finally:
        torch.set_default_dtype(before)
    size = part_parameters(spec, spec.guides[0].parts[0])
    assert sum(int(entries.sum()) for entries in used) == size.number


def test_unknown_sizes_are_counted() -> None:
    def counted(part: str) -> str:
        spec = program(SCHOOLS, guide(f"part all = {part}"))
        return str(part_parameters(spec, spec.guides[0].parts[0]))

    assert counted("AutoBatchedMultivariateNormal(*)") == "2·school + 5"
    assert counted("AutoNormalMessenger(*)") == "2·school + 4"
    assert counted("AutoGaussian(*)") == FAMILIES["AutoGaussian"].formula


@pytest.mark.parametrize("family", [name for name, row in FAMILIES.items() if row.minibatch])
def test_minibatched_latents(family: str) -> None:
    spec = program(LOCAL, guide(f"part all = {family}(*)"))
    built, used = stepped(spec, obs=8, y=torch.randn(8), obs_minibatch=4)
    assert sum(entries.numel() for entries in used) >= 9
    assert built.median(obs=8, y=torch.randn(8))["theta"].shape == (8,)


def test_what_is_in_pyro() -> None:
    for name, row in FAMILIES.items():
        assert hasattr(autoguide_core, name)
        assert hasattr(pyro.infer.autoguide, name) or not row.in_pyro


def test_what_a_hierarchical_part_follows() -> None:
    spec = program(SIZED, guide("part all = AutoHierarchicalNormalMessenger(*)"))
    part = spec.guides[0].parts[0]
    assert hierarchical_sites(spec, part) == {"theta": ("mu", "tau"), "phi": ("tau",)}
    assert 'hierarchical_sites=["theta", "phi"]' in emit_guide(spec)


def test_a_base_is_followed_to_what_it_is_moved_by() -> None:
    model = SIZED.replace("phi[k] ~ Normal(tau, 1)", "phi[k] ~ Normal(eta, 1)")
    block = guide("part a = AutoHierarchicalNormalMessenger(phi)", "part b = AutoNormal(*)")
    codes = [(code, message.split("which")[0]) for code, message, _ in told(model, block)]
    assert codes == [("PPL085", "part `a` draws `phi` given `eta`, ")]
    part = program(model, guide("part a = AutoHierarchicalNormalMessenger(*)")).guides[0].parts[0]
    assert hierarchical_sites(program(model), part)["phi"] == ("eta", "theta")


def test_scales_of_sites_are_those_of_the_guide() -> None:
    block = guide("part all = AutoDiagonalNormal(*) { init_scale = 0.2 at { theta = 1 } }")
    data = {"school": 2, "sigma": torch.ones(2), "y": torch.ones(2)}
    built, _ = stepped(program(SCHOOLS, block), steps=1, **data)
    assert torch.allclose(built[0].scale, torch.tensor([0.2, 0.2, 1.0, 1.0]))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("AutoBNAFNormal(*)", "AutoGuideList cannot have a part AutoBNAFNormal"),
        ("AutoNormalMessenger(*)", "AutoGuideList cannot have a part AutoNormalMessenger"),
        ("AutoGaussian(*) { backend = structured }", "no `backend = structured`"),
        ("AutoNormal(*) { init_scale = 0.1 at { mu = 1 } }", "one `init_scale` for all its sites"),
        ("AutoGaussian(*)", None),
        ("AutoNormal(*) { init_scale = 0.2 }", None),
    ],
)
def test_what_pyro_cannot_make(part: str, message: str | None) -> None:
    spec = program(
        SCHOOLS, guide(f"part all = {part}"), guide("part all = AutoNormal(*)", name="b")
    )
    diagnostics = Diagnostics("spec.ppl", "")
    check_pyro_guides(spec, spec.guides[1:], diagnostics)
    assert not diagnostics.errors
    check_pyro_guides(spec, spec.guides, diagnostics)
    assert [d.code for d in diagnostics.errors] == ["PPL084"] * (message is not None)
    assert all(message in d.message for d in diagnostics.errors)


def test_scales_of_sites_are_compared_and_verified() -> None:
    spec = program(SCHOOLS, guide("part all = AutoNormal(*) { init_scale = 0.2 at { tau = 1 } }"))
    assert facts(spec)["guide default"]["all"]["init_scale of tau"] == "1.0"
    assert list(problems(spec)) == []
    (chosen,) = spec.guides
    (part,) = chosen.parts
    (own,) = part.by_site
    for change in ({"value": -1.0}, {"option": "rank"}):
        wrong = part.model_copy(update={"by_site": (own.model_copy(update=change),)})
        forged = chosen.model_copy(update={"parts": (wrong,)})
        assert len(list(problems(spec.model_copy(update={"guides": (forged,)})))) == 1
