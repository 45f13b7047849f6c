"""Native values and gradients on both sides of each threshold of the code, against eager torch."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from native_densities import DENSITIES, Data
from native_together import Evaluation, compile_together, compiler, in_turn, is_right, take_runners
from torch import Tensor

from autoguide_core.engine.native import toolchain
from autoguide_core.engine.native.program import RowGroup

SMALL = ((0, 3), (1, 3), (5, 2), (33, 1))
"""Nothing, one, one more than the rows of a product that are taken together, one more than a block
has at least. From half a megabyte on kernels are grouped by rows: the other sizes are beyond."""

WIDE, NARROW = (110, 600), (16411, 1)
"""Blocks of as few rows, and of as many, as there can be."""

BY_ROWS = [name for name in DENSITIES if " of 3" not in name and " of 4" not in name][:20]
Case = tuple[str, int, int, int, torch.dtype]
"""Density, rows, columns, points, type."""

CASES: list[Case] = [
    *((name, 5000, 20, 1 + 2 * (n % 2), torch.float64) for n, name in enumerate(BY_ROWS)),
    *((name, 20011, 3, 1, torch.float32) for name in BY_ROWS[1::2]),
    *((name, *SMALL[n % 4], 1 + n // 4 % 2, torch.float64) for n, name in enumerate(BY_ROWS)),
    *((name, *WIDE, 1, torch.float64) for name in ("regression", "twice", "placed")),
    *((name, *NARROW, 1, torch.float64) for name in ("regression", "padded", "effects of many")),
    *((name, 1, 3, 2, torch.float64) for name in DENSITIES if name not in BY_ROWS),
]

SHARED = [case for case in CASES if case[1] >= 110]
OPTIMISED = SHARED[::4]


@functools.cache
def evaluations() -> dict[Case, tuple[Evaluation, tuple[Tensor, Tensor]]]:
    """Each case in C++, and what eager torch gives."""
    found = {}
    for case in CASES:
        name, rows, columns, count, dtype = case
        density = DENSITIES[name](Data(rows, columns, dtype))
        generator = torch.Generator().manual_seed(1)
        drawn = torch.randn(count, columns + 2, dtype=torch.float64, generator=generator)
        points = (0.3 * drawn).to(dtype)
        found[case] = Evaluation.of(density, points), in_turn(density, points)
    return found


def groups(evaluation: Evaluation) -> list[RowGroup]:
    kernels = evaluation.translation.program.kernels
    return [kernel for kernel in kernels if isinstance(kernel, RowGroup)]


def agree(cases: list[Case]) -> None:
    """Compare compiled cases with torch."""
    for case in cases:
        evaluation, expected = evaluations()[case]
        for found, right in zip(evaluation.run(), expected, strict=True):
            assert is_right(found, right), (case, torch.get_num_threads(), found - right)


@pytest.fixture
def torch_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All cases, not optimised: layout is the subject, not what the compiler makes of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PPLC_COMPILER", compiler(tmp_path_factory.mktemp("compiler")))
        return compile_together({str(c): one for c, (one, _) in evaluations().items()})


def test_the_cases_reach_what_they_are_for() -> None:
    """Two groups in a program, values that pass within a group, filled ones among them, sums."""
    all_groups = [groups(one) for one, _ in evaluations().values()]
    assert max(map(len, all_groups)) >= 2
    every = [group for some in all_groups for group in some]
    assert {32, 4096} <= {group.block for group in every}
    assert any(storage.fill for group in every for storage in group.passing)
    assert any(storage.fill is not None for group in every for storage, _ in group.sums)
    assert {sign for group in every for _, sign in group.sums} >= {"+", "max", "min", "&&", "||"}
    counted = [len(groups(one)) for c, (one, _) in evaluations().items() if c[1] in (5000, 20011)]
    assert sum(map(bool, counted)) > 0.7 * len(counted)
    assert not any(groups(one) for c, (one, _) in evaluations().items() if c[1] < 100)


def test_values_are_those_of_torch(library: Path) -> None:
    """Twice: what one evaluation leaves in memory must not be seen by the next."""
    take_runners(library, [one for one, _ in evaluations().values()])
    agree(CASES + CASES)


@pytest.mark.parametrize("threads", [2, 4])
@pytest.mark.usefixtures("torch_threads")
def test_threads_share_the_rows(library: Path, threads: int) -> None:
    torch.set_num_threads(threads)
    take_runners(library, [one for one, _ in evaluations().values()])
    agree(SHARED)


@pytest.mark.usefixtures("torch_threads")
def test_a_team_may_be_smaller_than_was_asked_for(library: Path) -> None:
    """As under OMP_THREAD_LIMIT, OMP_DYNAMIC or OMP_MAX_ACTIVE_LEVELS."""
    openmp = ctypes.CDLL(str(library))
    if not hasattr(openmp, "omp_set_max_active_levels"):
        pytest.skip("the compiler has no OpenMP")
    torch.set_num_threads(4)
    take_runners(library, [one for one, _ in evaluations().values()])
    levels = openmp.omp_get_max_active_levels()
    openmp.omp_set_max_active_levels(0)
    try:
        agree(SHARED)
    finally:
        openmp.omp_set_max_active_levels(levels)


@pytest.mark.parametrize("how", ["no OpenMP", "optimised", "large"])
@pytest.mark.usefixtures("torch_threads")
def test_compilers_agree(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without OpenMP, with full optimisation, and with the little that large sources get."""
    script = compiler(tmp_path, optimised=how != "no OpenMP", openmp=how != "no OpenMP")
    monkeypatch.setenv("PPLC_COMPILER", script)
    if how == "large":
        monkeypatch.setattr(toolchain, "LARGE_SOURCE", 1)
    torch.set_num_threads(2)
    compile_together({str(case): evaluations()[case][0] for case in OPTIMISED})
    agree(OPTIMISED)
