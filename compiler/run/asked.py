"""What is to be fitted, and how: put together, checked, and joined with data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from compiler.binding import bind
from compiler.binding.gaps import gapless
from compiler.diagnostics import Diagnostics, did_you_mean
from compiler.emit import emit_module
from compiler.ir import Guide, Program
from compiler.ir.gapless import without_gaps
from compiler.resolve.auto_guide import auto_guide
from compiler.run.blame import memory_errors
from compiler.run.callables import check_callables, importable_beside
from compiler.run.job import Job
from compiler.run.module import load_module
from compiler.run.numeric import DTYPES, check_numeric, numeric
from compiler.run.settings import RunSettings, run_settings


@dataclass(frozen=True)
class Asked:
    """What is to be fitted, and how.

    Attributes:
        program: The program.
        guide: Its guide.
        run: The settings.
        diagnostics: Where to tell what goes wrong.
    """

    program: Program
    guide: Guide
    run: RunSettings
    diagnostics: Diagnostics


def asked_for(
    program: Program,
    guide: str | None,
    overrides: dict[str, Any],
    dtype: str,
    device: str,
    diagnostics: Diagnostics,
) -> Asked:
    """Put what is asked for together, before anything is computed.

    Args:
        program: A resolved and checked program.
        guide: Name of the guide; the program's first by default.
        overrides: Settings over the spec's, by name; None where nothing is set.
        dtype: Floating type, by name.
        device: Where to compute.
        diagnostics: Where to tell what cannot be met.

    Raises:
        SpecError: If it cannot be met.
    """
    if not program.latents():
        diagnostics.report(
            "PPL099",
            None,
            "the model has no latent site, so there is nothing to fit",
            "draw what is not known: mu ~ Normal(0, 1)",
        )
        diagnostics.raise_errors()
    chosen = _choose_guide(program, guide, diagnostics)
    check_numeric(dtype, device, diagnostics)
    run = run_settings(
        program,
        overrides,
        guide=chosen.name,
        dtype=dtype,
        device=device,
        diagnostics=diagnostics,
    )
    diagnostics.raise_errors()
    assert run is not None
    return Asked(program, chosen, run, diagnostics)


@contextmanager
def surroundings(asked: Asked, allow_callables: bool) -> Iterator[None]:
    """Enter the spec's folder for imports, the floating type and the device.

    Raises:
        SpecError: If the spec calls Python code that it may not call, or that is not there.
    """
    with importable_beside(asked.diagnostics.path):
        check_callables(asked.program, asked.guide, allow_callables, asked.diagnostics)
        asked.diagnostics.raise_errors()
        with numeric(asked.run.dtype, asked.run.device), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch and Pyro, about how they are used
            with memory_errors(asked.diagnostics, "this"):
                yield


def job_of(
    asked: Asked,
    data: Any,
    mapping: Mapping[str, str] | None,
    sizes: Mapping[str, int] | None,
    like: Job | None = None,
) -> Job:
    """Turn data into tensors, and the program into a module; they meet in the job.

    Args:
        asked: What is asked for.
        data: Files or objects in memory: one, or a list of several; None for none.
        mapping: From a column or key of the data to the spec's name.
        sizes: Sizes of dims.
        like: Another job, whose module is taken where the sizes are the same.
    """
    bound = bind(
        asked.program,
        data,
        mapping=mapping,
        sizes=sizes,
        dtype=DTYPES[asked.run.dtype],
        device=asked.run.device,
        diagnostics=asked.diagnostics,
    )
    if like is not None and like.data.sizes == bound.sizes:
        program, guide, source, module = like.program, like.guide, like.source, like.module
    else:
        program, guide = asked.program, asked.guide
        if names := gapless(program, bound.sizes):
            program = without_gaps(program, names)
            guide = next(g for g in program.guides if g.name == guide.name)
        if guide.auto:
            guide = auto_guide(program, bound.sizes, guide.location)
            guides = tuple(guide if g.name == guide.name else g for g in program.guides)
            program = program.model_copy(update={"guides": guides})
        source = emit_module(program, guide=guide.name)
        module = load_module(source, asked.diagnostics.path)
    return Job(source, module, program, guide, bound, asked.run, asked.diagnostics)


def _choose_guide(program: Program, name: str | None, diagnostics: Diagnostics) -> Guide:
    for guide in program.guides:
        if name in (None, guide.name):
            return guide
    names = [guide.name for guide in program.guides]
    close = did_you_mean(str(name), names)
    diagnostics.report(
        "PPL010",
        None,
        f"the spec has no guide {name!r}",
        f"did you mean {close!r}?" if close else f"it has {', '.join(names)}",
    )
    return program.guides[0]
