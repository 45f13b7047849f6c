"""Matrix products as C++.

Products large in all dimensions are torch's; these are the long and thin ones of regressions, and
the small ones, where a call would cost more than the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from autoguide_core.engine.native.memory import Places, element_at
from autoguide_core.engine.native.operations import C_TYPES
from autoguide_core.engine.native.program import Product, Ref

_LOOP = "for (int64_t {0} = 0; {0} < {1}; ++{0})"
_ROWS_AT_A_TIME = 4
_MOST_SUMS = 512
"""Sums that are kept on the stack, where the compiler can hold them in registers."""


def product_source(product: Product, memory: Places) -> Iterator[str]:
    """A batch of matrix products."""
    product = _upright(product)
    batch, rows, columns, inner = product.sizes
    kind = C_TYPES[product.target.dtype]
    yield from _operands(product, memory, kind)
    yield _LOOP.format("b", batch) + " {"
    yield f"{kind}* __restrict const out = target + b * {rows * columns};"
    if product.left.strides[2] == 1 or inner == 1:
        yield f"const int64_t begin = 0, end = {rows};"
        yield from _rows_times_matrix(product, kind)
    else:
        yield f"const int64_t begin = 0, end = {inner};"
        yield f"{_LOOP.format('i', rows * columns)} out[i] = 0;"
        yield from _sum_over_rows(product, kind)
    yield "}"


def member_source(product: Product, memory: Places, rows: int) -> Iterator[str]:
    """A matrix product as a member of a group: over the rows from ``begin`` to ``end``.

    Args:
        product: The product. Either the rows are those of its left matrix, or they are what is
            summed over; then it adds to sums that others have started.
        memory: Where storages lie.
        rows: The number of rows of the group.
    """
    kind = C_TYPES[product.target.dtype]
    yield from _operands(product, memory, kind)
    yield f"const int64_t b = 0; {kind}* __restrict const out = target;"
    if product.sizes[1] == rows:
        yield from _rows_times_matrix(product, kind)
    else:
        yield from _sum_over_rows(product, kind)


def _upright(product: Product) -> Product:
    """A row times a matrix as the transposed matrix times a column."""
    batch, rows, columns, inner = product.sizes
    if rows != 1 or columns == 1:
        return product
    return replace(
        product,
        left=_transposed(product.right),
        right=_transposed(product.left),
        sizes=(batch, columns, 1, inner),
    )


def _rows_times_matrix(product: Product, kind: str) -> Iterator[str]:
    """Each row of the left matrix, from ``begin`` to ``end``, times the right one."""
    _, _, columns, inner = product.sizes
    if columns == 1:
        yield from _dot_products(product, kind)
        return
    left, right = _addresses(product)
    place = f"out[m * {columns} + n]"
    yield "for (int64_t m = begin; m < end; ++m) {"
    yield f"  {_LOOP.format('n', columns)} {place} = 0;"
    yield "  " + _LOOP.format("k", inner) + " {"
    yield "    #pragma omp simd"
    yield f"    {_LOOP.format('n', columns)} {place} += {left} * {right};"
    yield "  }"
    yield "}"


def _dot_products(product: Product, kind: str) -> Iterator[str]:
    """Rows times a vector; some at a time, so that their sums need not wait for one another."""
    inner = product.sizes[3]
    sums = [f"sum{i}" for i in range(_ROWS_AT_A_TIME)]
    rows = [f"(m + {i})" for i in range(_ROWS_AT_A_TIME)]
    left, right = _addresses(product)
    terms = [element_at("left", product.left, ["b", row, "k"]) for row in rows]
    yield "const int64_t n = 0; int64_t m = begin;"
    yield f"for (; m + {_ROWS_AT_A_TIME} <= end; m += {_ROWS_AT_A_TIME}) {{"
    yield f"  {kind} {', '.join(f'{one} = 0' for one in sums)};"
    yield f"  #pragma omp simd reduction(+:{', '.join(sums)})"
    yield f"  {_LOOP.format('k', inner)} {{"
    yield f"    const {kind} factor = {right};"
    yield from (f"    {one} += {term} * factor;" for one, term in zip(sums, terms, strict=True))
    yield "  }"
    yield from (f"  out[{row}] = {one};" for one, row in zip(sums, rows, strict=True))
    yield "}"
    yield "for (; m < end; ++m) {"
    yield f"  {kind} sum = 0;"
    yield "  #pragma omp simd reduction(+:sum)"
    yield f"  {_LOOP.format('k', inner)} sum += {left} * {right};"
    yield "  out[m] = sum;"
    yield "}"


def _sum_over_rows(product: Product, kind: str) -> Iterator[str]:
    """The outer products of what stands in each row, from ``begin`` to ``end``, added up."""
    _, rows, columns, _ = product.sizes
    left, right = _addresses(product)
    size = rows * columns
    place = "sums" if size <= _MOST_SUMS else "out"
    if size <= _MOST_SUMS:
        yield f"{kind} sums[{size}] = {{}};"
    yield "for (int64_t k = begin; k < end; ++k) {"
    if columns == 1:
        yield f"  const int64_t n = 0; const {kind} factor = {right};"
        yield "  #pragma omp simd"
        yield f"  {_LOOP.format('m', rows)} {place}[m] += {left} * factor;"
    else:
        yield "  " + _LOOP.format("m", rows) + " {"
        yield f"    const {kind} factor = {left};"
        yield "    #pragma omp simd"
        yield f"    {_LOOP.format('n', columns)} {place}[m * {columns} + n] += factor * {right};"
        yield "  }"
    yield "}"
    if size <= _MOST_SUMS:
        yield f"{_LOOP.format('i', size)} out[i] += sums[i];"


def _operands(product: Product, memory: Places, kind: str) -> Iterator[str]:
    yield f"{kind}* const target = {memory.pointer(product.target)};"
    yield f"const {kind}* __restrict const left = {memory.base(product.left)};"
    yield f"const {kind}* __restrict const right = {memory.base(product.right)};"


def _addresses(product: Product) -> tuple[str, str]:
    return element_at("left", product.left, "bmk"), element_at("right", product.right, "bkn")


def _transposed(ref: Ref) -> Ref:
    batch, rows, columns = ref.shape
    b, m, n = ref.strides
    return replace(ref, shape=(batch, columns, rows), strides=(b, n, m))
