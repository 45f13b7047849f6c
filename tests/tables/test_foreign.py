"""Hints for names of other systems: each leads to something that exists here."""

from __future__ import annotations

import doctest
import re

import pytest

import compiler.tables.foreign
import compiler.tables.foreign_keywords
from compiler.tables.distributions import DISTRIBUTIONS
from compiler.tables.foreign import distribution_hint, function_hint, keyword_hint
from compiler.tables.foreign_distributions import DISTRIBUTION_HINTS
from compiler.tables.foreign_functions import SAME_AS, SENTENCES
from compiler.tables.foreign_keywords import ALIASES
from compiler.tables.functions import FUNCTIONS

CLAUSES = {"truncated", "censored", "ode", "prev"}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("normal", "`Normal(loc, scale)`"),
        ("dnorm", "precision in BUGS and JAGS"),
        ("dnorm", "`Normal(mu, 1 / sqrt(tau))`"),
        ("cauchy", "`Cauchy(loc, scale)`"),
        ("half_normal", "`HalfNormal(scale)`"),
        ("student_t", "`StudentT(df, loc, scale)`"),
        ("neg_binomial_2_log", "NegativeBinomial2(exp(eta), phi)"),
        ("bernoulli_logit", "`Bernoulli(logits = ...)`"),
        ("lkj_corr_cholesky", "`LKJCholesky(dim, concentration)`"),
        ("HalfFlat", "`Flat(lower = 0)`"),
        ("ImproperUniform", "`Flat()`"),
        ("TruncatedNormal", "truncated("),
        ("normalInverse", None),
    ],
)
def test_distribution_hints(name: str, part: str | None) -> None:
    hint = distribution_hint(name)
    assert hint is None if part is None else part in (hint or "")


@pytest.mark.parametrize(
    ("distribution", "keyword", "hint"),
    [
        ("Normal", "mu", "write `loc = ...`"),
        ("Normal", "sigma", "write `scale = ...`"),
        ("Normal", "sd", "write `scale = ...`"),
        ("Normal", "tau", "write `scale = 1 / sqrt(tau)`"),
        ("StudentT", "nu", "write `df = ...`"),
        ("Beta", "alpha", "write `concentration1 = ...`"),
        ("Beta", "beta", "write `concentration0 = ...`"),
        ("Gamma", "alpha", "write `concentration = ...`"),
        ("Gamma", "beta", "write `rate = ...`"),
        ("Gamma", "scale", "write `rate = 1 / scale`"),
        ("Bernoulli", "p", "write `probs = ...`"),
        ("Binomial", "n", "write `total_count = ...`"),
        ("LKJCholesky", "eta", "write `concentration = ...`"),
        ("MultivariateNormal", "cov", "write `covariance_matrix = ...`"),
        ("Normal", "zzz", None),
        ("Nothing", "mu", None),
    ],
)
def test_keyword_hints(distribution: str, keyword: str, hint: str | None) -> None:
    assert keyword_hint(distribution, keyword) == hint


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("inv_logit", "write `sigmoid(x)`"),
        ("pow", "write `x ** y`"),
        ("ifelse", "write `if condition then a else b`"),
        ("np.exp", "write `exp`; functions need no module"),
        ("torch.nn.functional.softplus", "write `softplus`; functions need no module"),
        ("jnp.where", "write `if condition then a else b`"),
        ("to_vector", "vectors, rows and lists are one kind here; leave it out"),
        ("Normal", "a distribution stands after `~`: `x ~ Normal(...)`"),
        ("poisson_rng", "draw it in the predict block: `y_rep ~ Poisson(rate)`"),
        ("mine.exp", None),
        ("nothing_at_all", None),
    ],
)
def test_function_hints(name: str, hint: str | None) -> None:
    assert function_hint(name) == hint


def code_of(hint: str) -> str:
    return " ; ".join(re.findall(r"`([^`]*)`", hint))


@pytest.mark.parametrize("name", DISTRIBUTION_HINTS)
def test_distribution_hints_lead_somewhere(name: str) -> None:
    hint = DISTRIBUTION_HINTS[name]
    assert name not in DISTRIBUTIONS
    assert hint[0].islower()
    assert not hint.endswith(".")
    for called in re.findall(r"(\w+)\(", code_of(hint)):
        assert called in DISTRIBUTIONS or called in FUNCTIONS or called in CLAUSES, called
    for call, arguments in re.findall(r"([A-Z]\w+)\(([^()]*)\)", code_of(hint)):
        keywords = re.findall(r"(\w+) = ", arguments)
        positional = len([a for a in arguments.split(",") if a.strip() and "=" not in a])
        assert DISTRIBUTIONS[call].bind(positional, keywords).problems == () or "..." in hint


@pytest.mark.parametrize("name", [*SAME_AS, *SENTENCES])
def test_function_hints_lead_somewhere(name: str) -> None:
    assert name not in FUNCTIONS
    for called in re.findall(r"(\w+)\(", code_of(function_hint(name) or "")):
        assert called in DISTRIBUTIONS or called in FUNCTIONS or called in CLAUSES, called


def test_aliases_are_parameters() -> None:
    names = {p.name for row in DISTRIBUTIONS.values() for p in row.parameters}
    for keyword, meanings in ALIASES.items():
        assert keyword == keyword.lower()
        assert set(meanings) <= names


def test_documented_examples() -> None:
    for module in (compiler.tables.foreign, compiler.tables.foreign_keywords):
        assert doctest.testmod(module).failed == 0
