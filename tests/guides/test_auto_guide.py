from guide_specs import CROSSED, LINEAR, LOCAL, MIXTURE, guide, program

from compiler.ir import Guide, Part
from compiler.resolve.auto_guide import auto_guide


def families(chosen: Guide) -> list[tuple[str, tuple[str, ...]]]:
    return [(part.family, part.sites) for part in chosen.parts if isinstance(part, Part)]


def test_one_joint_normal_where_nothing_is_minibatched() -> None:
    (chosen,) = program(LINEAR).guides
    assert (chosen.name, chosen.auto) == ("auto", True)
    assert families(chosen) == [("AutoMultivariateNormal", ("mu", "sigma"))]
    assert chosen.reason == "mu and sigma are continuous: one normal with full covariance"


def test_locals_of_a_minibatched_plate_are_independent() -> None:
    (chosen,) = program(LOCAL).guides
    assert families(chosen) == [("AutoMultivariateNormal", ("mu",)), ("AutoNormal", ("theta",))]
    assert chosen.reason is not None
    assert "theta is in a minibatched plate" in chosen.reason


def test_discrete_latents_are_enumerated() -> None:
    assert families(program(MIXTURE).guides[0]) == [
        ("AutoMultivariateNormal", ("w", "mu")),
        ("AutoDiscreteParallel", ("z",)),
    ]
    marginal = MIXTURE.replace("Categorical(w)", "Categorical(w) marginalize")
    assert families(program(marginal).guides[0]) == [("AutoMultivariateNormal", ("w", "mu"))]


def test_the_joint_family_follows_the_dimension() -> None:
    spec = program(CROSSED)
    assert families(auto_guide(spec, {"row": 10, "col": 10}))[0][0] == "AutoMultivariateNormal"
    large = auto_guide(spec, {"row": 40, "col": 40})
    assert families(large)[0][0] == "AutoLowRankMultivariateNormal"
    assert large.reason == "1,720 dimensions: a low-rank covariance"
    assert families(auto_guide(spec, {"row": 200, "col": 200}))[0][0] == "AutoNormal"


def test_literal_sizes_count_without_data() -> None:
    large = LINEAR.replace("mu    ~", "beta[1500] ~ Normal(0, 1)\n  mu    ~").replace(
        "Normal(mu, sigma)", "Normal(mu + sum(beta), sigma)"
    )
    assert families(program(large).guides[0])[0][0] == "AutoLowRankMultivariateNormal"


def test_guide_auto_stands_beside_others() -> None:
    guides = program(LINEAR, guide("part a = AutoNormal(*)"), "guide auto").guides
    assert [one.name for one in guides] == ["default", "auto"]
    assert guides[1].location.line > 1
