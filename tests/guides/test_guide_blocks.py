import pytest
from guide_specs import LINEAR, LOCAL, MIXTURE, guide, program, told

from compiler.ir import CallablePart, Part


def only_part(*texts: str) -> Part:
    (part,) = program(*texts).guides[0].parts
    assert isinstance(part, Part)
    return part


def test_sites_are_in_the_models_order() -> None:
    assert only_part(LINEAR, guide("part a = AutoNormal(sigma, mu)")).sites == ("mu", "sigma")


def test_star_is_every_latent_that_the_family_can_hold() -> None:
    weights, rest, labels = (
        program(
            MIXTURE,
            guide(
                "part weights = AutoDelta(w)",
                "part rest = AutoNormal(*)",
                "part labels = AutoDiscreteParallel(z)",
            ),
        )
        .guides[0]
        .parts
    )
    assert isinstance(rest, Part)
    assert (weights.sites, rest.sites, labels.sites) == (("w",), ("mu",), ("z",))
    assert rest.star


def test_default_init_goes_to_the_parts_without_their_own() -> None:
    parts = (
        program(
            LINEAR,
            guide(
                "default init uniform(radius = 0.5) at { mu = 1, sigma = 2 }",
                "part a = AutoNormal(mu) { init at { mu = 3 } }",
                "part b = AutoDelta(sigma) { init mean }",
            ),
        )
        .guides[0]
        .parts
    )
    first, second = (part for part in parts if isinstance(part, Part))
    assert first.init is not None
    assert (first.init.name, first.init.options) == ("uniform", {"radius": 0.5})
    assert [v.value.model_dump()["value"] for v in first.values] == [3]
    assert second.init is not None
    assert second.init.name == "mean"
    assert [v.site for v in second.values] == ["sigma"]


def test_default_init_leaves_families_without_init_alone() -> None:
    part = only_part(LINEAR, guide("default init median", "part a = AutoIAFNormal(*)"))
    assert part.init is None


def test_options_are_typed() -> None:
    part = only_part(
        LINEAR,
        guide("part a = AutoNormalizingFlow(*) { flow = spline_autoregressive; hidden = 8 }"),
    )
    assert part.options == {"flow": "spline_autoregressive", "hidden": (8,)}
    assert only_part(LINEAR, guide("part a = AutoNormal(*) { init_scale = 1 }")).options == {
        "init_scale": 1.0
    }


def test_callable_parts() -> None:
    (part,) = (
        program(
            LINEAR,
            guide(
                'part a = callable "my.guides:both" for (mu, sigma) { median = "my.guides:mid" }'
            ),
        )
        .guides[0]
        .parts
    )
    assert isinstance(part, CallablePart)
    assert (part.path, part.median, part.sites) == (
        "my.guides:both",
        "my.guides:mid",
        ("mu", "sigma"),
    )


def test_several_guides_keep_their_order_and_names() -> None:
    blocks = [
        guide("part a = AutoNormal(*)", name="quick"),
        guide("part a = AutoMultivariateNormal(*)"),
    ]
    assert [one.name for one in program(LINEAR, *blocks).guides] == ["quick", "default"]


@pytest.mark.parametrize(
    ("statements", "code", "remedy"),
    [
        ("part a = AutoNormal(mu, sigm)", "PPL062", "did you mean `sigma`?"),
        ("part a = AutoNormal(mu, sigma, y)", "PPL062", "the latent sites are `mu`, `sigma`"),
        ("part a = AutoNormal(mu, sigma, obs)", "PPL062", "the latent sites are `mu`, `sigma`"),
        ("part a = AutoNormal(mu, mu, sigma)", "PPL061", "name it once"),
        ("part a = AutoNormal(*); part b = AutoDelta(*)", "PPL063", "name the sites of one of"),
        ("part a = AutoNormal(mu, sigma); part b = AutoDelta(*)", "PPL063", "leave the part `b`"),
        ("part a = AutoNormale(*)", "PPL064", "did you mean `AutoNormal`?"),
        ("part a = Normal(*)", "PPL064", "did you mean `AutoNormal`?"),
        ("part a = meanfield(*)", "PPL064", "did you mean `AutoNormal`?"),
        ("part a = fullrank(*)", "PPL064", "did you mean `AutoMultivariateNormal`?"),
        ("part a = AutoNormal(*) { init_scael = 1 }", "PPL065", "did you mean `init_scale`?"),
        ("part a = AutoDelta(*) { init_scale = 1 }", "PPL065", "it has no options"),
        ("part a = AutoNormal(*) { init_scale = 0 }", "PPL066", "write a value such as `0.1`"),
        ("part a = AutoNormal(*) { init_scale = -0.1 }", "PPL066", "write a value such as `0.1`"),
        ("part a = AutoNormal(*) { init_scale = mu }", "PPL066", "write a value such as `0.1`"),
        (
            "part a = AutoLowRankMultivariateNormal(*) { rank = 1.5 }",
            "PPL066",
            "write a value such as `8`",
        ),
        (
            "part a = AutoNormalizingFlow(*) { flow = iaff }",
            "PPL066",
            "did you mean `iaf`?",
        ),
        ("part a = AutoNormal(*) { init_scale = 1; init_scale = 2 }", "PPL065", "keep one"),
        ("part a = AutoNormal(*) { init medain }", "PPL070", "did you mean `median`?"),
        ("part a = AutoNormal(*) { init init_to_mean }", "PPL070", "did you mean `mean`?"),
        ("part a = AutoNormal(*) { init zeros }", "PPL070", "did you mean `feasible`?"),
        ("part a = AutoNormal(*) { init median(radius = 1) }", "PPL065", "it has `num_samples`"),
        ("part a = AutoNormal(*) { init uniform(radius = 0) }", "PPL066", "write a value such"),
        ("part a = AutoNormal(*) { init generated }", "PPL082", "write `init generated"),
        ('part a = AutoNormal(*) { init generated "os" }', "PPL082", 'write "module:function"'),
        ('part a = AutoNormal(*) { init mean "m:f" }', "PPL065", "leave it out, or write"),
        ("part a = AutoNormal(*) { init mean; init median }", "PPL011", "write one: `init"),
        ("default init mean; default init mean; part a = AutoNormal(*)", "PPL011", "keep one"),
        ("default init mean at { muu = 1 }; part a = AutoNormal(*)", "PPL071", "did you mean `mu`"),
        ("part a = AutoNormal(mu); part a = AutoNormal(sigma)", "PPL011", "keep one of the two"),
        ("part a = AutoNormal(*) { init at { mu = 1, mu = 2 } }", "PPL011", "keep one of the two"),
        ('part a = callable "m:f()" for (mu, sigma)', "PPL082", 'write "module:function"'),
        ('part a = callable "m:import" for (mu, sigma)', "PPL082", 'write "module:function"'),
        ('part a = callable "m" for (mu, sigma)', "PPL082", 'write "module:function"'),
        ('part a = callable "m:f" for (mu, sigma) { rank = 1 }', "PPL065", "it has `median ="),
        ('part a = callable "m:f" for (mu, sigma) { init mean }', "PPL074", "initialise its"),
        ('part a = callable "m:f" for (mu, sigma) { median = 1 }', "PPL082", "write `median ="),
    ],
)
def test_mistakes(statements: str, code: str, remedy: str) -> None:
    ((found, _, advice),) = told(LINEAR, guide(statements))
    assert found == code
    assert advice is not None
    assert advice.startswith(remedy)


def test_a_second_guide_of_a_name() -> None:
    block = guide("part a = AutoNormal(*)", name="quick")
    assert [code for code, *_ in told(LINEAR, block, block)] == ["PPL011"]


def test_latents_are_refused_in_init_values() -> None:
    block = guide("part a = AutoNormal(*) { init at { sigma = abs(mu) } }")
    assert [code for code, *_ in told(LINEAR, block)] == ["PPL041"]


def test_a_star_without_continuous_latents() -> None:
    block = guide("part a = AutoDiscreteParallel(*)")
    ((code, message, _),) = told(LOCAL, block)
    assert (code, message) == (
        "PPL063",
        "`*` stands for nothing: the model has no discrete latent",
    )
