"""The compiled density of a hidden chain at many points at once, against torch's."""

from __future__ import annotations

import torch

import pplc
from autoguide_core.engine.curvature.compiled import CompiledGradients
from autoguide_core.engine.curvature.density import LogDensity
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.precision import double_precision
from compiler.emit import emit_module
from compiler.run.module import load_module

SPEC = """
data {
  dim time
  dim k = 2
  y[time] : real
}
model chain {
  mu[k] ~ Normal([3, 10], 1)
  a[k]  ~ Dirichlet(ones(k))
  b[k]  ~ Dirichlet(ones(k))
  recur time {
    z ~ init Flat() then Categorical([a, b][prev(z)])
    y ~ Normal(mu[z], 1)
  }
}
"""
POINTS = 16


def test_compiled_gradients_are_those_of_torch() -> None:
    """GCC 12 got this one wrong, in silence: see `_ADDRESSES` of the toolchain."""
    torch.manual_seed(0)
    spec = pplc.loads(SPEC)
    module = load_module(emit_module(spec.program), spec.path)
    with double_precision():
        data = dict(spec.bind({"y": torch.randn(100).numpy()}).values)
        arguments = module.arguments("model", data)
        density = LogDensity(module.function("model"), (), arguments)
        points = torch.randn(POINTS, 4)
        gradients = Gradients(density, points[0])
        assert gradients.note is None
        compiled = CompiledGradients(gradients, 4, POINTS)
        for found, expected in zip(
            compiled.value_and_grad(points), gradients.value_and_grad(points), strict=True
        ):
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-8)
