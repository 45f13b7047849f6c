"""Operations in terms of simpler ones: the plain set that back ends have to know.

Torch has rules for all of them, in ``torch._decomp``; but the first use of one imports torch's
whole compiler, which takes longer than a short fit. So those that models use every day are here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch._decomp import core_aten_decompositions

from autoguide_core.engine.native.lowering import is_known

_aten = torch.ops.aten
Rule = Callable[..., Any]


@cache
def decompositions() -> dict[Any, Rule]:
    """The rules by operation; an operation that back ends know as such has none."""
    torchs = core_aten_decompositions().items()
    # What takes no tensor is a constant, and folded.
    needed = {op: rule for op, rule in torchs if _takes_tensors(op) and not is_known(op)}
    return {**needed, **_OWN}


def _takes_tensors(operation: Any) -> bool:
    return any("Tensor" in str(argument.type) for argument in operation._schema.arguments)


def _softplus(x: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    scaled = x if beta == 1 else x * beta
    return torch.where(scaled > threshold, x, scaled.exp().log1p() / beta)


def _softplus_backward(grad: Tensor, x: Tensor, beta: float, threshold: float) -> Tensor:
    scaled = x if beta == 1 else x * beta
    return torch.where(scaled > threshold, grad, grad * scaled.sigmoid())


def _log_sigmoid_forward(x: Tensor) -> tuple[Tensor, Tensor]:
    """The second result is a buffer of torch's own backward rule, which is not used here."""
    return torch.clamp_max(x, 0) - (-x.abs()).exp().log1p(), x.new_zeros(0)


def log_sigmoid_backward(grad: Tensor, x: Tensor, buffer: Tensor) -> Tensor:
    """The gradient of ``logsigmoid``, without torch's buffer."""
    return grad * (-x).sigmoid()


def _sigmoid_backward(grad: Tensor, y: Tensor) -> Tensor:
    return grad * (y * (1 - y))


def _tanh_backward(grad: Tensor, y: Tensor) -> Tensor:
    return grad * (1 - y * y)


def _threshold_backward(grad: Tensor, x: Tensor, threshold: float) -> Tensor:
    return torch.where(x <= threshold, torch.zeros_like(grad), grad)


def _logsumexp(x: Tensor, dim: Sequence[int], keepdim: bool = False) -> Tensor:
    dims = [dim] if isinstance(dim, int) else list(dim)
    top = x.amax(dims, keepdim=True)
    top = torch.where(top.abs() == torch.inf, torch.zeros_like(top), top)
    result = (x - top).exp().sum(dims, keepdim=True).log() + top
    return result if keepdim else result.squeeze(dims)


def _softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    weights = (x - x.amax([dim], keepdim=True)).exp()
    return weights / weights.sum([dim], keepdim=True)


def _softmax_backward(grad: Tensor, y: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    weighted = grad * y
    return weighted - y * weighted.sum([dim], keepdim=True)


def _log_softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    shifted = x - x.amax([dim], keepdim=True)
    return shifted - shifted.exp().sum([dim], keepdim=True).log()


def _log_softmax_backward(grad: Tensor, y: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    return grad - y.exp() * grad.sum([dim], keepdim=True)


def _xlogy(x: Tensor, y: Tensor) -> Tensor:
    product = torch.where(x == 0, torch.zeros_like(x), x * y.log())
    return torch.where(y.isnan(), torch.full_like(product, torch.nan), product)


def _tril(x: Tensor, diagonal: int = 0) -> Tensor:
    return torch.where(_below(x, diagonal), x, torch.zeros_like(x))


def _triu(x: Tensor, diagonal: int = 0) -> Tensor:
    return torch.where(_below(x, diagonal - 1), torch.zeros_like(x), x)


def _below(x: Tensor, diagonal: int) -> Tensor:
    """Where a matrix is on or below a diagonal."""
    rows = torch.arange(x.shape[-2], device=x.device)
    columns = torch.arange(x.shape[-1], device=x.device)
    return columns[None, :] - rows[:, None] <= diagonal


def _stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    place = dim % (tensors[0].dim() + 1)
    return torch.cat([tensor.unsqueeze(place) for tensor in tensors], place)


def _index_add(x: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    place: list[Tensor | None] = [None] * (dim % max(x.dim(), 1))
    scaled = source if alpha == 1 else source * alpha
    result: Tensor = _aten.index_put(x, [*place, index], scaled, True)
    return result


def _solve_triangular(
    matrix: Tensor, right: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Any:
    """``A X = B`` as ``X' A' = B'``: with many columns BLAS solves that twice as fast."""
    if not left or right.shape[-1] == 1:
        return NotImplemented
    solution: Tensor = _aten.linalg_solve_triangular(
        matrix.mT, right.mT, upper=not upper, left=False, unitriangular=unitriangular
    )
    return solution.mT


def _where_number_first(condition: Tensor, x: float, y: Tensor) -> Tensor:
    return torch.where(condition, torch.full((), x, dtype=_joined(x, y), device=y.device), y)


def _where_number_second(condition: Tensor, x: Tensor, y: float) -> Tensor:
    return torch.where(condition, x, torch.full((), y, dtype=_joined(y, x), device=x.device))


def _fill(x: Tensor, value: float) -> Tensor:
    return torch.full_like(x, value)


def _masked_fill(x: Tensor, mask: Tensor, value: float) -> Tensor:
    return torch.where(mask, torch.full((), value, dtype=x.dtype, device=x.device), x)


def _joined(number: float, tensor: Tensor) -> torch.dtype:
    return torch.result_type(tensor, number)


_OWN: dict[Any, Rule] = {
    _aten.softplus.default: _softplus,
    _aten.softplus_backward.default: _softplus_backward,
    _aten.log_sigmoid_forward.default: _log_sigmoid_forward,
    _aten.log_sigmoid_backward.default: log_sigmoid_backward,
    _aten.sigmoid_backward.default: _sigmoid_backward,
    _aten.tanh_backward.default: _tanh_backward,
    _aten.threshold_backward.default: _threshold_backward,
    _aten.logsumexp.default: _logsumexp,
    _aten._softmax.default: _softmax,
    _aten._softmax_backward_data.default: _softmax_backward,
    _aten._log_softmax.default: _log_softmax,
    _aten._log_softmax_backward_data.default: _log_softmax_backward,
    _aten.xlogy.Tensor: _xlogy,
    _aten.tril.default: _tril,
    _aten.triu.default: _triu,
    _aten.stack.default: _stack,
    _aten.index_add.default: _index_add,
    _aten.linalg_solve_triangular.default: _solve_triangular,
    _aten.where.ScalarSelf: _where_number_first,
    _aten.where.ScalarOther: _where_number_second,
    _aten.fill.Scalar: _fill,
    _aten.masked_fill.Scalar: _masked_fill,
}
