"""Compares what a spec means with what each engine makes of it: values and gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random
from typing import Any

import torch
from pyro import poutine

import pplc
from autoguide_core.engine.curvature.compiled import CompiledGradients
from autoguide_core.engine.curvature.density import LogDensity
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.precision import double_precision
from autoguide_core.validation import Validation
from compiler.emit import emit_module
from compiler.run.module import EmittedModule, load_module
from fuzz.findings import Findings, tables
from fuzz.semantics.model import RandomModel

_POINTS = 4
_NEAR, _NEAR_SLOPE = 1e-9, 1e-8


def compare_model(model: RandomModel, counts: tuple[int, ...], findings: Findings) -> None:
    """Hold a random model's own density against the emitted one, and that against the engines."""
    compare(model.spec, model.data, counts, findings, model)


def compare(
    spec: str,
    data: Mapping[str, Any],
    counts: tuple[int, ...],
    findings: Findings,
    own: RandomModel | None = None,
) -> None:
    """Hold the log density of a spec, as the emitted module has it, against each way to run it.

    Args:
        spec: The text.
        data: The data.
        counts: For how many points at a time native code is made.
        findings: Where to keep what is wrong.
        own: What knows the density by itself.
    """
    findings.counts["inputs"] += 1
    files = {"spec_ppl": spec, "data_json": tables(data)}
    try:
        compiled = pplc.loads(spec)
        with double_precision():
            module = load_module(emit_module(compiled.program), compiled.path)
            bound: dict[str, Any] = dict(compiled.bind(data).values)
            if "derive" in module:
                bound.update(module.call("derive", bound))
            arguments = module.arguments("model", bound)
            density = LogDensity(module.function("model"), (), arguments)
            generator = torch.Generator().manual_seed(0)
            points = 0.7 * torch.randn(
                _POINTS, density.dim, dtype=torch.float64, generator=generator
            )
            points[-1] *= 4
            if own is not None:
                _by_scipy(own, density, module, arguments, points[:2], files, findings)
            _by_engines(density, points, counts, files, findings)
    except pplc.SpecError as error:
        findings.counts["refused"] += 1
        if own is not None:
            findings.add(f"a right spec is refused: {str(error)[:60]}", str(error), **files)
    except Exception as error:
        findings.crash("the density", error, **files)


def _by_scipy(
    own: RandomModel,
    density: LogDensity,
    module: EmittedModule,
    arguments: Mapping[str, Any],
    points: torch.Tensor,
    files: dict[str, str],
    findings: Findings,
) -> None:
    for point in points:
        latents = {name: value.detach() for name, value in density.values(point).items()}
        expected = own.log_density({name: value.numpy() for name, value in latents.items()})
        model = poutine.condition(module.function("model"), latents)
        with torch.no_grad(), Validation(False):
            found = float(poutine.trace(model).get_trace(**arguments).log_prob_sum())
        findings.counts["compared with scipy"] += 1
        if not _same(found, expected, 1e-7):
            detail = f"emitted {found!r}, scipy {expected!r} at {latents}"
            findings.add("the emitted density is not scipy's", detail, **files)


def _by_engines(
    density: LogDensity,
    points: torch.Tensor,
    counts: tuple[int, ...],
    files: dict[str, str],
    findings: Findings,
) -> None:
    values, slopes = _eager(density, points)
    gradients = Gradients(density, points[0])
    if gradients.obstacle:
        findings.counts[f"not traced: {gradients.obstacle[:60]}"] += 1
    evaluators: dict[str, Gradients | CompiledGradients] = {"the graph": gradients}
    for count in counts:
        compiled = CompiledGradients(gradients, density.dim, count)
        if compiled.engine == "native":
            evaluators[f"native code for {count} at a time"] = compiled
        else:
            findings.counts[f"not native: {compiled.obstacle[:60]}"] += 1
    for name, evaluator in evaluators.items():
        found, found_slopes = evaluator.value_and_grad(points)
        findings.counts["compared with eager torch"] += len(points)
        for place, point in enumerate(points):
            scale = 1 + float(slopes[place].nan_to_num(0.0, 0.0, 0.0).abs().max())
            off = (slopes[place] - found_slopes[place]).abs()
            alike = (off <= _NEAR_SLOPE * scale) | (slopes[place] == found_slopes[place])
            alike |= slopes[place].isnan() & found_slopes[place].isnan()
            value = float(values[place])
            if _same(float(found[place]), value, _NEAR) and bool(alike.all()):
                continue
            if not math.isfinite(value) and not math.isfinite(float(found[place])):
                continue
            detail = (
                f"point {place}: {point.tolist()}\neager {value!r}, here {float(found[place])!r}\n"
                f"slopes off by {off.tolist()}"
            )
            findings.add(f"{name} has another density than eager torch", detail, **files)
            return


def _eager(density: LogDensity, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return values and gradients by plain reverse mode, one point after the other."""
    values, slopes = [], []
    for point in points:
        leaf = point.clone().requires_grad_()
        value = density(leaf)
        (slope,) = torch.autograd.grad(value, leaf)
        values.append(value.detach())
        slopes.append(slope)
    return torch.stack(values), torch.stack(slopes)


def _same(x: float, y: float, near: float) -> bool:
    if not (math.isfinite(x) and math.isfinite(y)):
        return x == y or (math.isnan(x) and math.isnan(y))
    return abs(x - y) <= near * (1 + max(abs(x), abs(y)))


def points_at_a_time(random: Random) -> tuple[int, ...]:
    """Return for how many points at a time to compile."""
    return random.choice([(1,), (1, 3), (3,), (4,)])
