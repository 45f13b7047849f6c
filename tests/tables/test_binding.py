"""Binding of a distribution's arguments, and what is said of wrong ones."""

from __future__ import annotations

import pytest

from compiler.tables.distributions import DISTRIBUTIONS


@pytest.mark.parametrize(
    ("name", "positional", "keywords", "targets"),
    [
        ("Normal", 2, [], ["loc", "scale"]),
        ("Normal", 1, ["scale"], ["loc", "scale"]),
        ("Normal", 0, ["scale", "loc"], ["scale", "loc"]),
        ("StudentT", 1, [], ["df"]),
        ("StudentT", 1, ["scale"], ["df", "scale"]),
        ("Bernoulli", 1, [], ["probs"]),
        ("Bernoulli", 0, ["logits"], ["logits"]),
        ("Binomial", 1, ["logits"], ["total_count", "logits"]),
        ("MultivariateNormal", 2, [], ["loc", "covariance_matrix"]),
        ("MultivariateNormal", 1, ["scale_tril"], ["loc", "scale_tril"]),
        ("ZeroInflatedPoisson", 1, ["gate"], ["rate", "gate"]),
        ("Flat", 0, [], []),
        ("Flat", 0, ["upper"], ["upper"]),
    ],
)
def test_right_calls(name: str, positional: int, keywords: list[str], targets: list[str]) -> None:
    result = DISTRIBUTIONS[name].bind(positional, keywords)
    assert result.ok
    assert [target.name for target in result.targets if target] == targets


@pytest.mark.parametrize(
    ("name", "positional", "keywords", "message", "remedy", "argument"),
    [
        ("Normal", 0, [], "Normal lacks `loc` and `scale`", "write `Normal(loc, scale)`", None),
        ("Normal", 1, [], "Normal lacks `scale`", "write `Normal(loc, scale)`", None),
        (
            "Normal",
            3,
            [],
            "Normal takes 2 arguments without a name, not 3",
            "write `Normal(loc, scale)`",
            2,
        ),
        ("Normal", 2, ["loc"], "Normal gets its argument `loc` twice", "give `loc` once", 2),
        ("Normal", 1, ["sacle"], "no argument called `sacle`", "write `scale = ...`", 1),
        ("Normal", 1, ["sd"], "no argument called `sd`", "write `scale = ...`", 1),
        ("Normal", 1, ["tau"], "no argument called `tau`", "write `scale = 1 / sqrt(tau)`", 1),
        ("Gamma", 1, ["scale"], "no argument called `scale`", "write `rate = 1 / scale`", 1),
        ("Beta", 1, ["beta"], "no argument called `beta`", "write `concentration0 = ...`", 1),
        ("Normal", 1, ["zzz"], "no argument called `zzz`", "write `Normal(loc, scale)`", 1),
        (
            "Bernoulli",
            0,
            [],
            "Bernoulli lacks `probs` or `logits`",
            "write `Bernoulli(probs |",
            None,
        ),
        (
            "Bernoulli",
            1,
            ["logits"],
            "Bernoulli gets both `probs` and `logits`, which say the same",
            "keep either `probs` or `logits`",
            1,
        ),
        ("Bernoulli", 2, [], "Bernoulli gets both `probs` and `logits`", "keep either", 1),
        (
            "MultivariateNormal",
            1,
            [],
            "lacks `covariance_matrix`, `precision_matrix` or `scale_tril`",
            "write `MultivariateNormal(",
            None,
        ),
        (
            "ZeroInflatedPoisson",
            2,
            [],
            "ZeroInflatedPoisson takes 1 argument without a name, not 2",
            "give `gate` by its name",
            1,
        ),
        ("Flat", 2, [], "Flat takes no arguments without a name, not 2", "give `lower` by", 0),
    ],
)
def test_wrong_calls(
    name: str, positional: int, keywords: list[str], message: str, remedy: str, argument: int | None
) -> None:
    result = DISTRIBUTIONS[name].bind(positional, keywords)
    assert not result.ok
    assert len(result.targets) == positional + len(keywords)
    problem = result.problems[0]
    assert message in problem.message
    assert problem.remedy.startswith(remedy)
    assert problem.argument == argument
    assert not problem.message.endswith(".")


def test_every_mistake_is_told() -> None:
    result = DISTRIBUTIONS["Normal"].bind(0, ["mu", "sigma"])
    assert [problem.remedy for problem in result.problems] == [
        "write `loc = ...`",
        "write `scale = ...`",
    ]
    assert result.targets == (None, None)


@pytest.mark.parametrize("row", DISTRIBUTIONS.values(), ids=lambda row: row.name)
def test_signature_binds(row: object) -> None:
    parameters = DISTRIBUTIONS[row.name].parameters
    firsts = {p.group: p for p in reversed(parameters) if p.group}
    given = [p.name for p in parameters if p.group is None or firsts[p.group] == p]
    assert row.bind(0, given).ok
