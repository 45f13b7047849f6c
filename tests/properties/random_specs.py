"""Random right specs, as text."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from random_expressions import Dims, Value, Writer

DATA = """\
data {
  dim obs, group, pred
  dim k = 2
  x[obs]        : real
  X[obs, pred]  : real
  u[group]      : real > 0
  T[group, k]   : real
  g[obs]        : index(group)
  y[obs]        : real
  Z[group, k]   : real
}
"""
_DATA = [
    Value("x", ("obs",)),
    Value("X", ("obs", "pred")),
    Value("u", ("group",), positive=True),
    Value("T", ("group", "k")),
]
_FUNCTIONS = {
    "soft": "def soft(v) = v / (1 + abs(v))",
    "bend": "def bend(v) {\n  w = 0.5 * v\n  return w - tanh(w)\n}",
}
_VARYING = {("group",): "u", ("group", "k"): "T", ("obs",): "x"}


@st.composite
def specs(draw: st.DrawFn) -> str:
    """Return a strategy of whole specs."""
    return _Spec(draw).text()


class _Spec:
    def __init__(self, draw: st.DrawFn) -> None:
        functions = draw(st.lists(st.sampled_from(sorted(_FUNCTIONS)), unique=True, max_size=2))
        self._writer = Writer(draw, list(_DATA), functions=functions)
        self._draw = draw
        self._count = 0
        self._latents: list[str] = []
        self._local: list[str] = []
        self._labels: list[str] = []

    def text(self) -> str:
        model = [
            *self._statements(self._writer, 3),
            *self._plate("group", 2),
            *self._nested(),
            *self._statements(self._writer, 1),
            *self._observations(),
        ]
        functions = "".join(f"{_FUNCTIONS[name]}\n" for name in self._writer.functions)
        body = "\n".join(f"  {line}" for line in model)
        kept = [value for value in self._writer.values if not value.passing]
        predict = replace(self._writer, values=kept).value((), 1)
        return (
            f"{DATA}{functions}model random {{\n{body}\n}}\n"
            f"predict {{ again ~ Normal({predict}, 1) }}\n{self._guide()}"
        )

    def _name(self, stem: str) -> str:
        self._count += 1
        return f"{stem}{self._count}"

    def _dims(self, plates: Dims, most: int) -> Dims:
        free = [dim for dim in ("group", "pred", "k") if dim not in plates]
        return tuple(self._draw(st.lists(st.sampled_from(free), unique=True, max_size=most)))

    def _statements(self, writer: Writer, most: int) -> list[str]:
        kinds = st.sampled_from(["site", "site", "value", "record", "factor"])
        makers = {
            "site": self._site,
            "value": self._value,
            "record": self._value,
            "factor": self._factor,
        }
        found: list[str] = []
        for kind in self._draw(st.lists(kinds, min_size=1, max_size=most)):
            found.append(makers[kind](writer))
            if kind == "record":
                found[-1] = f"record {found[-1]}"
                writer.values[-1] = replace(writer.values[-1], passing=False)
        return found

    def _factor(self, writer: Writer) -> str:
        return f"factor {self._name('term')} = -square({writer.value((), 2)})"

    def _value(self, writer: Writer) -> str:
        name, dims = self._name("value"), self._dims(writer.plates, 2)
        text = f"{name}{_brackets(dims)} = {writer.value(dims, 3)}"
        if writer.plates:  # only what varies over a plate has its dim outside
            text += f" + {_VARYING[writer.plates]}"
        self._add(writer, Value(name, dims, passing=True))
        return text

    def _add(self, writer: Writer, value: Value) -> None:
        whole = replace(value, axes=(*writer.plates, *value.axes))
        writer.values.append(whole)

    def _site(self, writer: Writer) -> str:
        name, dims = self._name("site"), self._dims(writer.plates, 2)
        brackets = _brackets(dims)
        loc, scale = writer.value(dims, 2), writer.positive(dims, 1)
        choices = {
            f"Normal({loc}, {scale})": False,
            f"Normal({loc}, {scale}) reparam noncentered": False,
            f"StudentT(4, {loc}, {scale}) reparam noncentered": False,
            f"Normal({loc}, {scale}) truncated(lower = 0)": True,
            f"HalfNormal({scale})": True,
            f"LogNormal(tanh({loc}), 0.5)": True,
            f"Gamma({scale}, rate = {scale})": True,
            f"Flat(lower = {loc})": False,
            f"Uniform(-1, {scale})": False,
            f"Laplace({loc}, {scale})": False,
        }
        text = writer.one_of(list(choices))
        if dims and dims[-1] != "k" and writer.one_of(["one", "whole"]) == "whole":
            text = f"Dirichlet(fill(2, {dims[-1]}))"
            choices[text] = True
        self._latents.append(name)
        self._add(writer, Value(name, dims, positive=choices[text]))
        if text.startswith("Flat"):  # a likelihood has to reach it
            total = f"sum(square({name}))" if dims else f"square({name})"
            text += f"; factor {self._name('reach')} = -{total}"
        return f"{name}{brackets} ~ {text}"

    def _plate(self, dim: str, most: int) -> list[str]:
        inner = replace(self._writer, plates=(dim,))
        lines = self._statements(inner, most)
        return [f"plate {dim} {{", *(f"  {line}" for line in lines), "}"]

    def _nested(self) -> list[str]:
        """Return a plate in a plate, with an observed matrix."""
        outer = replace(self._writer, plates=("group",))
        inner = replace(self._writer, plates=("group", "k"))
        before = self._statements(outer, 1)
        lines = self._statements(inner, 1)
        observed = f"Z ~ Normal({inner.value((), 2)}, {inner.positive((), 1)})"
        return [
            "plate group {",
            *(f"  {line}" for line in before),
            "  plate k {",
            *(f"    {line}" for line in [*lines, observed]),
            "  }",
            "}",
        ]

    def _observations(self) -> list[str]:
        kind = self._draw(st.sampled_from(["plain", "label", "minibatch"]))
        inner = replace(self._writer, plates=("obs",), values=list(self._writer.values))
        before = len(self._latents)
        lines = self._statements(inner, 2)
        if kind == "label":
            lines.append("label ~ Bernoulli(sigmoid(" + inner.value((), 1) + "))")
            if self._draw(st.booleans()):
                lines[-1] += " marginalize"
            else:
                self._labels.append("label")
            inner.values.append(Value("label", ("obs",)))
        if kind == "minibatch":
            self._local = self._latents[before:]
            del self._latents[before:]
        loc = f"{inner.value((), 3)} + {inner.value((), 4)} + {inner.value((), 4)}"
        lines.append(f"y ~ Normal({loc}, {inner.positive((), 2)})")
        small = " minibatch 2" if kind == "minibatch" else ""
        return [f"plate obs{small} {{", *(f"  {line}" for line in lines), "}"]

    def _guide(self) -> str:
        if self._draw(st.booleans()):
            return ""
        cut = self._draw(st.integers(0, len(self._latents)))
        lines = ["  default init median"]
        families = ["AutoNormal", "AutoDelta", "AutoMultivariateNormal", "AutoDiagonalNormal"]
        for number, sites in enumerate((self._latents[:cut], self._latents[cut:])):
            if sites:
                family = self._draw(st.sampled_from(families))
                lines.append(f"  part part{number} = {family}({', '.join(sites)})")
        if self._local:
            lines.append(f"  part local = AutoNormal({', '.join(self._local)})")
        if self._labels:
            lines.append("  part labels = AutoDiscreteParallel(label)")
        return "guide {\n" + "\n".join(lines) + "\n}\n" if lines[1:] else ""


def _brackets(dims: Dims) -> str:
    return f"[{', '.join(dims)}]" if dims else ""
