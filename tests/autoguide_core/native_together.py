"""Many programs in one compilation: the generated code of each in a namespace of its own."""

from __future__ import annotations

import ctypes
import functools
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
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


Density = Callable[[Tensor], Tensor]


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
    """Give each evaluation its runner of a library that `compile_together` has made."""
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
