"""Every operation that has native code, beside torch: types, layouts, special values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from native_harness import compiled, distance
from torch import Tensor

from autoguide_core.engine.native.operations import ELEMENTWISE, REDUCTIONS

Operation = Callable[..., Tensor]
NAN, INF = float("nan"), float("inf")
FLOATS, WHOLE = (torch.float32, torch.float64), (torch.int64, torch.int32, torch.uint8)
AT = torch.tensor([2, 0, -1, 3])
SQUARE_AT = torch.tensor([[0, 1], [3, -2]])
MASK = torch.tensor([True, False, True, True])


def special(dtype: torch.dtype) -> Tensor:
    """Numbers of a type, the odd ones first of all; without -0, the sign of which is not kept."""
    if dtype == torch.bool:
        return torch.tensor([True, False])
    if not dtype.is_floating_point:
        small = [0, 1, 2, 3, 5, 7, 10, 100]
        numbers = torch.tensor(small if dtype == torch.uint8 else [*small, *(-n for n in small)])
        limits = torch.iinfo(dtype)
        return torch.cat([numbers.to(dtype), torch.tensor([limits.min, limits.max], dtype=dtype)])
    limits = torch.finfo(dtype)
    odd = [NAN, INF, -INF, 0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 1.5, 2.5, -2.5, 1e-5, -1e-5, 1e-10]
    far = [10.0, 20.5, -20.5, 88.0, -88.0, 120.0, -120.0, 1000.0, -1000.0, 1e6, limits.tiny]
    usual = torch.linspace(-3.3, 3.3, 60, dtype=torch.float64)
    return torch.cat([torch.tensor([*odd, *far], dtype=torch.float64), usual]).to(dtype)


def usual(dtype: torch.dtype, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(shape, generator=generator, dtype=torch.float64) * 2.0
    return numbers > 0.5 if dtype == torch.bool else numbers.to(dtype)


def agree(
    operations: Mapping[str, Operation], inputs: Sequence[Tensor], *, sums: bool = False
) -> int:
    """Compare all operations that torch has for these inputs; return their number.

    Terms of ``sums`` may cancel, so that the error is relative to the greatest of them.
    """
    expected: dict[str, Tensor] = {}
    for name, operation in operations.items():
        try:
            expected[name] = operation(*inputs)
        except (RuntimeError, TypeError, IndexError):  # not for this type, or this shape
            continue

    def step(*values: Tensor) -> tuple[Tensor, ...]:
        given, row = values[len(expected) : -1], values[-1]
        return (*(operations[name](*given) for name in expected), row[0])

    zeros = {f"o{n}": torch.zeros(v.shape, dtype=v.dtype) for n, v in enumerate(expected.values())}
    steps = compiled(step, zeros, inputs)
    assert steps.run([value[None] for value in inputs]).isfinite().all()
    wrong = {}
    for found, (name, value) in zip(steps.state.values(), expected.items(), strict=True):
        if (apart := distance(found, value, of_all=sums)) > 8.0:
            wrong[name] = (apart, found, value)
    assert not wrong, wrong.keys()
    return len(expected)


UNARY = {
    **{n: getattr(torch, n) for n in ELEMENTWISE if "." not in n and hasattr(torch, n)},
    **{f"to {t}": lambda x, t=t: x.nan_to_num(0.0).clamp(0, 9).to(t) for t in (*FLOATS, *WHOLE)},
    "to bool": lambda x: x.to(torch.bool),
    "clamp from": lambda x: x.clamp(min=-1),
    "clamp to": lambda x: x.clamp(max=1.5),
    "clamp both": lambda x: x.clamp(-1, 2.5),
    "softplus": torch.nn.functional.softplus,
    "xlogy": lambda x: torch.xlogy(x, x),
    "rounded": lambda x: torch.round(x, decimals=1),
    "gelu": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    "folded": lambda x: x * (torch.full_like(x, 0.3) * 0.1 + 1 / 3),
    "numbers of a type": lambda x: torch.full_like(x, 5.7) + x,
}  # fmt: skip


@pytest.mark.parametrize("dtype", [*FLOATS, *WHOLE, torch.bool])
def test_elementwise_operations_of_one_tensor(dtype: torch.dtype) -> None:
    assert agree(UNARY, [special(dtype)]) >= 25


def divisor(y: Tensor) -> Tensor:
    """Where torch is right: its remainders by tiny numbers are NaN, and whole ones by 0 errors."""
    return torch.where(y.abs() < 1e-3, 3, y)


PAIRS: dict[str, Operation] = {
    **{name: getattr(torch, name) for name in ("add", "sub", "mul", "div", "maximum", "minimum")},
    **{name: getattr(torch, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{name: getattr(torch, name) for name in ("atan2", "rsub")},
    **{name: getattr(torch, f"logical_{name}") for name in ("and", "or", "xor")},
    **{name: getattr(torch, f"bitwise_{name}") for name in ("and", "or", "xor")},
    "pow": lambda x, y: torch.pow(x, y if y.is_floating_point() else y.clamp(-3, 3)),
    "fmod": lambda x, y: torch.fmod(x.clamp(-500, 500), divisor(y)),
    "remainder": lambda x, y: torch.remainder(x.clamp(-500, 500), divisor(y)),
    "add scaled": lambda x, y: torch.add(x, y, alpha=2),
    "sub scaled": lambda x, y: torch.sub(x, y, alpha=3),
    "rsub scaled": lambda x, y: torch.rsub(x.clamp(-99, 99), y.clamp(-99, 99), alpha=2),
    **{
        f"division, {mode}": lambda x, y, mode=mode: torch.div(
            x.clamp(-500, 500), divisor(y), rounding_mode=mode
        )
        for mode in ("floor", "trunc")
    },
    "where": lambda x, y: torch.where(x > y, x, y),
    "where a number": lambda x, y: torch.where(x > y, 1.5, y),
    "where nonzero": lambda x, y: torch.where(x.bool(), y, 3),
    "clamp": lambda x, y: torch.clamp(x, y, y + 1),
    "clamp from": lambda x, y: torch.clamp(x, min=y),
    "clamp to": lambda x, y: torch.clamp(x, max=y),
    "compared with a number": lambda x, y: (x < 0.1) | (y >= 2),
    "with a 0-d tensor": lambda x, y: (x + y[0, 1]) * (x[2, 0] < y),
}  # fmt: skip


@pytest.mark.parametrize(
    ("left", "right"),
    [
        *((dtype, dtype) for dtype in (*FLOATS, *WHOLE, torch.bool)),
        (torch.float32, torch.float64),
        (torch.int64, torch.float32),
        (torch.float32, torch.bool),
        (torch.int32, torch.int64),
        (torch.uint8, torch.bool),
    ],
)
def test_elementwise_operations_of_two_tensors(left: torch.dtype, right: torch.dtype) -> None:
    x, y = special(left)[:40, None], special(right)[None, :40]
    rows, columns = x.expand(len(x), y.shape[1]), y.expand(len(x), y.shape[1])
    assert agree(PAIRS, [rows.contiguous(), columns.contiguous()]) >= 14


def test_numbers_of_python() -> None:
    operations: dict[str, Operation] = {}
    for n in (0, 1, 2, -1, 0.5, -0.5, 0.1, 1e30, INF, NAN, True, 2**40):
        operations |= {
            f"x + {n}": lambda x, n=n: x + n,
            f"x * {n}": lambda x, n=n: x * n,
            f"{n} - x": lambda x, n=n: n - x,
            f"{n} / x": lambda x, n=n: n / (x.abs() + 1),
            f"x / {n}": lambda x, n=n: x / n,
            f"x < {n}": lambda x, n=n: x < n,
            f"x == {n}": lambda x, n=n: x == n,
            f"{n} ** x": lambda x, n=n: n ** x.clamp(0, 2),
            f"x ** {n}": lambda x, n=n: x.abs().clamp(1, 9) ** n,
            f"scaled {n}": lambda x, n=n: torch.add(x, n, alpha=2),
            f"where {n}": lambda x, n=n: torch.where(x > 0, x, n),
        }  # fmt: skip
    for dtype in (torch.float32, torch.float64, torch.int64):
        assert agree(operations, [usual(dtype, 17)]) > 100


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "dense": lambda x: x,
    "transposed": lambda x: x.transpose(0, 2)[:4],
    "stepped": lambda x: x[1:, ::2, 1:],
    "expanded": lambda x: x[:1].expand(4, 5, 6),
    "computed": lambda x: x * 2 + 1,
    "one": lambda x: x[:1, :1, :1],
    "none": lambda x: x[:, :0],
    "a number": lambda x: torch.full_like(x, 3),
}


def _reductions() -> dict[str, Operation]:
    operations: dict[str, Operation] = {
        "prod": lambda x: x.prod(1),
        "greatest": lambda x: x.max(),
        "least": lambda x: x.min(),
        "places": lambda x: x.argmax(1),
        "pairs": lambda x: x.min(-1)[0],
        "places of pairs": lambda x: x.max(0)[1],
        "cumsum": lambda x: x.cumsum(-1),
        "cumprod": lambda x: x.cumprod(0),
        "double": lambda x: x.sum((0, 2), dtype=torch.float64),
        "var": lambda x: x.var(0),
        "no dims": lambda x: torch.any(x, []),
        "0-d": lambda x: x[0, 0, 0].sum(-1) + x[0, 0, 0].amax(0, keepdim=True),
        "twice": lambda x: x.sum(0).sum(0).amax(0),
        "and back": lambda x: (x - x.amax(0, keepdim=True)).sum((0, 1)),
    }
    for name in sorted({name.partition(".")[0] for name in REDUCTIONS} - {"prod", "max", "min"}):
        function = getattr(torch, name)
        for dims, kept in (((0, 2), False), (0, True), (-1, False), ((0, 1, 2), False)):
            operations[f"{name} {dims}"] = lambda x, f=function, d=dims, k=kept: f(x, d, keepdim=k)
    return operations


@pytest.mark.filterwarnings("ignore:var")
@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.bool])
def test_reductions(dtype: torch.dtype) -> None:
    operations = {
        f"{name}, {layout}": lambda x, f=f, v=v: f(v(x))
        for name, f in _reductions().items()
        for layout, v in LAYOUTS.items()
        if layout not in ("dense", "computed")
    }
    x = usual(dtype, 4, 5, 6)
    assert agree(operations, [x], sums=True) > 100


@pytest.mark.parametrize("dtype", FLOATS)
def test_reductions_keep_what_is_not_finite(dtype: torch.dtype) -> None:
    x = usual(dtype, 5, 3, 203)
    x[1, 1, 7], x[2, 0, 100], x[2, 1, 9], x[3, 2, 0], x[3, 2, 202] = NAN, INF, -INF, INF, -INF
    assert agree(_reductions(), [x], sums=True) > 25


PLACED: dict[str, Operation] = {
    "diagonal": lambda x: x.diagonal(-1, 1, 2),
    "diagonal matrices": lambda x: torch.diag_embed(x[0], 1),
    "lower": lambda x: x.tril(-1),
    "windows": lambda x: x.unfold(1, 2, 1),
    "split": lambda x: x.split(2, -1)[1] * x.unbind(1)[0][..., :1].unsqueeze(-1),
    "reshaped": lambda x: x.permute(1, 0, 2).reshape(x.shape[1], -1),
    "turned": lambda x: x.flip((0, 2)) - x.roll((1, -2), (0, 2)),
    "repeated": lambda x: x.repeat_interleave(2, 1),
    "side by side": lambda x: torch.cat([x + 1, x[:, :0], x, x, torch.ones_like(x)], 1),
    "of two types": lambda x: torch.cat([x, x > 0]),
    "stacked": lambda x: torch.stack([x, x * 2, x], 1),
    "padded": lambda x: torch.nn.functional.pad(x, (1, -2, 0, 1), value=7),
    "rows": lambda x: x[AT],
    "inner": lambda x: x[:, SQUARE_AT],
    "both": lambda x: x[SQUARE_AT, AT[:2]],
    "with a gap": lambda x: x[AT, :, AT],
    "masked": lambda x: x[:4][MASK[: len(x[:4])]],
    "one place": lambda x: x[:, torch.tensor([1]), AT[:1]],
    "no place": lambda x: x[AT[:0]],
    "small numbers": lambda x: x[AT.int()],
    "selected": lambda x: x.index_select(-1, AT % 3),
    "gathered": lambda x: x.gather(-2, (SQUARE_AT % 3)[..., None]),
    "scattered": lambda x: x.scatter(-1, torch.tensor([[[0, 2], [1, 2]]]), x[:1, :2, :2] + 1),
    "scattered number": lambda x: x.scatter(1, torch.tensor([[[0, 2], [1, 2]]]), 5),
    "scattered sums": lambda x: x.scatter_add(-3, torch.tensor([[[0, 2]] * 2, [[1, 0]] * 2]), x),
    "scattered maxima": lambda x: x.scatter_reduce(0, torch.tensor([[[0], [2]]]), x, "amax"),
    "added at": lambda x: x.index_add(1, torch.tensor([0, 2, 2]), x[:, :3], alpha=2),
    "put": lambda x: x.index_put((AT,), x[:1]),
    "put sums": lambda x: x.index_put((AT, AT % 2), x[0, 0, :1], accumulate=True),
    "put sums at one": lambda x: x.index_put((AT[:1],), x[:1], accumulate=True),
    "put with a gap": lambda x: x.index_put((AT, None, AT), x[0, 0, 0]),
    "slices": lambda x: x.slice_scatter(x[:, :2] * 3, 1, 0, 3, 2),
    "selections": lambda x: x.select_scatter(x[:, 0] * 2, 1, -1),
    "diagonals": lambda x: x.diagonal_scatter(x.diagonal(0, 1, 2) * 2, 0, 1, 2),
    "memory": lambda x: (x * 1).contiguous().as_strided((2, 3), (3, 1), 1),
    "lookup": lambda x: torch.nn.functional.embedding(SQUARE_AT % 3, x[0]),
}  # fmt: skip


def changed_in_place(x: Tensor) -> Tensor:
    y = x.clone()
    y[0] = 5
    y[:, 1] += y[:, 2]
    y[AT % 3, AT % 2] *= 2
    y[1:, :, 1:3] = y[:-1, :, :2].clone()
    y[y > 3] = 0
    z = torch.zeros_like(x)
    z[..., 0] = y[..., 1]
    z[1] = y[0] + z[1]
    return y + z


@pytest.mark.parametrize("dtype", [torch.float32])
def test_views_and_places(dtype: torch.dtype) -> None:
    operations = {
        f"{name}, {layout}": lambda x, f=f, v=LAYOUTS[layout]: f(v(x))
        for name, f in {**PLACED, "in place": changed_in_place}.items()
        for layout in ("transposed", "expanded", "computed", "a number")
    }
    assert agree(operations, [usual(dtype, 4, 5, 6)]) > 120


PRODUCTS: dict[str, Operation] = {
    "matrices": lambda x: x[0] @ x[1].t(),
    "batches": lambda x: x.transpose(1, 2) @ x,
    "matrix and vector": lambda x: x[0] @ x[1, 0] + x[0].t()[:5] @ x[0, 0],
    "vector and matrix": lambda x: x[0, :, 1] @ x[1],
    "vectors": lambda x: x[0, :, 0] @ x[0, :, 1],
    "expanded": lambda x: x[:1].expand(3, -1, -1) @ x[1].t().expand(3, -1, -1),
    "with ones": lambda x: x[0] @ torch.ones(x.shape[2], 3, dtype=x.dtype),
    "over nothing": lambda x: x[0, :, :0] @ x[0, :0],
    "all": lambda x: torch.einsum("bij,bkj->ik", x, x),
    "sums": lambda x: torch.tensordot(x, x, ([0, 1], [0, 1])),
    **{
        f"{beta} of one and {alpha} of the other": lambda x, b=beta, a=alpha: (
            torch.addmm(x[0, 0, 0], x[0], x[1].t(), beta=b, alpha=a)
            + torch.addmv(x[0, :, 0], x[0], x[1, 0], beta=b, alpha=a)
            + torch.baddbmm(x[:, :1, :1], x, x.transpose(1, 2), beta=b, alpha=a)
        )
        for beta, alpha in ((1, 1), (2, 1), (1, 3), (0, 2), (0.5, 0), (0, 0))
    },
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(3, 1, 9), (2, 40, 50)])
def test_products(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    operations = {
        f"{name}, {layout}": lambda x, f=f, v=LAYOUTS[layout]: f(v(x))
        for name, f in PRODUCTS.items()
        for layout in ("dense", "a number")
    }
    assert agree(operations, [usual(dtype, *shape)], sums=True) > 25


def test_nothing_is_left_of_what_is_multiplied_by_nought() -> None:
    def step(a: Any, row: Tensor) -> tuple[Tensor, Tensor]:
        return torch.addmm(a * NAN, a, a, beta=0), row[0]

    steps = compiled(step, {"a": torch.eye(2)})
    steps.run()
    assert torch.equal(steps.state["a"], torch.eye(2))
