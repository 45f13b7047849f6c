"""Random programs of tensors, for comparing native code with torch."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

SIZES = (1, 2, 3, 5, 6)
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
    """

    def __init__(self, seed: int, length: int, inputs: Sequence[Tensor]) -> None:
        self._random = random.Random(seed)
        self._operations: list[Operation] = []
        self.text: list[str] = []
        values = list(inputs)
        while len(self._operations) < length:
            text, operation = self._any(values)
            try:
                value = operation(values)
            except (RuntimeError, IndexError):  # shapes that do not fit
                continue
            if not 0 < value.numel() <= 400 or value.dim() > 4:
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
            "matmul": lambda x, y: 0.25 * x @ y,
            "with itself": lambda x, y: 0.25 * x @ x.transpose(-1, -2),
            "transposed": lambda x, y: 0.25 * x.transpose(-1, -2) @ y,
            "addmm": lambda x, y: torch.addmm(x, x, y, beta=0.5, alpha=0.25),
            "outer": lambda x, y: torch.outer(x.flatten(), y.flatten()),
            "dot": lambda x, y: 0.25 * (x.flatten() @ y.flatten()),
        }
        name = self._random.choice(list(products))
        return f"{name} of {i}, {j}", lambda v: products[name](v[i], v[j])
