"""What runs along one dimension, as C++: running sums and products, and the greatest element."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autoguide_core.engine.native.memory import Memory
from autoguide_core.engine.native.operations import C_TYPES
from autoguide_core.engine.native.program import Extreme, Scan, dense_strides

_LOOP = "for (int64_t {0} = 0; {0} < {1}; ++{0})"


def scan_source(scan: Scan, memory: Memory) -> Iterator[str]:
    """A running sum or product along one dimension."""
    kind = C_TYPES[scan.target.dtype]
    shape, dense = scan.source.shape, dense_strides(scan.source.shape)
    yield f"{kind}* __restrict const out = {memory.pointer(scan.target)};"
    yield f"const auto* __restrict const source = {memory.base(scan.source)};"
    yield from _across(shape, scan.dim)
    wide = "double" if kind == "float" else kind  # as in torch
    yield f"  {wide} value = {0 if scan.sign == '+' else 1};"
    yield "  " + _LOOP.format(f"i{scan.dim}", shape[scan.dim]) + " {"
    at, to = _index(scan.source.strides), _index(dense)
    yield f"    value {scan.sign}= source[{at}];"
    yield f"    out[{to}] = {kind}(value);"
    yield "  }"
    yield "}"


def extreme_source(extreme: Extreme, memory: Memory) -> Iterator[str]:
    """The greatest (or least) element along one dimension and where it is: NaN goes before all."""
    kind = C_TYPES[extreme.values.dtype]
    shape, dim = extreme.source.shape, extreme.dim
    kept = dense_strides((*shape[:dim], 1, *shape[dim + 1 :]))
    to = _index((*kept[:dim], 0, *kept[dim + 1 :]))
    sign = {"max": ">", "min": "<"}[extreme.sign]
    yield f"auto* __restrict const values = {memory.pointer(extreme.values)};"
    yield f"auto* __restrict const indices = {memory.pointer(extreme.indices)};"
    yield f"const auto* __restrict const source = {memory.base(extreme.source)};"
    yield from _across(shape, dim)
    yield f"  {kind} best = 0; int64_t place = -1;"
    yield "  " + _LOOP.format(f"i{dim}", shape[dim]) + " {"
    yield f"    const {kind} x = source[{_index(extreme.source.strides)}];"
    yield f"    const bool better = place < 0 || x {sign} best || (x != x && best == best);"
    yield f"    if (better) best = x, place = i{dim};"
    yield "  }"
    yield f"  const int64_t i{dim} = 0;"
    yield f"  values[{to}] = best;"
    yield f"  indices[{to}] = place;"
    yield "}"


def _across(shape: Sequence[int], dim: int) -> Iterator[str]:
    """The loops over all dimensions but one."""
    for d, size in enumerate(shape):
        if d != dim:
            yield _LOOP.format(f"i{d}", size)
    yield "{"


def _index(strides: Sequence[int]) -> str:
    return " + ".join(f"i{d} * {s}" for d, s in enumerate(strides) if s) or "0"
