"""Cholesky factors of small matrices, and systems of equations with them, as C++.

Large ones are LAPACK's, by way of torch; for small ones the call would cost more than the work, in
a batch of them most of all.
"""

from __future__ import annotations

from collections.abc import Iterator

from autoguide_core.engine.native.memory import Memory, element_at
from autoguide_core.engine.native.operations import C_TYPES
from autoguide_core.engine.native.program import Cholesky, TriangularSolve

_LOOP = "for (int64_t {0} = {1}; {0} < {2}; ++{0})"


def cholesky_source(kernel: Cholesky, memory: Memory) -> Iterator[str]:
    """Lower factors, row by row; a matrix that is not positive definite gives NaN.

    Source: Golub and Van Loan, "Matrix Computations" (2013), algorithm 4.2.1.
    """
    batch, size, _ = kernel.source.shape
    kind = C_TYPES[kernel.target.dtype]
    yield f"{kind}* __restrict const target = {memory.pointer(kernel.target)};"
    yield f"const {kind}* __restrict const source = {memory.base(kernel.source)};"
    yield _LOOP.format("b", 0, batch) + " {"
    yield f"  {kind}* const out = target + b * {size * size};"
    yield "  " + _LOOP.format("i", 0, size) + " {"
    yield "    " + _LOOP.format("j", 0, "i + 1") + " {"
    yield f"      {kind} rest = {element_at('source', kernel.source, 'bij')};"
    yield f"      {_LOOP.format('k', 0, 'j')} rest -= out[i * {size} + k] * out[j * {size} + k];"
    yield f"      const {kind} root = rest > 0 ? m_sqrt(rest) : {kind}(NAN);"
    yield f"      out[i * {size} + j] = i == j ? root : rest / out[j * {size} + j];"
    yield "    }"
    yield f"    {_LOOP.format('j', 'i + 1', size)} out[i * {size} + j] = 0;"
    yield "  }"
    yield "}"


def solve_source(kernel: TriangularSolve, memory: Memory) -> Iterator[str]:
    """Forward substitution, or backward for upper triangles; all right sides at once."""
    batch, size, columns = kernel.right.shape
    kind = C_TYPES[kernel.target.dtype]
    yield f"{kind}* __restrict const target = {memory.pointer(kernel.target)};"
    yield f"const {kind}* __restrict const matrix = {memory.base(kernel.matrix)};"
    yield f"const {kind}* __restrict const right = {memory.base(kernel.right)};"
    yield _LOOP.format("b", 0, batch) + " {"
    yield f"  {kind}* const out = target + b * {size * columns};"
    yield "  " + _LOOP.format("step", 0, size) + " {"
    yield f"    const int64_t i = {f'{size - 1} - step' if kernel.upper else 'step'};"
    each = _LOOP.format("j", 0, columns)
    yield f"    {each} out[i * {columns} + j] = {element_at('right', kernel.right, 'bij')};"
    first, last = ("i + 1", str(size)) if kernel.upper else ("0", "i")
    yield "    " + _LOOP.format("k", first, last) + " {"
    yield f"      const {kind} factor = {element_at('matrix', kernel.matrix, 'bik')};"
    yield "      #pragma omp simd"
    yield f"      {each} out[i * {columns} + j] -= factor * out[k * {columns} + j];"
    yield "    }"
    if not kernel.unit:
        yield f"    const {kind} pivot = {element_at('matrix', kernel.matrix, 'bii')};"
        yield f"    {each} out[i * {columns} + j] /= pivot;"
    yield "  }"
    yield "}"
