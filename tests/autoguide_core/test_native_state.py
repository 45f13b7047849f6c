"""State of native steps: what is written over what, what stops the steps, what torch still does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from native_harness import ROW, Function, Steps, compiled, distance
from torch import Tensor

from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.native.lowering import Lowering
from autoguide_core.engine.native.start import PendingNative

ROWS = torch.tensor([[0.25, 2.0], [0.5, 3.0], [0.75, 4.0]], dtype=torch.float64)
A = torch.arange(6.0, dtype=torch.float64).reshape(2, 3) - 2.5
B = torch.sin(A)
SQUARE = torch.tensor([[1.0, 2.0], [3.0, 5.0]], dtype=torch.float64)
NUMBER = torch.tensor(0.5, dtype=torch.float64)

STEPS: dict[str, tuple[Function, Sequence[Tensor]]] = {
    "swapped": (lambda a, b, row: (b, a, row[0]), (A, B)),
    "swapped and changed": (lambda a, b, row: (b * 2, a + 1, row[0]), (A, B)),
    "rotated": (lambda a, b, c, row: (b, c, a, row[0]), (A, B, A * B)),
    "the same for two": (lambda a, b, row: (a + b, a + b, row[0]), (A, B)),
    "the old one of another": (lambda a, b, row: (a * 2, a, row[0]), (A, B)),
    "a view of the old one": (lambda a, row: (a.t(), row[0]), (SQUARE,)),
    "a view of the new one": (lambda a, row: ((a * row[1]).t(), row[0]), (SQUARE,)),
    "turned round": (lambda a, row: (a.flip(0), row[0]), (A,)),
    "rolled": (lambda a, row: (torch.roll(a, 1, 1), row[0]), (A,)),
    "a part of the old one": (lambda a, b, row: (a + 1, a[:1].expand(2, 3), row[0]), (A, B)),
    "old and new together": (lambda a, row: (a * 0.9 + a.t() * 0.1, row[0]), (SQUARE,)),
    "only through a view": (lambda a, row: (a.t() * 0.5 + row[0], row[0]), (SQUARE,)),
    "old one read after": (lambda a, b, row: (a * 0.5, b + (a * 0.5).sum() * a, row[0]), (A, B)),
    "old one read by a sum": (lambda a, b, row: (a + 1, b + a.sum(0), a.sum()), (A, B)),
    "result is an old number": (lambda a, n, row: (a + n, n * 0.5, n), (A, NUMBER)),
    "result is a new number": (lambda a, n, row: (a + n, n * 0.5, n * 0.5), (A, NUMBER)),
    "numbers": (lambda a, n, row: (torch.full_like(a, 3), torch.ones_like(n), n), (A, NUMBER)),
    "constants": (lambda a, row: (B, a.sum()), (A,)),
    "nothing changes": (lambda a, b, row: (a, b, row[1]), (A, B)),
    "rows": (lambda a, row: (row.expand(2, 2), row[1]), (SQUARE,)),
    "left to torch, in place": (lambda a, row: (torch.linalg.inv(a) * row[0], a[0, 0]), (SQUARE,)),
    "left to torch, then read": (
        lambda a, row: (a * 0.5, torch.linalg.inv(a.t())[0, 1] + a.sum()),
        (SQUARE,),
    ),
    "left to torch, of new": (lambda a, row: (a * 2, torch.linalg.inv(a * 2).sum()), (SQUARE,)),
    "one of its results": (lambda a, row: (torch.sort(a, 1)[0] + 1, row[0]), (A,)),
    "all of its results": (
        lambda a, row: (a + torch.sort(a, 1)[1], torch.sort(a, 1)[0][0, 1]),
        (A,),
    ),
    "empty": (lambda a, e, row: (a + e.sum(), e * 2, row[0]), (A, A[:0])),
    "one element": (lambda a, n, row: (a + n.reshape(()), n + a[:1, :1], row[0]), (A, A[:1, :1])),
    "scattered into": (
        lambda a, b, row: (a.index_add(1, torch.tensor([2, 0, 2]), b), a * b, row[0]),
        (A, B),
    ),
    "placed into": (
        lambda a, b, row: (
            a.slice_scatter(b[:, :2], 1, 1, 3),
            a.select_scatter(b[0], 0, 1),
            a[1, 2],
        ),
        (A, B),
    ),
    "zeros placed into": (
        lambda a, b, row: (torch.zeros_like(a).slice_scatter(b[:, :1], 1, 2), b + 1, row[0]),
        (A, B),
    ),
}


def _agrees(steps: Steps, noise: Sequence[Tensor] = ()) -> None:
    expected, results = steps.run_in_torch(noise, ROWS)
    found = steps.run(noise, ROWS)
    for name, value in expected.items():
        assert distance(steps.state[name], value) < 10, name
    assert distance(found, torch.tensor(results, dtype=torch.float64)) < 10


@pytest.mark.parametrize("name", STEPS)
def test_new_state_is_that_of_torch(name: str) -> None:
    function, state = STEPS[name]
    _agrees(compiled(function, {f"s{n}": value for n, value in enumerate(state)}))


def test_noise_and_rows_move_on_with_the_steps() -> None:
    normal, whole, empty = torch.randn(3, 2, 2).double(), torch.randint(9, (3, 2)), torch.ones(3, 0)

    def step(a: Tensor, x: Tensor, n: Tensor, e: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        return a + torch.linalg.inv(x) * row[1] + n + e.sum(), torch.linalg.det(x) + row[0]

    steps = compiled(step, {"a": SQUARE}, [normal[0], whole[0], empty[0]])
    _agrees(steps, [normal, whole, empty])
    strided = normal.transpose(1, 2).flip(0)
    _agrees(steps, [strided, whole.flip(1), empty])
    with pytest.raises(ValueError, match="another type or size"):
        steps.run([normal.float(), whole, empty], ROWS)
    with pytest.raises(ValueError, match="another type or size"):
        steps.run([normal[:2], whole, empty], ROWS)


def test_steps_stop_at_the_first_result_that_is_not_finite() -> None:
    steps = compiled(lambda a, row: (a - 1, a.log()), {"a": torch.tensor(1.5).double()})
    found = steps.run((), ROWS)
    assert found.isfinite().tolist() == [True, True, False]
    assert float(steps.state["a"]) == -1.5


def test_errors_of_torch_are_raised_and_stop_the_steps() -> None:
    steps = compiled(lambda a, row: (a * 0, torch.linalg.inv(a).sum()), {"a": SQUARE})
    with pytest.raises(torch.linalg.LinAlgError, match="singular"):
        steps.run((), ROWS)
    assert not steps.state["a"].any()  # the first step was made
    steps.state["a"].copy_(SQUARE)
    assert steps.run((), ROWS[:1]).isfinite().all()


@pytest.mark.parametrize(
    "step",
    [
        lambda a, place, row: (a + a[place], row[0]),
        lambda a, place, row: (a.index_put((place,), a[:1]), row[0]),
        lambda a, place, row: (a.index_add(0, place, a[:1]), row[0]),
        lambda a, place, row: (a + a.gather(0, place[:, None]), row[0]),
        lambda a, place, row: (a + a.index_select(0, place), row[0]),
    ],
)
def test_places_outside_of_a_tensor_are_met(step: Callable[..., tuple[Tensor, Tensor]]) -> None:
    place = torch.tensor([[1], [0], [1]])
    steps = compiled(step, {"a": SQUARE}, [place[0]])
    _agrees(steps, [place])
    for outside in (2, 10**12, -3):
        with pytest.raises(IndexError, match="outside"):
            steps.run([torch.full((3, 1), outside)], ROWS)


def test_a_problem_is_of_the_call_that_met_it() -> None:
    """Two runners of one library take turns, as each waits for torch: one has a wrong place."""

    def step(a: Tensor, place: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        return a + 0 * torch.linalg.inv(a) + 0 * a[place], row[0]

    many = ROWS[:1].expand(100, 2).contiguous()
    right, wrong = (torch.full((len(many), 1), place) for place in (0, 7))
    one, other = (compiled(step, {"a": SQUARE}, [right[0]]) for _ in "ab")

    def refused(_: object) -> bool:
        try:
            other.run([wrong], many)
        except IndexError:
            return True
        return False

    with ThreadPoolExecutor(1) as pool:
        outcomes = pool.map(refused, range(500))
        for _ in range(20):
            assert one.run([right], many).isfinite().all()
        assert all(outcomes)


def test_division_of_whole_numbers_by_zero_is_met() -> None:
    state = {"a": torch.tensor([-7, 7, -(2**63)])}
    steps = compiled(lambda a, n, row: (a % n, row[0]), state, [torch.tensor(3)])
    _agrees(steps, [torch.tensor([3, -1, 2])])
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        steps.run([torch.tensor([3, 0, 2])], ROWS)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.complex64])
def test_types_without_native_numbers_are_refused(dtype: torch.dtype) -> None:
    with pytest.raises(NativeUnavailable, match=f"no numbers of type {dtype}"):
        compiled(lambda a, row: (a + 1, row[0]), {"a": torch.ones(2, dtype=dtype)})
    with pytest.raises(NativeUnavailable, match=f"no numbers of type {dtype}"):
        compiled(lambda a, row: (a + a.to(dtype).real.float(), row[0]), {"a": torch.ones(2)})


def test_state_that_changes_its_type_is_refused() -> None:
    with pytest.raises(NativeUnavailable, match="changes its shape or type"):
        compiled(lambda a, row: (a.double(), row[0]), {"a": torch.ones(2)})


def test_a_matrix_without_a_cholesky_factor_gives_nan() -> None:
    start = torch.eye(2, dtype=torch.float64) * 4
    less = torch.ones(2, 2).double() + torch.eye(2)

    def step(a: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        return a - less, torch.linalg.cholesky(a).sum()

    assert compiled(step, {"a": start}).run((), ROWS).isfinite().tolist() == [True, True, False]
    large = torch.eye(64, dtype=torch.float64) * 3  # LAPACK's
    steps = compiled(lambda a, row: (a - 2, torch.linalg.cholesky(a)[0, 0]), {"a": large})
    assert steps.run((), ROWS).isfinite().tolist() == [True, False, False]


def test_random_operations_are_not_taken_for_one() -> None:
    given = torch.fx.Graph()
    a = given.placeholder("a")
    given.placeholder("row")
    twice = [given.call_function(torch.ops.aten.rand_like.default, (a,)) for _ in range(2)]
    number = given.call_function(torch.ops.aten.sum.default, (a,))
    given.output((given.call_function(torch.ops.aten.sub.Tensor, tuple(twice)), number))
    state = {"a": torch.ones(200)}
    lowering = Lowering(torch.fx.GraphModule({}, given), [state["a"], ROW], ["state", "row"])
    PendingNative(lowering, state, "test").runner().run(state, (), ROW[None])
    assert state["a"].any()
