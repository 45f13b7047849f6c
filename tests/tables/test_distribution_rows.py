"""Each row of the table of distributions against Pyro's own class."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.distributions import constraints

from autoguide_core.distributions import Truncated, TruncatedCounts
from compiler.tables.distribution_row import DistributionRow, Parameter, Sum
from compiler.tables.distributions import DISTRIBUTIONS, KINDS

ROWS = [row for row in DISTRIBUTIONS.values() if not row.ours]
SIZES = {"n": 3, "rank": 2, "cuts": 3, "dim": 3}

PYRO_CONSTRAINTS = {
    "real": (constraints.real, constraints.real_vector),
    "positive": (constraints.positive,),
    "nonnegative": (constraints.nonnegative,),
    "unit_interval": (constraints.unit_interval,),
    "half_open_unit_interval": (constraints.half_open_interval(0.0, 1.0),),
    "signed_unit_interval": (constraints.interval(-1, 1),),
    "stability": (constraints.interval(0, 2),),
    "integer": (constraints.integer,),
    "nonnegative_integer": (constraints.nonnegative_integer,),
    "simplex": (constraints.simplex,),
    "ordered": (constraints.ordered_vector,),
    "lower_cholesky": (constraints.lower_cholesky,),
    "positive_definite": (constraints.positive_definite,),
}

PYRO_DOES_NOT_CHECK = {"dim", "temperature", "total_count", "weighted_correlation"}

SUPPORTS = {
    "simplex": constraints.simplex,
    "corr_cholesky": constraints.corr_cholesky,
    "positive_definite": constraints.positive_definite,
    "one_hot": constraints.one_hot,
    "sphere": constraints.sphere,
    "boolean": constraints.boolean,
}


@pytest.fixture(autouse=True)
def _float64_and_seed() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    pyro.set_rng_seed(1)
    yield
    torch.set_default_dtype(before)


def value(parameter: Parameter) -> torch.Tensor | int:
    """Return a random value that the constraint allows, where the mean is finite."""
    shape = tuple(SIZES.get(axis, axis) for axis in parameter.axes)
    uniform, normal = torch.rand(shape), torch.randn(shape)
    match parameter.constraint:
        case "real":
            return normal
        case "positive":
            return uniform + 4.5
        case "nonnegative":
            return uniform + 0.5
        case "unit_interval" | "half_open_unit_interval":
            return 0.1 + 0.8 * uniform
        case "signed_unit_interval":
            return uniform - 0.5
        case "stability":
            return 1.2 + 0.5 * uniform
        case "integer" | "nonnegative_integer":
            return 5
        case "size":
            return 3
        case "simplex":
            return torch.softmax(normal, -1)
        case "ordered":
            return normal.sort(-1).values
        case "positive_definite" | "lower_cholesky":
            matrix = normal @ normal.mT + torch.eye(3)
            is_factor = parameter.constraint == "lower_cholesky"
            return torch.linalg.cholesky(matrix) if is_factor else matrix
    raise AssertionError(parameter.constraint)


def choices(row: DistributionRow) -> list[dict[str, torch.Tensor | int]]:
    """Return arguments for each way of calling: with each member of the groups in turn."""
    groups = {p.group for p in row.parameters} - {None}
    ways = max([len(row.group(group)) for group in groups], default=1)
    calls = []
    for way in range(ways):
        picked = {group: row.group(group)[way % len(row.group(group))] for group in groups}
        arguments = {
            p.name: value(p) for p in row.parameters if p.group is None or picked[p.group] == p
        }
        if row.in_order:
            low, high = row.in_order
            arguments[high] = arguments[low] + 1.5
        calls.append(arguments)
    return calls


def built(row: DistributionRow) -> dist.TorchDistribution:
    return getattr(dist, row.name)(**choices(row)[0])


def bound(limit: float | Sum | None, known: dict[str, float]) -> float | None:
    return limit.at(known) if isinstance(limit, Sum) else limit


def known(arguments: dict[str, torch.Tensor | int]) -> dict[str, float]:
    numbers = {k: float(v) for k, v in arguments.items() if torch.as_tensor(v).dim() == 0}
    return {**SIZES, **numbers}


def drawn(row: DistributionRow, made: dist.TorchDistribution) -> torch.Tensor:
    """Return a value of the distribution, also of one that Pyro cannot draw from."""
    if row.drawable:
        return made.sample()
    with pytest.raises(NotImplementedError):
        made.sample()
    return {"VonMises3D": torch.tensor([0.6, 0.0, 0.8])}.get(row.name, torch.tensor(2.0))


def test_there_are_enough() -> None:
    assert len(DISTRIBUTIONS) == sum(map(len, KINDS.values())) >= 45


# Pyro warns of singular draws where there are none: a slip in torch's Wishart.rsample
@pytest.mark.filterwarnings("ignore:Singular sample detected")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
class TestAgainstPyro:
    def test_signature(self, row: DistributionRow) -> None:
        signature = inspect.signature(getattr(dist, row.name)).parameters
        placed = [
            name
            for name, p in signature.items()
            if p.kind is p.POSITIONAL_OR_KEYWORD and name != "validate_args"
        ]
        ours = [p.name for p in row.parameters if not p.keyword_only]
        assert placed[: len(ours)] == ours
        for parameter in row.parameters:
            theirs = signature[parameter.name]
            assert (theirs.kind is theirs.KEYWORD_ONLY) == parameter.keyword_only
            if parameter.default is not None:
                assert theirs.default == parameter.default
            elif parameter.group is None:
                assert theirs.default is theirs.empty

    def test_constraints(self, row: DistributionRow) -> None:
        theirs = getattr(dist, row.name).arg_constraints
        if isinstance(theirs, property):  # depends on the arguments: Uniform, Wishart
            assert set(built(row).arg_constraints) <= {p.name for p in row.parameters}
            return
        for parameter in row.parameters:
            given = theirs.get(parameter.name)
            if given is None:
                assert parameter.name in PYRO_DOES_NOT_CHECK
                continue
            while isinstance(given, constraints.independent):
                given = given.base_constraint
            allowed = {str(c).replace(".0", "") for c in PYRO_CONSTRAINTS[parameter.constraint]}
            assert str(given).replace(".0", "") in allowed

    def test_call(self, row: DistributionRow) -> None:
        for arguments in choices(row):
            made = getattr(dist, row.name)(**arguments)
            assert made.batch_shape == ()
            assert made.event_shape == tuple(SIZES.get(a, a) for a in row.event_axes)
            assert math.isfinite(made.log_prob(drawn(row, made)))
            assert row.bind(0, list(arguments)).ok

    def test_expand(self, row: DistributionRow) -> None:
        made = built(row)
        value = drawn(row, made)
        density = made.expand([2]).log_prob(value)
        torch.testing.assert_close(density, made.log_prob(value).expand(2))

    def test_python_numbers(self, row: DistributionRow) -> None:
        arguments = choices(row)[0]
        value = drawn(row, made := getattr(dist, row.name)(**arguments))
        numbers = {
            name: float(v) if torch.is_tensor(v) and not v.shape else v
            for name, v in arguments.items()
            if not row.parameter(name).tensor
        }
        again = getattr(dist, row.name)(**{**arguments, **numbers})
        torch.testing.assert_close(again.log_prob(value), made.log_prob(value))
        for parameter in row.parameters:
            if parameter.tensor and parameter.name in arguments:
                bad = {**arguments, parameter.name: float(arguments[parameter.name])}
                with pytest.raises((AttributeError, TypeError)):
                    getattr(dist, row.name)(**bad).log_prob(value)

    def test_support(self, row: DistributionRow) -> None:
        for arguments in choices(row):
            made = getattr(dist, row.name)(**arguments)
            theirs = made.support
            while isinstance(theirs, constraints.independent):
                theirs = theirs.base_constraint
            assert theirs.event_dim <= row.event_rank
            rule = row.support
            if rule.kind in SUPPORTS:
                assert theirs is SUPPORTS[rule.kind]
                continue
            assert theirs.is_discrete == row.discrete
            values = known(arguments)
            if row.event_rank and row.discrete:  # the counts of a multinomial
                assert rule.at(values).upper == made.total_count
                continue
            for side, ours in (("lower", rule.lower), ("upper", rule.upper)):
                limit = getattr(theirs, f"{side}_bound", None)
                expected = None if limit is None else pytest.approx(float(limit))
                assert bound(ours, values) == expected
            strict = "GreaterThan(" in str(theirs) and not row.discrete
            assert rule.lower_strict == strict
            assert not rule.at(values).open_bounds

    def test_draws_lie_in_the_support(self, row: DistributionRow) -> None:
        arguments = choices(row)[0]
        made = getattr(dist, row.name)(**arguments)
        draws = made.sample((50,)) if row.drawable else drawn(row, made)
        support = row.support.at(known(arguments))
        if support.lower is not None:
            assert (draws >= support.lower).all()
        if support.upper is not None:
            assert (draws <= support.upper).all()
        assert (row.element == "int") == row.discrete
        if row.discrete:
            assert (draws == draws.round()).all()

    def test_enumeration(self, row: DistributionRow) -> None:
        arguments = choices(row)[0]
        made = getattr(dist, row.name)(**arguments)
        assert made.has_enumerate_support == row.enumerable
        if row.categories is not None:
            values = made.enumerate_support(expand=False)
            assert len(values) == row.categories.at(known(arguments))

    def test_mean(self, row: DistributionRow) -> None:
        try:
            has_mean = bool(torch.isfinite(built(row).mean).all())
        except NotImplementedError:
            has_mean = False
        assert has_mean == row.mean_known

    def test_truncation(self, row: DistributionRow) -> None:
        made = built(row)
        cut = TruncatedCounts if row.discrete else Truncated
        if row.name == "ExtendedBinomial":
            return  # is one of Binomial's classes
        if not row.truncatable:
            with pytest.raises(ValueError, match="cannot be truncated"):
                cut(made, lower=0.1)
        elif row.discrete:
            values = torch.arange(1.0, 4.0)
            inside = made.log_prob(values) - torch.logsumexp(made.log_prob(values), 0)
            torch.testing.assert_close(cut(made, 1, 3).log_prob(values), inside)
        else:
            whole = cut(made, lower=cut(made, -1e9).icdf(torch.tensor(0.3)).item())
            middle = cut(made, -1e9).icdf(torch.tensor(0.65))
            torch.testing.assert_close(whole.cdf(middle), torch.tensor(0.5), rtol=1e-6, atol=1e-6)

    def test_words(self, row: DistributionRow) -> None:
        assert row.summary
        assert not row.summary.endswith(".")
        assert row.mathematics
        assert row.note is None or row.note.endswith(".")
        letters = {a for p in row.parameters for a in p.axes} | {p.name for p in row.parameters}
        assert {a for a in row.event_axes if isinstance(a, str)} <= letters
        assert row.index_of is None or row.index_of in letters
        terms = [row.support.lower, row.support.upper, row.categories]
        assert {t for s in terms if isinstance(s, Sum) for t in s.terms} <= letters


@pytest.mark.parametrize("row", [r for r in ROWS if r.loc_scale], ids=lambda row: row.name)
def test_loc_scale(row: DistributionRow) -> None:
    rule = row.loc_scale
    assert rule is not None
    arguments = next(a for a in choices(row) if rule.scale in a)
    loc, scale = arguments[rule.loc], arguments[rule.scale]
    one = torch.eye(3) if rule.matrix else torch.ones(())
    base_arguments = {**arguments, rule.loc: torch.zeros_like(loc), rule.scale: one}
    made = getattr(dist, row.name)(**arguments)
    base = getattr(dist, row.name)(**base_arguments)
    noise = base.sample()
    value = loc + (scale @ noise if rule.matrix else scale * noise)
    jacobian = scale.diagonal().log().sum() if rule.matrix else scale.log()
    torch.testing.assert_close(made.log_prob(value), base.log_prob(noise) - jacobian)


def test_flat() -> None:
    row = DISTRIBUTIONS["Flat"]
    assert row.ours
    unbounded = row.support.at(row.defaults)
    assert (unbounded.lower, unbounded.upper, unbounded.open_bounds) == (None, None, False)
    half = row.support.at({**row.defaults, "lower": 0.0})
    assert (half.lower, half.upper, half.open_bounds) == (0.0, None, False)
    assert row.support.at({"lower": 0.0}).open_bounds


@pytest.mark.parametrize(
    ("name", "shapes", "sizes", "event"),
    [
        ("Normal", {"loc": ("k",), "scale": ()}, {}, ()),
        ("MultivariateNormal", {"loc": ("k",), "scale_tril": ("k", "k")}, {}, ("k",)),
        ("MultivariateNormal", {"loc": ("j", "k"), "scale_tril": ("k", "k")}, {}, ("k",)),
        ("LKJCholesky", {"concentration": ()}, {"dim": "pred"}, ("pred", "pred")),
        ("LKJCholesky", {}, {"dim": 2}, (2, 2)),
        ("Multinomial", {"logits": ("k",)}, {}, ("k",)),
        ("VonMises3D", {"concentration": (3,)}, {}, (3,)),
    ],
)
def test_event_axes(
    name: str,
    shapes: dict[str, tuple[str | int, ...]],
    sizes: dict[str, str | int],
    event: tuple[str | int, ...],
) -> None:
    assert DISTRIBUTIONS[name].event(shapes, sizes) == event


@pytest.mark.parametrize(
    ("name", "shapes", "message"),
    [
        ("Dirichlet", {"concentration": ()}, "`concentration` of Dirichlet has to be a vector"),
        (
            "MultivariateNormal",
            {"loc": ("k",), "scale_tril": ("k", "j")},
            "`scale_tril` of MultivariateNormal has the size j where `loc` has k",
        ),
        (
            "Wishart",
            {"df": (), "scale_tril": ("k", "j")},
            "`scale_tril` of Wishart has to be square, not k by j",
        ),
        ("VonMises3D", {"concentration": (2,)}, "needs 3 entries, not 2"),
    ],
)
def test_shapes_that_do_not_fit(
    name: str, shapes: dict[str, tuple[str | int, ...]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        DISTRIBUTIONS[name].axes(shapes, {})
