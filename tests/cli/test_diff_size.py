"""Symbolic sizes and parameter counts."""

from fractions import Fraction

import pytest

from compiler.diff.parameters import part_parameters, unconstrained
from compiler.diff.size import Size, product, triangle
from compiler.ir import Part, Program
from compiler.pipeline import compile_text

N, M = Size.of("n"), Size.of("m")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (Size(), "0"),
        (Size.of(0), "0"),
        (Size.of(7), "7"),
        (N, "n"),
        (N * 2 + 5, "2·n + 5"),
        (N * M + N * N + 1, "m·n + n² + 1"),
        (triangle(N), "n²/2 - n/2"),
        (N - N, "0"),
        (N * 2 - N * 3, "-n"),
        (N * Fraction(3, 2), "3·n/2"),
        (product([N, N, N, N]), "n⁴"),
        (product([]), "1"),
    ],
)
def test_text(size: Size, text: str) -> None:
    assert str(size) == text


def test_number() -> None:
    assert triangle(Size.of(5)).number == 10
    assert (N - N + 3).number == 3
    assert N.number is None
    assert (N + 1).number is None
    assert Size().number == 0


def test_order_of_terms_makes_no_difference() -> None:
    assert N * M + 1 + N == N + M * N + 1


SPEC = """\
data {{
  dim obs, g
  dim k = 4
  i[obs] : index(g)
  y[obs] : real
}}
model {{
  a ~ Normal(0, 1)
  w[k] ~ Dirichlet(fill(1, k))
  o[k] : ordered ~ Normal(0, 1)
  L ~ LKJCholesky(k, 2)
  plate g {{ b[k] ~ Normal(0, 1) }}
  plate obs {{
    z ~ Categorical(w)
    y ~ Normal(a + o[z] + sum(b[i]) + L[1, 0], 1)
  }}
}}
guide {{
  part first = {first}
  part labels = AutoDiscreteParallel(z)
  part rest = AutoDelta(*)
}}
"""


def program(first: str) -> Program:
    compiled = compile_text(SPEC.format(first=first), "a.ppl").program
    assert compiled is not None
    return compiled


def test_unconstrained_values_of_each_support() -> None:
    compiled = program("AutoNormal(a)")
    sizes = {site.name: str(unconstrained(compiled, site)) for site in compiled.latents()}
    assert sizes == {"a": "1", "w": "3", "o": "4", "L": "6", "b": "4·g", "z": "3·obs"}


@pytest.mark.parametrize(
    ("first", "text"),
    [
        ("AutoNormal(a, w)", "8"),
        ("AutoNormal(b)", "8·g"),
        ("AutoDelta(w, L)", "9"),
        ("AutoMultivariateNormal(a, o)", "20"),
        ("AutoMultivariateNormal(b)", "8·g² + 6·g"),
        ("AutoLowRankMultivariateNormal(b) { rank = 2 }", "16·g"),
        ("AutoLowRankMultivariateNormal(o)", "16"),
        ("AutoLowRankMultivariateNormal(b)", "D (rank + 2), with D = 4·g"),
        ("AutoIAFNormal(o)", "those of the flows"),
    ],
)
def test_parameters_of_each_family(first: str, text: str) -> None:
    compiled = program(first)
    part = compiled.guides[0].parts[0]
    assert isinstance(part, Part)
    assert str(part_parameters(compiled, part)) == text
    labels = compiled.guides[0].parts[1]
    assert str(part_parameters(compiled, labels)) == "3·obs"
