"""A random spec of rows in groups, with data, and its log density by scipy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import scipy.stats as st

from fuzz.semantics.expressions import Expression, Values, binary, named
from fuzz.semantics.mixtures import Density, mixture
from fuzz.semantics.priors import OUTCOMES, prior
from fuzz.semantics.sequences import LONGEST_LOOP, lagged, recurrence, walk
from fuzz.semantics.values import Names, Writer

_DATA = """\
data {{
  dim obs, group, pred
  x[obs] : real
  X[obs, pred] : real
  u[group] : real
  t[obs] : real > 0
  g[obs] : index(group)
  y[obs] : {outcome}
}}
model random {{
"""


@dataclass(frozen=True)
class Sizes:
    """How many rows, groups and predictors there are."""

    rows: int
    groups: int
    predictors: int

    @classmethod
    def small(cls, random: Random) -> Sizes:
        """Return sizes on both sides of a vector's and of a loop's ends."""
        rows, groups = (
            random.choice([1, 2, 3, 7, 8, 9, 16, 17, 33, 100]),
            random.choice([1, 2, 3, 8]),
        )
        return cls(rows, groups, random.choice([1, 2, 3, 4, 8, 9, 11]))

    @classmethod
    def large(cls, random: Random, cells: float = 4e5) -> Sizes:
        """Return sizes on both sides of the thresholds of groups of rows and of threads."""
        predictors = random.randrange(2, 21)
        most = max(3000.0, cells / predictors)
        rows = int(math.exp(random.uniform(math.log(2500), math.log(most))))
        return cls(rows, random.choice([1, 2, 5, 8, 33, 1000]), predictors)


class RandomModel:
    """A spec whose density is known.

    Args:
        sizes: How large its data are.
        random: What to choose by.

    Attributes:
        spec: The text.
        data: The data, by name.
    """

    def __init__(self, sizes: Sizes, random: Random) -> None:
        self._sizes, self._random = sizes, random
        self._names = Names(sizes.predictors)
        self._write = Writer(self._names, random)
        self._lines: list[str] = []
        self._sites: list[tuple[str, Callable[[Values, Any], Any]]] = []
        self._steps: list[tuple[str, Callable[[Values], Any]]] = []
        self._terms: list[Callable[[Values], Any]] = []
        self.data = self._covariates()
        self._body()
        outcome = self._outcome()
        self.spec = _DATA.format(outcome=outcome) + "\n".join(self._lines) + "\n}\n"

    def log_density(self, latents: Mapping[str, Any]) -> float:
        """Return the log density at values of the latents, each with its own axes."""
        values: dict[str, Any] = {**self.data, **latents}
        total = 0.0
        densities = dict(self._sites)
        for name, value in self._steps:
            if name in densities:
                drawn = values[name]
                total += float(np.sum(np.broadcast_to(densities[name](values, drawn), drawn.shape)))
            else:
                values[name] = value(values)
        return total + sum(float(np.sum(term(values))) for term in self._terms)

    def _covariates(self) -> dict[str, Any]:
        rows, groups = self._sizes.rows, self._sizes.groups
        self._generator = np.random.default_rng(self._random.randrange(2**31))
        g = self._generator.integers(0, groups, rows)
        g[-1] = groups - 1
        return {
            "x": self._generator.normal(size=rows),
            "X": self._generator.normal(size=(rows, self._sizes.predictors)),
            "u": self._generator.normal(size=groups),
            "t": self._generator.gamma(2, 1, rows),
            "g": g,
        }

    def _body(self) -> None:
        random, write = self._random, self._write
        for number in range(random.randrange(1, 4)):
            self._site(f"s{number}", write.single(1), "", self._names.numbers)
            if random.random() < 0.25:
                self._value(f"d{number}", write.single(2), "", self._names.numbers)
        for number in range(random.randrange(0, 3)):
            by_vector = self._names.vectors and random.random() < 0.4
            loc = write.vector(1) if by_vector else write.single(1)
            self._site(f"b{number}", loc, "[pred]", self._names.vectors)
            if random.random() < 0.3:
                self._value(f"w{number}", write.whole_vector(2), "[pred]", self._names.vectors)
        if random.random() < 0.3:
            term = write.single(2)
            self._lines.append(f"  factor q = -square({term.text})")
            self._terms.append(lambda values: -np.square(term.value(values)))
        if random.random() < 0.7:
            self._groups()

    def _groups(self) -> None:
        random, write = self._random, self._write
        self._lines.append("  plate group {")
        loc = write.single(1)
        if random.random() < 0.5:
            loc = binary(named("u"), loc, random)
        self._site("a", loc, "", self._names.groups, indent="    ")
        if self._names.vectors and random.random() < 0.4:
            centre, scale = (
                named(random.choice(self._names.vectors)),
                write.positive(write.single(1)),
            )
            self._lines.append(f"    m[pred] ~ Normal({centre.text}, {scale.text})")
            self._add(
                "m", lambda values, v: st.norm.logpdf(v, centre.value(values), scale.value(values))
            )
            self._names.group_vectors.append("m")
        self._lines.append("  }")

    def _outcome(self) -> str:
        random, write = self._random, self._write
        in_steps = random.random() < 0.35
        self._lines.append("  recur obs {" if in_steps else "  plate obs {")
        if in_steps:
            self._sequences()
        eta = write.row(random.choice([1, 2, 3]))
        scale = write.positive(write.single(1) if random.random() < 0.7 else write.row(1))
        text = eta.text
        if random.random() < 0.4:
            self._lines.append(f"    eta = {eta.text}")
            text = "eta"
        declared, template, draw, plain = random.choice(OUTCOMES)
        density = _without_values(plain)
        if self._names.vectors and declared == "real" and random.random() < 0.5:
            template, density = mixture(write, random)
        mean = f"exp(tanh({text}))"
        drawn = template.format(eta=text, mean=mean, scale=scale.text)
        self._lines += [f"    y ~ {drawn}", "  }"]
        y = self.data["y"] = draw(self._generator, self._sizes.rows)
        self._terms.append(
            lambda values: np.broadcast_to(
                density(values, y, eta.value(values), scale.value(values)), (self._sizes.rows,)
            )
        )
        return declared

    def _sequences(self) -> None:
        """Write statements of a block of steps, for what follows in it to read."""
        random, write, rows = self._random, self._write, self._sizes.rows
        for number in range(random.randrange(0, 4)):
            name = f"h{number}"
            if rows <= LONGEST_LOOP and random.random() < 0.3:
                text, density = walk(name, write, rows, random)
                self._add(name, density)
            else:
                text, value = recurrence(name, write, rows, random)
                self._steps.append((name, value))
            self._lines.append(f"    {text}")
            self._names.rows += [named(name), lagged(random)]

    def _site(
        self, name: str, loc: Expression, dims: str, names: list[str], indent: str = "  "
    ) -> None:
        text, density = prior(loc, self._write.positive(self._write.single(1)), self._random)
        self._lines.append(f"{indent}{name}{dims} ~ {text}")
        self._add(name, density)
        names.append(name)

    def _add(self, name: str, density: Callable[[Values, Any], Any]) -> None:
        self._sites.append((name, density))
        self._steps.append((name, lambda values: None))

    def _value(self, name: str, value: Expression, dims: str, names: list[str]) -> None:
        self._lines.append(f"  {name}{dims} = {value.text}")
        self._steps.append((name, value.value))
        names.append(name)


def _without_values(plain: Callable[[Any, Any, Any], Any]) -> Density:
    return lambda values, y, eta, scale: plain(y, eta, scale)
