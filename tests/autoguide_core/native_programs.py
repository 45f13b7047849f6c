"""Random programs of tensors, for comparing native code with torch.

`disagreement(seed)` makes one, compiles it and compares; the tests and `make fuzz` call it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import torch
from native_harness import compiled
from torch import Tensor

SIZES = (1, 2, 3, 5, 6)
ROWS = (1200, 4099, 9001, 20011)
"""Numbers of rows of large programs, the kernels of which are grouped from half a megabyte on."""

BOUNDS = {torch.float64: 1e-9, torch.float32: 2e-3}
Operation = Callable[[list[Tensor]], Tensor]

_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    **{name: getattr(torch, name) for name in ("sin", "cos", "tanh", "sigmoid", "atan", "erf")},
    **{name: getattr(torch, name) for name in ("abs", "neg", "square", "sign", "floor")},
    "exp": lambda x: torch.exp(x.clamp(-3.0, 2.0)),
    "log": lambda x: torch.log(x.abs() + 0.5),
    "sqrt": lambda x: (x * x + 0.25).sqrt(),
    "softplus": torch.nn.functional.softplus,
    "lgamma": lambda x: torch.lgamma(x.abs() + 0.5),
    "relu": torch.relu,
    "clamp": lambda x: x.clamp(min=-0.75),
    "scaled": lambda x: 0.5 * x + 0.125,
    "whole": lambda x: x.long().clamp(-9, 9).to(x.dtype),
    "positive": lambda x: (x > 0).to(x.dtype),
    "logsumexp": lambda x: x.logsumexp(-1, keepdim=True),
    "softmax": lambda x: x.softmax(-1),
    "standardised": lambda x: (x - x.mean()) / (x.abs().sum() + 1.0),
}
_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    **{name: getattr(torch, name) for name in ("add", "sub", "mul", "maximum", "minimum")},
    "div": lambda x, y: x / (y.abs() + 0.5),
    "atan2": lambda x, y: torch.atan2(x, y.abs() + 0.5),
    "where": lambda x, y: torch.where(x > y, x, y * 0.5),
    "where of equal": lambda x, y: torch.where((x <= y) & (y != 0), 1.5, x),
    "alpha": lambda x, y: torch.sub(x, y, alpha=0.25),
}
_REDUCTIONS: dict[str, Callable[..., Tensor]] = {
    **{name: getattr(torch, name) for name in ("sum", "mean", "amax", "amin")},
    "any": lambda x, dim, keepdim: torch.any(x > 0.5, dim, keepdim=keepdim).to(x.dtype),
    "all": lambda x, dim, keepdim: torch.all(x > -2.0, dim, keepdim=keepdim).to(x.dtype),
    "squares": lambda x, dim, keepdim: (x * x).sum(dim, keepdim=keepdim),
}


class Program:
    """A random function of tensors.

    Args:
        seed: What decides on the operations.
        length: Their number.
        inputs: Tensors that the function will get, for their shapes.
        most: Numbers that a value may have.
    """

    def __init__(self, seed: int, length: int, inputs: Sequence[Tensor], most: int = 400) -> None:
        self._random, self._most = random.Random(seed), most
        self._operations: list[Operation] = []
        self.text: list[str] = []
        values = list(inputs)
        while len(self._operations) < length:
            try:
                text, operation = self._any(values)
                value = operation(values)
            except (RuntimeError, IndexError):  # shapes that do not fit
                continue
            if not 0 < value.numel() <= most or value.dim() > 4:
                continue
            values.append(value)
            self.text.append(f"{len(values) - 1}: {text} -> {tuple(value.shape)}")
            self._operations.append(operation)

    def __call__(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """All values that the function computes on its way."""
        values = list(inputs)
        for operation in self._operations:
            values.append(operation(values))
        return values[len(inputs) :]

    def _any(self, values: list[Tensor]) -> tuple[str, Operation]:
        pick = self._random
        # New values more often than old ones, so that chains are long.
        i, j = (max(pick.randrange(len(values)) for _ in range(2)) for _ in "ab")
        kind = pick.choice((self._unary, self._binary, self._binary, self._reduced, self._viewed))
        kind = pick.choice((kind, kind, kind, self._placed, self._multiplied))
        return kind(i, j, values)

    def _unary(self, i: int, j: int, values: list[Tensor]) -> tuple[str, Operation]:
        name = self._random.choice(list(_UNARY))
        return f"{name}({i})", lambda v: _UNARY[name](v[i])

    def _binary(self, i: int, j: int, values: list[Tensor]) -> tuple[str, Operation]:
        name = self._random.choice(list(_BINARY))
        if math.prod(torch.broadcast_shapes(values[i].shape, values[j].shape)) > self._most:
            raise RuntimeError("too large")
        return f"{name}({i}, {j})", lambda v: _BINARY[name](v[i], v[j])

    def _reduced(self, i: int, j: int, values: list[Tensor]) -> tuple[str, Operation]:
        name, rank = self._random.choice(list(_REDUCTIONS)), values[i].dim()
        count = self._random.randint(min(rank, 1), rank)
        dims = [d - self._random.choice((0, rank)) for d in self._random.sample(range(rank), count)]
        kept = self._random.random() < 0.5
        if not dims:
            return f"sum({i})", lambda v: v[i].sum()
        text = f"{name}({i}, {dims}, {kept})"
        return text, lambda v: _REDUCTIONS[name](v[i], dims, keepdim=kept)

    def _viewed(self, i: int, j: int, values: list[Tensor]) -> tuple[str, Operation]:
        pick, rank = self._random, values[i].dim()
        order = pick.sample(range(rank), rank)
        dim, size = (pick.randrange(rank), pick.choice(SIZES)) if rank else (0, 1)
        views: dict[str, Callable[[Tensor], Tensor]] = {
            f"permute {order}": lambda x: x.permute(order),
            f"slice {dim}": lambda x: x.transpose(0, dim)[::2].transpose(0, dim),
            f"from {dim}": lambda x: x.narrow(dim, 1, x.shape[dim] - 1),
            f"select {dim}": lambda x: x.select(dim, -1),
            f"unsqueeze {dim}": lambda x: x.unsqueeze(dim),
            f"expand {size}": lambda x: x.expand(size, *x.shape),
            "flatten": lambda x: x.reshape(-1),
            f"reshape {size}": lambda x: x.reshape(size, -1),
            f"flip {dim}": lambda x: x.flip(dim),
            f"roll {dim}": lambda x: x.roll(1, dim),
            "diagonal": lambda x: x.diagonal(0, -1, -2),
            f"pad {size}": lambda x: torch.nn.functional.pad(x, (1, size - 1), value=0.5),
            "tril": lambda x: x.tril(),
        }
        name = pick.choice(list(views))
        return f"{name} of {i}", lambda v: views[name](v[i])

    def _placed(self, i: int, j: int, values: list[Tensor]) -> tuple[str, Operation]:
        pick, shape = self._random, values[i].shape
        dim = pick.randrange(len(shape)) if shape else 0
        size = shape[dim] if shape else 1
        places = torch.tensor([pick.randrange(-size, size) for _ in range(pick.choice(SIZES))])
        counted = places % size
        changes: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
            "cat": lambda x, y: torch.cat([x, y, x], dim),
            "stack": lambda x, y: torch.stack([x, y], dim),
            "index": lambda x, y: x.transpose(0, dim)[places],
            "index rest": lambda x, y: x[(slice(None),) * dim + (places,)],
            "index both": lambda x, y: x[places, counted],
            "index_select": lambda x, y: x.index_select(dim, counted),
            "index_add": lambda x, y: x.index_add(dim, counted, x.index_select(dim, counted)),
            "add at": lambda x, y: x.index_put((places,), y, accumulate=True),
            "zeros but": lambda x, y: torch.zeros_like(x).index_add(dim, counted, x[:1]),
            "put": lambda x, y: x.index_put((places[:1],), y),
            "gather": lambda x, y: x.gather(dim, (y.abs() * 3).long() % size),
            "scatter_add": lambda x, y: x.scatter_add(dim, (y.abs() * 3).long() % size, y),
            "computed": lambda x, y: x[(y.abs() * 3).long().flatten() % x.size(0)],
            "slice": lambda x, y: x.slice_scatter(y, dim, 1, None, 2),
            "select": lambda x, y: x.select_scatter(y, dim, -1),
            "zeros but slice": lambda x, y: torch.zeros_like(x).slice_scatter(y, dim, 1),
            "cumsum": lambda x, y: x.cumsum(dim),
            "greatest": lambda x, y: x.max(dim)[0],
            "sorted": lambda x, y: torch.sort(x, dim)[0],
        }
        name = pick.choice(list(changes))
        where = f"{dim} {places.tolist()}"
        return f"{name} {where} of {i}, {j}", lambda v: changes[name](v[i], v[j])

    def _multiplied(self, i: int, j: int, values: list[Tensor]) -> tuple[str, Operation]:
        products: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
            "matmul": lambda x, y: 0.25 * self._product(x, y),
            "with itself": lambda x, y: 0.25 * self._product(x, x.transpose(-1, -2)),
            "transposed": lambda x, y: 0.25 * self._product(x.transpose(-1, -2), y),
            "addmm": lambda x, y: torch.addmm(x, x, y, beta=0.5, alpha=0.25),
            "outer": lambda x, y: self._product(x.flatten()[:, None], y.flatten()[None]),
            "dot": lambda x, y: 0.25 * (x.flatten() @ y.flatten()),
        }
        name = self._random.choice(list(products))
        return f"{name} of {i}, {j}", lambda v: products[name](v[i], v[j])

    def _product(self, x: Tensor, y: Tensor) -> Tensor:
        """A matrix product, unless it would be too large."""
        if x.dim() > 1 and y.dim() > 1:
            batch = torch.broadcast_shapes(x.shape[:-2], y.shape[:-2])
            if math.prod(batch) * x.size(-2) * y.size(-1) > self._most:
                raise RuntimeError("too large")
        return x @ y


def tensors(count: int, seed: int, dtype: torch.dtype, rows: int = 0) -> list[Tensor]:
    """Tensors of random shapes, of up to three dimensions; half of them in ``rows`` rows."""
    pick, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    shapes = [[pick.choice(SIZES) for _ in range(pick.randint(0, 3))] for _ in range(count)]
    if rows:
        shapes = [[rows, *s[:2]] if n % 2 == 0 else s for n, s in enumerate(shapes)]
    return [torch.randn(s, generator=generator, dtype=torch.float64).to(dtype) for s in shapes]


def disagreement(seed: int, *, length: int = 40, rows: int = 0, threads: int = 1) -> str:
    """Compile three steps of a random program, each from torch's state, and compare.

    Args:
        seed: What decides on all: operations, shapes, types, what is state and what is seen.
        length: Operations of the program.
        rows: How long tensors are in a large program; 0 for a small one.
        threads: For torch and for the compiled code.

    Returns:
        An empty text; or what differs, and the program.
    """
    dtype = torch.float64 if seed % 3 else torch.float32
    old, noise, constants = (tensors(2, 3 * seed + part, dtype, rows) for part in range(3))
    program = Program(seed, length, [*old, *noise, *constants], max(400, 20 * rows))
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
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        steps = compiled(step, state, noise)
        for factor in (1.0, 0.5, -1.0):
            block = [factor * drawn[None] for drawn in noise]
            expected, _ = steps.run_in_torch(block)
            steps.run(block)
            for name, value in expected.items():
                found = steps.state[name]
                bound = BOUNDS[dtype] * (1.0 + float(value.abs().max()))
                finite = torch.equal(found.isfinite(), value.isfinite())
                if not finite or not float((found - value).abs().max()) <= bound:
                    return "\n".join([f"{name} of", *program.text])
                found.copy_(value)
    finally:
        torch.set_num_threads(threads_before)
    return ""
