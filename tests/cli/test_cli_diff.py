"""`pplc diff`."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import BAD, run, write

OLD = """\
data {
  dim school
  y[school]     : real
  sigma[school] : real > 0
}
model eight_schools {
  mu  ~ Normal(0, 5)
  tau ~ HalfCauchy(5)
  plate school {
    theta ~ Normal(mu, tau)
    y ~ Normal(theta, sigma)
  }
}
guide {
  part scales  = AutoNormal(mu, tau) { init_scale = 0.1 }
  part schools = AutoNormal(theta)
}
fit {
  steps = 5000
}
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "old.ppl", tmp_path / "new.ppl"


def changes(files: tuple[Path, Path], *replacements: tuple[str, str]) -> dict[str, Any]:
    new = OLD
    for before, after in replacements:
        assert before in new
        new = new.replace(before, after)
    result = run("diff", write(files[0], OLD), write(files[1], new), "--format", "json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["version"] == 1
    return {
        f"{change['kind']} {change['topic']}/{change['name']}": {
            field: (pair["old"], pair["new"]) for field, pair in change["fields"].items()
        }
        for change in document["changes"]
    }


def guide_topic(files: tuple[Path, Path]) -> str:
    """Return what the topic of an unnamed guide is called."""
    result = run("emit", "ir", write(files[0], OLD))
    return f"guide {json.loads(result.stdout)['guides'][0]['name']}"


def test_layout_and_comments_are_no_difference(files: tuple[Path, Path]) -> None:
    new = "# eight schools\n\n" + OLD.replace("mu  ~ Normal(0, 5)", "mu ~ Normal(  0,\n  5)")
    result = run("diff", write(files[0], OLD), write(files[1], new), "--exit-code")
    assert (result.exit_code, result.stdout) == (0, "no difference\n")


def test_a_changed_distribution(files: tuple[Path, Path]) -> None:
    assert changes(files, ("HalfCauchy(5)", "HalfNormal(2)")) == {
        "changed sites/tau": {"distribution": ("HalfCauchy(5)", "HalfNormal(2)")}
    }


def test_a_changed_expression_keeps_its_grouping(files: tuple[Path, Path]) -> None:
    found = changes(files, ("Normal(theta, sigma)", "Normal((mu + theta) * 2 ** -mu, sigma)"))
    assert found["changed sites/y"]["distribution"] == (
        "Normal(theta, sigma)",
        "Normal((mu + theta) * 2 ** -mu, sigma)",
    )


def test_a_reparametrised_site(files: tuple[Path, Path]) -> None:
    found = changes(files, ("~ Normal(mu, tau)", "~ Normal(mu, tau) reparam noncentered"))
    assert found == {"changed sites/theta": {"drawn": (None, "noncentered")}}


def test_a_part_of_another_family_has_other_parameters(files: tuple[Path, Path]) -> None:
    guide = guide_topic(files)
    found = changes(files, ("AutoNormal(theta)", "AutoMultivariateNormal(theta)"))
    assert found == {
        f"changed {guide}/schools": {
            "family": ("AutoNormal", "AutoMultivariateNormal"),
            "parameters": ("2·school", "school²/2 + 3·school/2"),
        },
        f"changed {guide}/all parts": {
            "parameters": ("2·school + 4", "school²/2 + 3·school/2 + 4"),
        },
    }


def test_an_added_site_and_part(files: tuple[Path, Path]) -> None:
    guide = guide_topic(files)
    found = changes(
        files,
        ("Normal(theta, sigma)", "StudentT(nu, theta, sigma)"),
        ("  tau ~", "  nu  ~ Gamma(2, 0.1)\n  tau ~"),
        ("(mu, tau) {", "(mu, tau, nu) {"),
    )
    assert found["added sites/nu"]["distribution"] == (None, "Gamma(2, 0.1)")
    assert found["added sites/nu"]["unconstrained values"] == (None, 1)
    assert found[f"changed {guide}/scales"]["parameters"] == (4, 6)
    assert found[f"changed {guide}/all parts"]["parameters"] == ("2·school + 4", "2·school + 6")


def test_init_and_options(files: tuple[Path, Path]) -> None:
    guide = guide_topic(files)
    found = changes(
        files,
        (
            "{ init_scale = 0.1 }",
            "{ init_scale = 0.5; init median(num_samples = 9) at { tau = 1 } }",
        ),
    )
    scales = found[f"changed {guide}/scales"]
    assert scales["init_scale"] == ("0.1", "0.5")
    assert scales["init"] == (None, "median(num_samples = 9)")
    assert scales["init at tau"] == (None, "1")


def test_dims_data_and_fit(files: tuple[Path, Path]) -> None:
    found = changes(
        files,
        ("dim school", "dim school = 8"),
        ("y[school]     : real", "y[school]     : real in -100 .. 100"),
        ("steps = 5000", "steps = 500"),
    )
    assert found["changed dims/school"] == {"size": ("from the data", 8)}
    assert found["changed data/y"] == {"type": ("real", "real >= -100, <= 100")}
    assert found["changed fit/steps"] == {"value": (5000, 500)}
    assert found["changed sites/theta"]["unconstrained values"] == ("school", 8)


def test_text_is_by_topic(files: tuple[Path, Path]) -> None:
    new = OLD.replace("HalfCauchy(5)", "HalfNormal(2)").replace("steps = 5000", "steps = 500")
    result = run("diff", write(files[0], OLD), write(files[1], new), "--exit-code")
    assert result.exit_code == 1
    assert result.stdout == (
        "sites\n"
        "  ~ tau\n"
        "      distribution  HalfCauchy(5) → HalfNormal(2)\n"
        "\n"
        "fit\n"
        "  ~ steps\n"
        "      value  5000 → 500\n"
    )


def test_a_removed_thing_tells_what_it_was(files: tuple[Path, Path]) -> None:
    new = OLD.replace("fit {\n  steps = 5000\n}\n", "")
    result = run("diff", write(files[0], OLD), write(files[1], new))
    assert result.stdout == "fit\n  - steps\n      value  5000\n"


def test_one_side_from_standard_input(files: tuple[Path, Path]) -> None:
    assert run("diff", "-", write(files[1], OLD), stdin=OLD).stdout == "no difference\n"


def test_a_bad_spec_is_told(files: tuple[Path, Path]) -> None:
    result = run("diff", write(files[0], OLD), write(files[1], BAD))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error PPL010" in result.stderr


def test_a_site_that_moves_into_a_plate(files: tuple[Path, Path]) -> None:
    found = changes(files, ("  tau ~ HalfCauchy(5)\n", ""), ("plate school {", TAU_INSIDE))
    assert found["changed sites/tau"] == {
        "plates": (None, "school"),
        "unconstrained values": (1, "school"),
    }
    assert found[f"changed {guide_topic(files)}/scales"]["parameters"] == (4, "2·school + 2")
    new = OLD.replace("  tau ~ HalfCauchy(5)\n", "").replace("plate school {", TAU_INSIDE)
    text = run("diff", write(files[0], OLD), write(files[1], new)).stdout
    assert "      plates                none → school\n" in text


TAU_INSIDE = "plate school {\n    tau ~ HalfCauchy(5)"


def test_a_guide_that_pplc_chooses_tells_why(files: tuple[Path, Path]) -> None:
    new = OLD[: OLD.index("guide {")]
    found = run("diff", write(files[0], OLD), write(files[1], new), "--format", "json")
    entries = {
        (change["kind"], change["name"]): change["fields"]
        for change in json.loads(found.stdout)["changes"]
    }
    assert entries["added", "all parts"]["chosen by pplc"]["new"]
    assert entries["removed", "scales"]["family"] == {"old": "AutoNormal", "new": None}


def test_every_topic_is_compared(files: tuple[Path, Path]) -> None:
    old = """\
data {
  dim obs, k
  x[obs, k] : real
  y[obs]    : int in 0 .. 1
}
derive {
  spread = sd(y)
}
def odds(p) = p / (1 - p)
model m {
  b[k] ~ Normal(0, spread)
  record far = odds(sum(b))
  factor soft = -0.5 * sum(b) ** 2
  plate obs minibatch 10 {
    level = dot(x, b)
    y ~ Bernoulli(logits = level)
  }
}
predict {
  plate obs { again ~ Bernoulli(logits = dot(x, b)) }
}
"""
    edits = {
        "derived/spread": ("sd(y)", "2 * sd(y)"),
        "functions": ("p / (1 - p)", "p / (2 - p)"),
        "plates/obs": ("minibatch 10", "minibatch 20"),
        "records/far": ("odds(sum(b))", "odds(max(b))"),
        "factors/soft": ("-0.5 *", "-0.6 *"),
        "values/level": ("level = dot(x, b)", "level = dot(x, b) + 1"),
        "predict/again": (
            "again ~ Bernoulli(logits = dot",
            "again ~ Bernoulli(probs = sigmoid(dot",
        ),
    }
    for place, (before, after) in edits.items():
        new = old.replace(before, after)
        if "sigmoid" in after:
            new = new.replace("dot(x, b)) }", "dot(x, b))) }")
        result = run("diff", write(files[0], old), write(files[1], new), "--format", "json")
        assert result.exit_code == 0, result.stderr
        (change,) = json.loads(result.stdout)["changes"]
        assert change["kind"] == "changed"
        assert f"{change['topic']}/{change['name']}".startswith(place)
