"""What the emitted guide says, and that it runs: with our guides, and in stock Pyro."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pyro
import pytest
import torch
from guide_specs import CROSSED, LINEAR, LOCAL, MIXTURE, SCHOOLS, guide, program
from pyro.infer import SVI, Trace_ELBO, TraceEnum_ELBO

from compiler.emit import emit_guide, emit_module
from compiler.emit.formatting import format_python
from compiler.emit.guide import GuideLibrary, emit_guide_function
from compiler.emit.imports import Import, import_lines

LIBRARIES: tuple[GuideLibrary, ...] = ("core", "pyro")


def function(*texts: str, guides: GuideLibrary = "core") -> str:
    spec = program(*texts)
    lines = emit_guide_function(spec, spec.guides[0], guides=guides).lines
    return format_python("\n".join(lines)).rstrip()


def module(library: GuideLibrary, *texts: str) -> ModuleType:
    """Run the emitted module of a spec."""
    made = ModuleType("emitted")
    exec(emit_module(program(*texts), guides=library), made.__dict__)
    return made


def fitted(emitted: ModuleType, enumerate_: bool = False, **data: object) -> dict[str, object]:
    """Take three steps with the emitted guide and return its values' shapes."""
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    wanted = emitted.guide.__code__.co_varnames[: emitted.guide.__code__.co_argcount]
    built = emitted.guide(**{name: data[name] for name in wanted if name in data})
    elbo = TraceEnum_ELBO(max_plate_nesting=2) if enumerate_ else Trace_ELBO()
    svi = SVI(emitted.model, built, pyro.optim.Adam({"lr": 0.01}), elbo)
    losses = [svi.step(**data) for _ in range(3)]
    assert all(torch.isfinite(torch.tensor(losses)))
    return dict(pyro.get_param_store().items())


def test_eight_schools() -> None:
    block = guide(
        "default init median",
        "part scales  = AutoMultivariateNormal(mu, tau) { init median at { tau = 1.0 } }",
        "part schools = AutoNormal(theta) { init feasible }",
    )
    assert (
        function(SCHOOLS, block)
        == '''\
def guide():
    """Variational guide `default` of spec.ppl: 2 parts over 3 latent sites."""
    guide = AutoGuideList(model)

    # spec.ppl:18  part scales
    guide.append(
        AutoMultivariateNormal(
            poutine.block(model, expose=["mu", "tau"]),
            init_loc_fn=init_to_value(values={"tau": torch.tensor(1.0)}, fallback=init_to_median),
            init_scale=0.1,
        )
    )

    # spec.ppl:19  part schools: theta is drawn as theta_base
    guide.append(
        AutoNormal(
            poutine.block(model, expose=["theta_base"]),
            init_loc_fn=init_to_feasible,
            init_scale=0.1,
        )
    )

    return guide'''
    )


def test_noncentered_values_are_carried_to_the_base() -> None:
    block = guide("part all = AutoNormal(*) { init at { mu = mean(y), tau = 2, theta = y } }")
    assert (
        function(SCHOOLS, block)
        == '''\
def guide(y):
    """Variational guide `default` of spec.ppl: 1 part over 3 latent sites."""
    # Init values that the bases of noncentered sites are computed from
    mu = torch.tensor(float(y.mean(-1)))
    tau = torch.tensor(2.0)
    theta = y

    guide = AutoGuideList(model)

    # spec.ppl:17  part all: theta is drawn as theta_base
    guide.append(
        AutoNormal(
            poutine.block(model, expose=["mu", "tau", "theta_base"]),
            init_loc_fn=init_to_value(
                values={"mu": mu, "tau": tau, "theta_base": (theta - mu) / tau},
                fallback=init_to_feasible,
            ),
            init_scale=0.1,
        )
    )

    return guide'''
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_carried_values_are_where_the_fit_starts(library: GuideLibrary) -> None:
    block = guide("part all = AutoNormal(*) { init at { mu = 1, tau = 2, theta = y } }")
    y = torch.tensor([3.0, 5.0])
    emitted = module(library, SCHOOLS, block)
    built = emitted.guide(y=y)
    pyro.clear_param_store()
    built(school=2, sigma=torch.ones(2), y=y)
    median = built.median()
    assert torch.allclose(median["theta_base"], torch.tensor([1.0, 2.0]))
    assert torch.allclose(median["tau"], torch.tensor(2.0))


MATRIX = """
data {
  dim g, pred
  y[g, pred] : real
}
model {
  m[pred] ~ Normal(0, 1)
  s[pred] ~ HalfNormal(1)
  plate g {
    b ~ MultivariateNormal(m, scale_tril = diag(s)) reparam noncentered
    y ~ MultivariateNormal(b, scale_tril = identity(pred))
  }
}
"""


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_matrix_of_scales_is_solved_for(library: GuideLibrary) -> None:
    block = guide("part a = AutoNormal(*) { init at { m = 1, s = [1, 2], b = y } }")
    y = torch.tensor([[1.0, 2.0], [3.0, 5.0], [4.0, 3.0]])
    emitted = module(library, MATRIX, block)
    built = emitted.guide(pred=2, y=y)
    pyro.clear_param_store()
    built(g=3, pred=2, y=y)
    expected = torch.tensor([[0.0, 0.5], [2.0, 2.0], [3.0, 1.0]])
    assert torch.allclose(built.median()["b_base"], expected)


def test_a_scale_of_one_is_left_out() -> None:
    spec = SCHOOLS.replace("Normal(mu, tau) reparam", "Normal(mu, 1) reparam").replace(
        "Normal(theta, sigma)", "Normal(theta, sigma * tau)"
    )
    block = guide("part a = AutoNormal(*) { init at { theta = 1, mu = 0 } }")
    assert '"theta_base": theta - mu}' in function(spec, block)


def test_assignments_that_a_noncentered_site_uses_are_emitted() -> None:
    spec = SCHOOLS.replace("plate school {", "spread = 2 * tau\n  plate school {").replace(
        "Normal(mu, tau)", "Normal(mu + 1, spread)"
    )
    block = guide("part a = AutoNormal(*) { init at { theta = 1, mu = 0, tau = 1 } }")
    text = function(spec, block)
    assert "    spread = 2 * tau\n    theta = torch.full((school,), 1.0)\n" in text
    assert '"theta_base": (theta - (mu + 1)) / spread' in text


def test_values_have_exactly_the_shape_of_their_site() -> None:
    block = guide("part a = AutoNormal(*) { init at { a = 1, b = [1, 2], c = y } }")
    text = function(CROSSED, block)
    assert '"a": torch.full((row, 1), 1.0)' in text
    assert '"b": torch.tensor([1.0, 2.0]).expand((col, k))' in text
    assert '"c": y' in text


@pytest.mark.parametrize("library", LIBRARIES)
def test_crossed_plates_run(library: GuideLibrary) -> None:
    block = guide("part a = AutoNormal(*) { init at { a = 1, b = [1, 2], c = y } }")
    emitted = module(library, CROSSED, block)
    fitted(emitted, row=3, col=4, k=2, y=torch.randn(3, 4))


def test_a_minibatched_local_gets_create_plates() -> None:
    spec = program(LOCAL, guide("part a = AutoNormal(*) { init at { theta = 1 } }"))
    text = emit_guide(spec)
    assert (
        '''\
def create_plates(obs, obs_minibatch=4, **_):
    """Make the minibatched plate that latent sites live in, for model and guide."""
    return pyro.plate("obs", obs, subsample_size=obs_minibatch, dim=-1)
'''
        in text
    )
    assert "def guide(obs_minibatch=4):" in text
    assert "guide = AutoGuideList(model, create_plates=create_plates)" in text


@pytest.mark.parametrize("library", LIBRARIES)
def test_minibatched_locals_have_parameters_of_full_size(library: GuideLibrary) -> None:
    block = guide("part a = AutoNormal(*) { init at { theta = 1 } }")
    store = fitted(module(library, LOCAL, block), obs=8, y=torch.randn(8))
    (name,) = (name for name in store if name.endswith("locs.theta"))
    assert store[name].shape == (8,)


@pytest.mark.parametrize("library", LIBRARIES)
def test_discrete_latents_run(library: GuideLibrary) -> None:
    block = guide(
        "part weights = AutoDelta(w) { init mean }",
        "part comps = AutoNormal(mu) { init feasible at { mu = quantile(y, [0.2, 0.5, 0.8]) } }",
        "part labels = AutoDiscreteParallel(z)",
    )
    emitted = module(library, MIXTURE, block)
    fitted(emitted, enumerate_=True, obs=6, k=3, y=torch.randn(6))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "part",
    [
        "AutoDelta(*)",
        "AutoNormal(*) { init uniform(radius = 0.1); init_scale = 1 }",
        "AutoDiagonalNormal(*) { init sample }",
        "AutoMultivariateNormal(*) { init median(num_samples = 5) }",
        "AutoLowRankMultivariateNormal(*)",
        "AutoLowRankMultivariateNormal(*) { rank = 1; init value at { mu = 1, sigma = 2 } }",
        "AutoNormalizingFlow(*) { flow = neural; layers = 1; hidden = [4, 4] }",
        "AutoNormalizingFlow(*) { flow = planar }",
        "AutoIAFNormal(*) { hidden_dim = 5; num_transforms = 2 }",
        "AutoLaplaceApproximation(*)",
        "AutoGaussian(*) { init_scale = 0.2 }",
        "AutoStructured(*)",
        "AutoStructured(*) { conditionals = delta }",
    ],
)
def test_every_family_runs(part: str, library: GuideLibrary) -> None:
    emitted = module(library, LINEAR, guide(f"part all = {part}"))
    fitted(emitted, obs=5, y=torch.randn(5))


def test_options_are_spelt_out() -> None:
    flow = function(LINEAR, guide("part a = AutoNormalizingFlow(*) { flow = iaf; hidden = 8 }"))
    assert "dist.transforms.iterated, 2, dist.transforms.affine_autoregressive" in flow
    assert "hidden_dims=[8]" in flow
    low = function(LINEAR, guide("part a = AutoLowRankMultivariateNormal(*)"))
    assert "init_loc_fn=init_to_median" in low
    assert "init_scale=0.1" in low
    assert "rank=None" in low


def test_user_functions_are_imported_under_names_of_their_own() -> None:
    block = guide('part amort = callable "my.guides:mu" for (mu) { median = "my.guides:mid" }')
    rest = guide('part a = AutoNormal(*) { init generated "my.guides:start" }', name="other")
    text = emit_module(program(LINEAR, block.replace("}\n}", "}\npart b = AutoNormal(*)\n}"), rest))
    assert "from my.guides import mid, start\n" in text
    assert "from my.guides import mu as amort_mu\n" in text
    assert "AutoCallable(\n" in text or "AutoCallable(poutine" in text
    assert "guide=amort_mu, median=mid" in text
    assert "init_loc_fn=init_to_generated(generate=start)" in text
    assert "def guide_other():" in text


def test_a_chosen_guide_says_why() -> None:
    text = function(LOCAL)
    assert "`auto` of spec.ppl" in text
    assert "    # Chosen from the model's structure: mu is continuous: one normal" in text
    assert "    # part joint\n" in text


@pytest.mark.parametrize("library", LIBRARIES)
def test_emitted_guides_are_formatted_and_sorted(library: GuideLibrary, tmp_path: Path) -> None:
    blocks = [
        guide("part a = AutoNormal(*) { init at { mu = mean(y), tau = 2, theta = y } }"),
        guide(
            'part a = callable "my.guides:theta" for (theta)',
            "part b = AutoNormalizingFlow(*)",
            name="other",
        ),
    ]
    spec = program(SCHOOLS, *blocks)
    text = emit_module(spec, guides=library)
    command = [sys.executable, "-m", "ruff"]
    for check in (
        ["format", "--isolated", "--line-length=100", "--check", "-"],
        ["check", "--isolated", "--line-length=100", "--select=I,E,F", "-"],
    ):
        done = subprocess.run(
            [*command, *check], input=text, capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout + done.stderr + text


def test_import_lines() -> None:
    imports = {
        Import("torch"),
        Import("functools", "partial"),
        Import("pyro.distributions", alias="dist"),
        Import("pyro", "poutine"),
        Import("m", "b"),
        Import("m", "A"),
        Import("m", "f", "g"),
    }
    assert import_lines(imports) == [
        "from functools import partial",
        "",
        "import pyro.distributions as dist",
        "import torch",
        "from m import A, b",
        "from m import f as g",
        "from pyro import poutine",
    ]
