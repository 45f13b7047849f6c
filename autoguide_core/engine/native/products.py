"""Matrix products, and running sums and products, as C++."""

from __future__ import annotations

from collections.abc import Iterator

from autoguide_core.engine.native.memory import Memory
from autoguide_core.engine.native.operations import C_TYPES
from autoguide_core.engine.native.program import Product, Ref, Scan, dense_strides

_LOOP = "for (int64_t {0} = 0; {0} < {1}; ++{0})"


def product_source(product: Product, memory: Memory) -> Iterator[str]:
    """A batch of matrix products, with the loop innermost that walks through memory in order."""
    batch, rows, columns, inner = product.sizes
    kind = C_TYPES[product.target.dtype]
    yield f"{kind}* __restrict const out = {memory.pointer(product.target)};"
    yield f"const {kind}* __restrict const left = {_base(product.left, memory)};"
    yield f"const {kind}* __restrict const right = {_base(product.right, memory)};"
    a = _address("left", product.left, "bmk")
    b = _address("right", product.right, "bkn")
    c = f"out[(b * {rows} + m) * {columns} + n]"
    yield _LOOP.format("b", batch) + " {"
    if _sums_in_order(product):
        yield "  " + _LOOP.format("m", rows)
        yield "  " + _LOOP.format("n", columns) + " {"
        yield f"    {kind} sum = 0;"
        yield "    #pragma omp simd reduction(+:sum)"
        yield f"    {_LOOP.format('k', inner)} sum += {a} * {b};"
        yield f"    {c} = sum;"
        yield "  }"
    elif columns == 1:
        yield f"  {_LOOP.format('m', rows)} out[b * {rows} + m] = 0;"
        yield "  " + _LOOP.format("k", inner) + " {"
        yield f"    const int64_t n = 0; const {kind} factor = {b};"
        yield "    #pragma omp simd"
        yield f"    {_LOOP.format('m', rows)} {c} += {a} * factor;"
        yield "  }"
    else:
        yield "  " + _LOOP.format("m", rows) + " {"
        yield f"    {_LOOP.format('n', columns)} {c} = 0;"
        yield "    " + _LOOP.format("k", inner) + " {"
        yield f"      const {kind} factor = {a};"
        yield "      #pragma omp simd"
        yield f"      {_LOOP.format('n', columns)} {c} += factor * {b};"
        yield "    }"
        yield "  }"
    yield "}"


def scan_source(scan: Scan, memory: Memory) -> Iterator[str]:
    """A running sum or product along one dimension."""
    kind = C_TYPES[scan.target.dtype]
    shape, dense = scan.source.shape, dense_strides(scan.source.shape)
    yield f"{kind}* __restrict const out = {memory.pointer(scan.target)};"
    yield f"const {kind}* __restrict const source = {_base(scan.source, memory)};"
    outer = [d for d in range(len(shape)) if d != scan.dim]
    for d in outer:
        yield _LOOP.format(f"i{d}", shape[d])
    yield "{"
    yield f"  {kind} value = {0 if scan.sign == '+' else 1};"
    yield "  " + _LOOP.format(f"i{scan.dim}", shape[scan.dim]) + " {"
    at = " + ".join(f"i{d} * {s}" for d, s in enumerate(scan.source.strides))
    to = " + ".join(f"i{d} * {s}" for d, s in enumerate(dense))
    yield f"    value {scan.sign}= source[{at}];"
    yield f"    out[{to}] = value;"
    yield "  }"
    yield "}"


def _sums_in_order(product: Product) -> bool:
    """Whether a dot product per element walks through both operands in order."""
    _, rows, columns, inner = product.sizes
    left = product.left.strides[2] == 1 or (rows == 1 and columns == 1)
    right = product.right.strides[1] == 1 or inner == 1
    return left and right


def _base(ref: Ref, memory: Memory) -> str:
    assert ref.storage is not None
    return f"{memory.pointer(ref.storage)} + {ref.offset}"


def _address(name: str, ref: Ref, letters: str) -> str:
    return f"{name}[{' + '.join(f'{i} * {s}' for i, s in zip(letters, ref.strides, strict=True))}]"
