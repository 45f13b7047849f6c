"""Many programs in one compilation: the generated code of each in a namespace of its own."""

from __future__ import annotations

import ctypes
import functools
import random
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from native_densities import DENSITIES, Data, Density
from torch import Tensor

from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.native.compilation import shared_library
from autoguide_core.engine.native.lowering import Lowering
from autoguide_core.engine.native.passes import Translation, translated
from autoguide_core.engine.native.program import Role
from autoguide_core.engine.native.runner import NativeRunner
from autoguide_core.engine.native.source import prelude
from autoguide_core.engine.stepping.capture import capture


def compiler(folder: Path, *, optimised: bool = False, openmp: bool = True) -> str:
    """A compiler that is g++ but for some options, as a value of ``PPLC_COMPILER``.

    Without OpenMP it is as Apple's: ``-fopenmp`` is refused, ``-fopenmp-simd`` taken.
    """
    script = folder / f"cxx{'-optimised' * optimised}{'-plain' * (not openmp)}"
    refuse = "" if openmp else '[ "$a" = -fopenmp ] && { echo "error: no -fopenmp"; exit 1; }\n'
    plain = "" if optimised else '[ "$a" = -O3 ] && a=-O0\n'
    script.write_text(
        f'#!/bin/bash\nargs=()\nfor a in "$@"; do\n{refuse}{plain}args+=("$a")\ndone\n'
        'exec g++ "${args[@]}"\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return str(script)


def recorded(step: Callable[..., tuple[Tensor, ...]], state: Mapping[str, Tensor]) -> Lowering:
    """A step of a state and a row of one number, to be lowered."""
    row = torch.zeros(1, dtype=torch.float64)
    graph = capture(step, {**state, "row": row}, (), next(iter(state)))
    roles: list[Role] = [*("state" for _ in state), "row"]
    return Lowering(graph, [*state.values(), row], roles)


def in_turn(density: Density, points: Tensor) -> tuple[Tensor, Tensor]:
    """Values and gradients at points by reverse mode, one after the other."""
    leaves = [point.detach().requires_grad_() for point in points]
    values = [density(leaf) for leaf in leaves]
    slopes = [torch.autograd.grad(*pair)[0] for pair in zip(values, leaves, strict=True)]
    return torch.stack(values).detach(), torch.stack(slopes)


def vectorised(density: Density, points: Tensor) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """The same for all points at once."""
    gradients = Gradients(density, points[0])
    assert gradients.obstacle is None, gradients.obstacle
    return gradients.value_and_grad


@dataclass
class Evaluation:
    """The values and gradients of a density as a step: what `curvature/compiled.py` compiles.

    Attributes:
        state: ``points`` (S, D), ``slopes`` (S, D) and ``values`` (S,).
        lowering: Its graph.
        translation: The C++.
        runner: What runs it, once compiled.
    """

    state: dict[str, Tensor]
    lowering: Lowering
    translation: Translation
    runner: NativeRunner | None = None

    @classmethod
    def of(cls, density: Density, points: Tensor) -> Evaluation:
        """Record, lower and write the evaluation: of one point as it is, of several vectorised."""
        evaluate = (
            vectorised(density, points) if len(points) > 1 else functools.partial(in_turn, density)
        )

        def step(*inputs: Tensor) -> tuple[Tensor, ...]:
            values, slopes = evaluate(inputs[0])
            return inputs[0], slopes, values, inputs[-1].sum()

        state = {
            "points": points.clone(),
            "slopes": torch.zeros_like(points),
            "values": points.new_zeros(len(points)),
        }
        lowering = recorded(step, state)
        return cls(state, lowering, translated(lowering))

    def run(self) -> tuple[Tensor, Tensor]:
        """Values and gradients at the points."""
        assert self.runner is not None
        self.runner.run(self.state, (), torch.zeros(1, 1, dtype=torch.float64))
        return self.state["values"].clone(), self.state["slopes"].clone()


def compile_together(evaluations: Mapping[str, Evaluation]) -> Path:
    """Compile all, and give each its runner; return the library."""
    library = compile_sources([one.translation.source for one in evaluations.values()])
    take_runners(library, list(evaluations.values()))
    return library


def compile_sources(sources: Sequence[str]) -> Path:
    """The library of several sources."""
    parts: list[str] = [prelude()]
    for number, source in enumerate(sources):
        body = source.removeprefix(prelude())
        name = "run" if not number else f"run_{number}"
        body = body.replace("int64_t run(", f"int64_t {name}(")
        parts.append(f"namespace program_{number} {{\n{body}\n}}")
    return shared_library("\n".join(parts), "test")


def take_runners(library: Path, evaluations: Sequence[Evaluation]) -> None:
    """Give each evaluation its runner of a library that `compile_together` has made.

    Runners keep the number of threads that torch has now.
    """
    for number, one in enumerate(evaluations):
        one.runner = runner_of(library, number, one.lowering, one.translation, one.state)


def runner_of(
    library: Path,
    number: int,
    lowering: Lowering,
    translation: Translation,
    state: Mapping[str, Tensor],
    *,
    spoilt: bool = False,
) -> NativeRunner:
    """The runner of one of the sources of a library."""
    made = (translation.program, translation.memory, lowering.constants, lowering.foreign)
    runner = NativeRunner(library, *made, state, spoilt=spoilt)
    if number:
        runner._entry = getattr(ctypes.CDLL(str(library)), f"run_{number}")
        runner._entry.restype = ctypes.c_int64
    return runner


def disagreement(seed: int) -> str:
    """Evaluate a density at random sizes, points, type and threads; an empty text if it is right.

    The sizes are near those where the code changes: of groups, of blocks, of sums in registers.
    """
    pick = random.Random(seed)
    rows = pick.choice((0, 1, 4, 31, 32, 33, 100, 1000, 4095, 4097, pick.randint(2, 40_000)))
    columns = pick.choice((1, 2, 3, 8, 9, 20, 33, 64 if rows < 10_000 else 4))
    count, dtype = (
        pick.choice((1, 2, 4)),
        pick.choice((torch.float64, torch.float64, torch.float32)),
    )
    name, threads = pick.choice(list(DENSITIES)), pick.choice((1, 2, 3, 4))
    density = DENSITIES[name](Data(rows, columns, dtype))
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(count, columns + 2, dtype=torch.float64, generator=generator)
    evaluation = Evaluation.of(density, (0.3 * drawn).to(dtype))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        compile_together({name: evaluation})
        pairs = list(zip(evaluation.run(), in_turn(density, (0.3 * drawn).to(dtype)), strict=True))
    finally:
        torch.set_num_threads(before)
    if all(is_right(*pair) for pair in pairs):
        return ""
    return f"{name}: {rows} rows, {columns} columns, {count} points, {dtype}, {threads} threads"


def is_right(found: Tensor, expected: Tensor) -> bool:
    """Whether numbers are those expected, but for rounding; NaN where NaN is expected."""
    bound = 1e-10 if found.dtype == torch.float64 else 1e-3
    size = expected.nan_to_num(0.0, 0.0, 0.0).abs().max() if expected.numel() else 0.0
    tolerance = bound * (1.0 + float(size))
    return torch.allclose(found, expected, rtol=0.0, atol=tolerance, equal_nan=True)
