"""Specs made of the grammar's parts at random, most of them wrong."""

from __future__ import annotations

from random import Random

from compiler.tables.distributions import DISTRIBUTIONS
from compiler.tables.families import FAMILIES
from compiler.tables.functions import FUNCTIONS
from compiler.tables.inits import INITS
from fuzz.specs.oddities import NAMES, NUMBERS

_OPERATORS = ("+", "-", "*", "/", "**", "@", "//", "%", "==", "<", "and", "or")
_MODIFIERS = (
    "reparam noncentered", "marginalize", "marginalize(max = 10)", "truncated(lower = 0)",
    "truncated(lower = 1, upper = 0)", "censored(right = y == 0)", "censored(upper = x)",
)  # fmt: skip
_TYPES = (
    "real", "real > 0", "int", "int >= 0", "bool", "index(group)", "index(k, base = 1)",
    "int in 0 .. 1", "int in 1 .. 0", "real in 0 .. 1", "simplex", "ordered",
)  # fmt: skip
_DATA = (
    "data {\n  dim obs, group\n  dim k = 2\n  x[obs] : real\n  y[obs] : real\n"
    "  g[obs] : index(group)\n"
)


def generated(random: Random) -> str:
    """Return a whole spec."""
    return _Writer(random).spec()


class _Writer:
    def __init__(self, random: Random) -> None:
        self._random = random

    def _of(self, *options: str) -> str:
        return self._random.choice(options)

    def _some(self, least: int, most: int) -> range:
        return range(self._random.randrange(least, most))

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def spec(self) -> str:
        text = _DATA if self._chance(0.7) else "data {\n"
        text += "\n".join(self._declaration() for _ in self._some(0, 3)) + "\n}\n"
        if self._chance(0.3):
            lines = [f"{self._name()}{self._dims()} = {self._value()}" for _ in self._some(1, 3)]
            text += "derive {\n" + "\n".join(lines) + "\n}\n"
        if self._chance(0.3):
            parameters = ", ".join(self._name() for _ in self._some(0, 3))
            text += f"def {self._name()}({parameters}) = {self._value()}\n"
        text += self._block(f"model {self._name()}", 2, 6)
        if self._chance(0.3):
            text += self._block("predict", 1, 3)
        if self._chance(0.3):
            text += self._guide()
        if self._chance(0.2):
            option = self._of("steps", "optimizer", "tolerance", "draws", "method", self._name())
            text += f"fit {{\n  {option} = {self._value(1)}\n}}\n"
        return text

    def _block(self, head: str, depth: int, most: int) -> str:
        body = "\n".join(self._statement(depth) for _ in self._some(1, most))
        return f"{head} {{\n{body}\n}}\n"

    def _name(self) -> str:
        plain = ("x", "y", "mu", "g", "tau", "b", "k", "obs", "group", "z", "w", "X")
        return self._of(*plain, self._of(*NAMES))

    def _dims(self) -> str:
        known = ("", "[obs]", "[group]", "[k]", "[obs, k]", "[k, k]", "[3]")
        return self._of(*known, f"[{self._name()}]")

    def _value(self, depth: int = 3) -> str:
        inner = max(depth - 1, 0)
        match self._random.randrange(12 if depth else 3):
            case 0:
                return self._of(*NUMBERS)
            case 1 | 2:
                return self._name()
            case 3:
                arguments = ", ".join(self._value(inner) for _ in self._some(0, 4))
                return f"{self._function()}({arguments})"
            case 4:
                return f"({self._value(inner)} {self._of(*_OPERATORS)} {self._value(inner)})"
            case 5:
                return f"{self._name()}[{', '.join(self._value(inner) for _ in self._some(1, 3))}]"
            case 6:
                test = f"{self._value(inner)} > {self._value(inner)}"
                return f"if {test} then {self._value(inner)} else {self._value(inner)}"
            case 7:
                return f"[{', '.join(self._value(inner) for _ in self._some(0, 4))}]"
            case 8:
                return f"-{self._value(inner)}"
            case 9:
                return f"{self._function()}({self._value(inner)}, over = {self._name()})"
            case 10:
                return f"{self._name()}[{self._of(*NUMBERS)}:{self._of('', self._value(0))}]"
            case _:
                return f"prev({self._name()})"

    def _function(self) -> str:
        return self._of(*FUNCTIONS, "prev", "lags", "spline")

    def _call(self) -> str:
        keywords = (
            "",
            "",
            "logits = ",
            "probs = ",
            "rate = ",
            "scale_tril = ",
            f"{self._name()} = ",
        )
        arguments = [self._of(*keywords) + self._value(2) for _ in self._some(0, 4)]
        return f"{self._of(*DISTRIBUTIONS)}({', '.join(arguments)})"

    def _site(self) -> str:
        declared = self._of("", "", "", " : ordered", " : real > 0", " : int in 0 .. 3")
        modifier = self._of("", "", self._of(*_MODIFIERS), " ".join([self._of(*_MODIFIERS)] * 2))
        return f"{self._name()}{self._dims()}{declared} ~ {self._call()} {modifier}"

    def _statement(self, depth: int) -> str:
        match self._random.randrange(10):
            case 0 | 1 | 2 | 3:
                return self._site()
            case 4 | 5:
                return f"{self._name()}{self._dims()} = {self._value()}"
            case 6:
                return f"record {self._name()}{self._dims()} = {self._value()}"
            case 7:
                return f"factor {self._name()} = {self._value()}"
            case 8 if depth:
                names = ", ".join(self._name() for _ in self._some(1, 3))
                small = self._of("", "", f" minibatch {self._of(*NUMBERS)}")
                return self._block(f"plate {names}{small}", depth - 1, 4)
            case 9 if depth:
                steps = "\n".join(self._step(depth) for _ in self._some(1, 4))
                return f"recur {self._name()} {{\n{steps}\n}}"
            case _:
                return self._site()

    def _step(self, depth: int) -> str:
        drawn = f"{self._name()} ~ init {self._call()} then {self._call()}"
        computed = f"{self._name()} = init {self._value(1)} then {self._value(2)}"
        return self._of(drawn, computed, self._statement(depth - 1))

    def _declaration(self) -> str:
        if self._chance(0.4):
            names = ", ".join(self._name() for _ in self._some(1, 4))
            return f"dim {names}{self._of('', '', ' = ' + self._value(1))}"
        declared = self._of(*_TYPES, self._name())
        return f"{self._name()}{self._dims()} : {declared}{self._of('', '', ' missing')}"

    def _guide(self) -> str:
        family = self._of(*FAMILIES, self._name())
        sites = self._of("*", self._name(), f"{self._name()}, {self._name()}")
        init = f"init {self._of(*INITS)} at {{ {self._name()} = {self._value(1)} }}"
        options = f"{init}; init_scale = {self._of(*NUMBERS)}"
        part = f"guide q {{\n  part a = {family}({sites}) {{ {options} }}\n}}\n"
        return self._of("guide auto\n", part)
