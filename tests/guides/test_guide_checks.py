import pytest
from guide_specs import CROSSED, LINEAR, LOCAL, MIXTURE, SCHOOLS, compiled, guide, told

VECTORS = """
data {
  dim obs, pred
  dim k = 2
  X[obs, pred] : real
  start[pred]  : real
  y[obs]       : real
}
model {
  beta[pred]      ~ Normal(0, 1)
  w[3]            ~ Dirichlet([1, 1, 1])
  cut[3]: ordered ~ Normal(0, 3)
  L               ~ LKJCholesky(k, 2)
  p               ~ Beta(2, 2)
  plate obs { y ~ Normal(dot(X, beta) + sum(w) + sum(cut) + sum(L) + p, 1) }
}
"""

MARGINAL = MIXTURE.replace("Categorical(w)", "Categorical(w) marginalize")


def codes(*texts: str) -> list[str]:
    return [code for code, *_ in told(*texts)]


@pytest.mark.parametrize(
    ("spec", "statements", "code"),
    [
        (LINEAR, "part a = AutoNormal(mu)", "PPL060"),
        (LINEAR, "part a = AutoNormal(mu, sigma); part b = AutoDelta(mu)", "PPL061"),
        (LINEAR, "part a = AutoLaplaceApproximation(mu); part b = AutoNormal(sigma)", "PPL067"),
        (LOCAL, "part a = AutoMultivariateNormal(*)", "PPL068"),
        (LOCAL, "part a = AutoIAFNormal(*)", "PPL068"),
        (LINEAR, "part a = AutoDiscreteParallel(mu); part b = AutoNormal(sigma)", "PPL069"),
        (MIXTURE, "part a = AutoNormal(w, mu, z)", "PPL069"),
        (MIXTURE, "part a = AutoNormal(w, mu)", "PPL050"),
        (MIXTURE, "part a = AutoNormal(*)", "PPL050"),
        (MARGINAL, "part a = AutoNormal(w, mu); part b = AutoDiscreteParallel(z)", "PPL051"),
        (LINEAR, "part a = AutoLowRankMultivariateNormal(*) { rank = 2 }", "PPL066"),
        (LINEAR, "part a = AutoNormalizingFlow(*) { flow = planar; hidden = 8 }", "PPL065"),
        (
            LINEAR,
            "part a = AutoNormalizingFlow(mu) { flow = coupling }; part b = AutoNormal(sigma)",
            "PPL066",
        ),
        (LINEAR, "part a = AutoIAFNormal(*) { init median }", "PPL074"),
        (LINEAR, "part a = AutoNormalizingFlow(*) { init at { mu = 1 } }", "PPL074"),
        (
            LINEAR,
            "part a = AutoNormal(mu) { init at { sigma = 1 } }; part b = AutoNormal(sigma)",
            "PPL071",
        ),
        (LINEAR, "part a = AutoNormal(*) { init at { sigm = 1 } }", "PPL071"),
        (LINEAR, "part a = AutoNormal(*) { init value at { mu = 1 } }", "PPL076"),
        (LINEAR, "part a = AutoNormal(*) { init value }", "PPL076"),
    ],
)
def test_guides_that_are_refused(spec: str, statements: str, code: str) -> None:
    assert codes(spec, guide(statements)) == [code]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ("beta = start", None),
        ("beta = 0.5", None),
        ("beta = fill(0.5, pred)", None),
        ("beta = [1, 2, 3]", None),  # the size of pred is known with the data
        ("beta = y", "PPL072"),
        ("beta = X", "PPL072"),
        ("beta = [[1, 2]]", "PPL072"),
        ('beta = "a"', "PPL026"),
        ("w = [0.2, 0.3, 0.5]", None),
        ("w = [0.2, 0.3]", "PPL072"),
        ("w = [0.2, 0.3, 0.6]", "PPL073"),
        ("w = [-0.2, 0.7, 0.5]", "PPL073"),
        ("w = 1 / 3", None),
        ("w = 0.5", "PPL073"),
        ("cut = [-1, 0, 1]", None),
        ("cut = [0, 0, 1]", "PPL073"),
        ("cut = 0", "PPL073"),
        ("L = identity(k)", None),
        ("L = [[1, 0], [0.6, 0.8]]", None),
        ("L = [[1, 0.5], [0, 1]]", "PPL073"),
        ("L = [[1, 0], [0.5, 0.5]]", "PPL073"),
        ("L = 1", "PPL073"),
        ("p = 0.5", None),
        ("p = 0", "PPL073"),
        ("p = 1", "PPL073"),
        ("p = -0.5", "PPL073"),
        ("p = mean(start)", None),
        ("p = start", "PPL072"),
    ],
)
def test_init_values(values: str, code: str | None) -> None:
    found = codes(VECTORS, guide(f"part a = AutoNormal(*) {{ init at {{ {values} }} }}"))
    assert found == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ("a = 1, b = [1, 2], c = y", None),
        ("b = y", "PPL072"),
        ("c = [[1, 2], [3, 4]]", None),
    ],
)
def test_init_values_in_plates(values: str, code: str | None) -> None:
    found = codes(CROSSED, guide(f"part a = AutoNormal(*) {{ init at {{ {values} }} }}"))
    assert found == ([] if code is None else [code])


def test_a_value_does_not_vary_along_a_minibatched_plate() -> None:
    assert codes(LOCAL, guide("part a = AutoNormal(*) { init at { theta = y } }")) == ["PPL072"]
    assert codes(LOCAL, guide("part a = AutoNormal(*) { init at { theta = 1 } }")) == []


def test_a_noncentered_value_needs_those_of_its_parents() -> None:
    def values(written: str) -> str:
        return guide(f"part a = AutoNormal(*) {{ init at {{ {written} }} }}")

    ((code, message, remedy),) = told(SCHOOLS, values("theta = 1, tau = 1"))
    assert (code, message) == (
        "PPL075",
        "the init value of the noncentered `theta` needs one for `mu`, too",
    )
    assert remedy == "add `at { … }` values for `mu`, or leave out that of `theta`"
    assert codes(SCHOOLS, values("theta = 1, tau = 1, mu = 0")) == []
    assert codes(SCHOOLS, values("mu = 0")) == []


def test_parents_of_a_noncentered_site_are_found_through_assignments() -> None:
    spec = SCHOOLS.replace("plate school {", "spread = 2 * tau\n  plate school {").replace(
        "Normal(mu, tau)", "Normal(mu, spread)"
    )
    block = guide("part a = AutoNormal(*) { init at { theta = 1, mu = 0 } }")
    assert codes(spec, block) == ["PPL075"]


def test_a_latent_that_is_not_covered_is_told_once_for_the_guide() -> None:
    ((_, message, _),) = told(LINEAR, guide())
    assert message == "no part of the guide `default` covers `mu`, `sigma`"


def test_mistakes_of_several_guides_are_told_together() -> None:
    blocks = [guide("part a = AutoNormal(mu)"), guide("part a = AutoDelta(mu)", name="b")]
    assert codes(LINEAR, *blocks) == ["PPL060", "PPL060"]


@pytest.mark.parametrize(
    ("draw", "code"),
    [
        ("Poisson(3) marginalize", "PPL052"),
        ("Geometric(0.5) marginalize", "PPL052"),
        ("Bernoulli(0.5) marginalize", None),
        ("Binomial(5, 0.5) marginalize", None),
    ],
)
def test_what_can_be_summed_out(draw: str, code: str | None) -> None:
    spec = MIXTURE.replace("Categorical(w)", draw).replace("mu[z]", "mu[0] + sum(w) + z")
    assert codes(spec) == ([] if code is None else [code])


def test_discrete_parallel_holds_three_distributions() -> None:
    spec = MIXTURE.replace("Categorical(w)", "Binomial(5, 0.5)").replace(
        "mu[z]", "mu[0] + sum(w) + z"
    )
    block = guide("part a = AutoNormal(*); part b = AutoDiscreteParallel(z)")
    assert codes(spec, block) == ["PPL069"]


def test_enumerations_multiply_where_they_meet() -> None:
    spec = """
data {
  dim obs
  dim k = 400
  y[obs] : real
}
model {
  plate obs {
    a ~ Categorical(fill(0.0025, k)) marginalize
    b ~ Categorical(fill(0.0025, k)) marginalize
    y ~ Normal(a + b, 1)
  }
}
"""
    ((code, message, _),) = told(spec)
    assert code == "PPL053"
    assert message == (
        "summing out `a`, `b` at `y` takes some 16,000,000 terms a step; more than 10,000,000 "
        "are not allowed"
    )
    apart = spec.replace("a + b", "a").replace("1)\n  }", "1)\n    factor f = 0 * b\n  }")
    assert "PPL053" not in codes(apart)


def test_a_whole_guide_that_is_right_is_silent() -> None:
    blocks = guide(
        "default init median",
        "part scales = AutoMultivariateNormal(mu, tau) { init median at { tau = 1.0 } }",
        "part schools = AutoNormal(theta) { init feasible; init_scale = 0.05 }",
    )
    assert len(compiled(SCHOOLS, blocks).diagnostics) == 0
