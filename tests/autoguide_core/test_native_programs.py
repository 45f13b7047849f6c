"""Random programs: native code gives what torch gives, whatever is fused with what."""

from __future__ import annotations

import random

import pytest
import torch
from native_harness import compiled
from native_programs import SIZES, Program
from torch import Tensor

BOUNDS = {torch.float64: 1e-9, torch.float32: 2e-3}


def tensors(count: int, seed: int, dtype: torch.dtype) -> list[Tensor]:
    """Tensors of random shapes, of up to three dimensions."""
    pick, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    shapes = [[pick.choice(SIZES) for _ in range(pick.randint(0, 3))] for _ in range(count)]
    return [torch.randn(s, generator=generator, dtype=torch.float64).to(dtype) for s in shapes]


@pytest.mark.parametrize("seed", range(14))
def test_random_programs_agree(seed: int) -> None:
    """Three steps of a program the values of which are its state, each from torch's state."""
    dtype = torch.float64 if seed % 3 else torch.float32
    old, noise, constants = (tensors(2, 3 * seed + part, dtype) for part in range(3))
    program = Program(seed, 40, [*old, *noise, *constants])
    values = program([*old, *noise, *constants])
    pick = random.Random(seed)
    # In half of the programs few values are seen, so that most of them stay in registers.
    seen = [n for n in range(len(values)) if seed % 2 or pick.random() < 0.2]
    successor = [
        next((n for n, v in enumerate(values) if v.shape == o.shape and pick.random() < 0.5), None)
        for o in old
    ]

    def step(*inputs: Tensor) -> tuple[Tensor, ...]:
        before, row = inputs[: len(old)], inputs[-1]
        new = program([*before, *inputs[-1 - len(noise) : -1], *constants])
        state = [
            o if n is None else new[n].clamp(-3.0, 3.0)
            for o, n in zip(before, successor, strict=True)
        ]
        return (*state, *(new[n] for n in seen), row[0])

    seen_first = {f"value_{n}": torch.zeros(values[n].shape, dtype=dtype) for n in seen}
    state = {**{f"old_{n}": value for n, value in enumerate(old)}, **seen_first}
    steps = compiled(step, state, noise)
    for factor in (1.0, 0.5, -1.0):
        block = [factor * drawn[None] for drawn in noise]
        expected, _ = steps.run_in_torch(block)
        steps.run(block)
        for name, value in expected.items():
            found = steps.state[name]
            size = 1.0 + float(value.abs().max())
            told = "\n".join([f"{name} of", *program.text])
            assert torch.equal(found.isfinite(), value.isfinite()), told
            assert float((found - value).abs().max()) <= BOUNDS[dtype] * size, told
            found.copy_(value)
