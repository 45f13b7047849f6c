"""The program as C++: a function per kernel, and one that runs them all, step after step."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from importlib import resources

from autoguide_core.engine.native.along import extreme_source, scan_source
from autoguide_core.engine.native.factorisations import cholesky_source, solve_source
from autoguide_core.engine.native.group_memory import GroupMemory
from autoguide_core.engine.native.loops import loops_source
from autoguide_core.engine.native.memory import Memory
from autoguide_core.engine.native.operations import MEMORY_TYPES
from autoguide_core.engine.native.products import member_source, product_source
from autoguide_core.engine.native.program import (
    Cholesky,
    Extreme,
    Foreign,
    Kernel,
    Loops,
    Product,
    Program,
    Ref,
    RowGroup,
    Scan,
    TriangularSolve,
    dense_strides,
)

_ENTRY = """
// Runs `count` steps. Returns how many were finished: fewer where a single result stopped being
// finite or a foreign operation failed; or a negative number, which tells the problem that was met.
extern "C" int64_t run(int64_t count, void* const* state, void* const* noise, const void* rows,
                       void* const* constants, char* scratch, double* results,
                       int32_t (*foreign)(int32_t), int32_t threads) {{
  int32_t problem = NO_PROBLEM;
  Frame f{{scratch, nullptr, threads, &problem, {given}}};
{fills}
  for (int64_t step = 0; step < count; ++step) {{
{calls}
    if (problem) return -problem;
{results}
{advances}
  }}
  return count;
}}
"""

_GROUP = """
static void kernel_{number}(const Frame& frame) {{
  alignas(64) static thread_local char own[{own_bytes}];
  {{
    const Frame& f = frame;
{starts}
  }}
  #pragma omp parallel num_threads(frame.threads) if (frame.threads > 1)
  {{
    Frame f = frame;
    f.own = own;
{own_starts}
    #pragma omp for schedule(static)
    for (int64_t begin = 0; begin < {rows}; begin += {block}) {{
      const int64_t end = begin + {block} < {rows} ? begin + {block} : {rows};
{calls}
    }}
    // One thread after the other, so that sums are the same from run to run.
    // The team may be smaller than was asked for.
    const int32_t team = omp_get_num_threads();
    #pragma omp for ordered schedule(static, 1)
    for (int32_t thread = 0; thread < team; ++thread) {{
      #pragma omp ordered
      {{
{merges}
      }}
    }}
  }}
}}"""


@functools.cache
def prelude() -> str:
    """What every source begins with."""
    return resources.files(__package__).joinpath("prelude.h").read_text(encoding="utf-8")


def program_source(program: Program, memory: Memory) -> str:
    """Write a program as C++.

    Args:
        program: The program.
        memory: Where its storages lie.

    Returns:
        A whole source file with one entry point, ``run``.
    """
    parts = [prelude(), memory.frame_source()]
    calls = []
    for number, kernel in enumerate(program.kernels):
        if isinstance(kernel, Foreign):
            calls.append(f"if (foreign({kernel.index})) return step;")
            continue
        if isinstance(kernel, RowGroup):
            parts += group_functions(number, kernel, memory)
            calls.append(f"kernel_{number}(f);")
            continue
        body = _indented(2, _kernel_lines(kernel, memory))
        parts.append(f"static void kernel_{number}(const Frame& f) {{\n{body}\n}}")
        calls.append(f"kernel_{number}(f);")
    parts.append(
        _ENTRY.format(
            given=memory.given_source(),
            fills=_indented(2, memory.fill_lines()),
            calls=_indented(4, calls),
            results=_indented(4, _result_lines(program, memory)),
            advances=_indented(4, memory.advance_lines()),
        )
    )
    return "\n\n".join(parts)


def group_functions(number: int, group: RowGroup, memory: Memory) -> Iterator[str]:
    """A function for each member of a group, and one that runs them block by block."""
    inside = GroupMemory(group, memory)
    for place, member in enumerate(group.members):
        lines = (
            loops_source(member, inside, group.rows)
            if isinstance(member, Loops)
            else member_source(member, inside, group.rows)
        )
        yield (
            f"static void member_{number}_{place}(const Frame& f, int64_t begin, int64_t end) {{"
            f"\n{_indented(2, lines)}\n}}"
        )
    calls = [f"member_{number}_{i}(f, begin, end);" for i in range(len(group.members))]
    yield _GROUP.format(
        number=number,
        rows=group.rows,
        block=group.block,
        own_bytes=max(inside.bytes, 1),
        starts=_indented(4, inside.start_lines()),
        own_starts=_indented(4, inside.own_start_lines()),
        calls=_indented(6, calls),
        merges=_indented(8, inside.merge_lines()),
    )


def _indented(depth: int, lines: Iterable[str]) -> str:
    return "\n".join(" " * depth + line for line in lines)


def _kernel_lines(kernel: Kernel, memory: Memory) -> Iterator[str]:
    match kernel:
        case Loops():
            yield from loops_source(kernel, memory)
        case Product():
            yield from product_source(kernel, memory)
        case Scan():
            yield from scan_source(kernel, memory)
        case Extreme():
            yield from extreme_source(kernel, memory)
        case Cholesky():
            yield from cholesky_source(kernel, memory)
        case TriangularSolve():
            yield from solve_source(kernel, memory)


def _result_lines(program: Program, memory: Memory) -> Iterator[str]:
    """Copy the new state over the old, where it was not written in its place already.

    An output that is one number ends the steps where it is not finite; a vector of them does not,
    since some may go on where others end.
    """
    *new_state, output = program.results
    for old, new in zip(program.of_role("state"), new_state, strict=True):
        if new.storage is None or memory.place(new.storage) != memory.place(old):
            yield from _copy_lines(memory.pointer(old), new, memory)
    if not output.shape:
        yield f"results[step] = double({memory.element(output, '0')});"
        yield "if (!(results[step] - results[step] == 0)) return step;"
        return
    yield f"for (int64_t i = 0; i < {output.numel}; ++i)"
    place = f"i * {output.strides[0]}" if output.strides else "0"
    yield f"  results[step * {output.numel} + i] = double({memory.element(output, place)});"


def _copy_lines(target: str, new: Ref, memory: Memory) -> Iterator[str]:
    kind = MEMORY_TYPES[new.dtype]
    if new.storage is not None and new.strides == dense_strides(new.shape):
        source = f"{memory.pointer(new.storage)} + {new.offset}"
        yield f"std::memcpy({target}, {source}, {new.numel} * sizeof({kind}));"
        return
    indices = [f"i{d}" for d in range(len(new.shape))]
    dense = dense_strides(new.shape)
    for index, size in zip(indices, new.shape, strict=True):
        yield f"for (int64_t {index} = 0; {index} < {size}; ++{index})"
    to = " + ".join(["0", *(f"{i} * {s}" for i, s in zip(indices, dense, strict=True))])
    at = " + ".join(["0", *(f"{i} * {s}" for i, s in zip(indices, new.strides, strict=True))])
    yield f"  {target}[{to}] = {memory.element(new, at)};"
