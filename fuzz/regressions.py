"""The inputs that once showed a fault; they run before anything random does.

`corpus/` has a folder for each kind: `specs` (texts), `ir` (IR files), `data` (data files),
`semantics` (right specs with data), `models` (Python modules with a model and a guide), and
`commands.txt` (arguments, a command a line).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autoguide_core.engine.precision import double_precision
from fuzz.compilers import quick_compilation
from fuzz.data.campaign import check as check_data
from fuzz.data.specs import SPECS
from fuzz.faults.arguments import try_one as try_command
from fuzz.findings import Findings
from fuzz.ir.campaign import check as check_ir
from fuzz.models.campaign import ENGINES
from fuzz.models.campaign import compare as compare_engines
from fuzz.models.generated import GeneratedModel
from fuzz.semantics.comparison import compare as compare_densities
from fuzz.specs.checks import check as check_spec

AT_A_TIME = (1, 4)
"""For how many points at a time native code is made."""

CORPUS = Path(__file__).with_name("corpus")
Regression = tuple[str, Callable[[Findings], None]]
"""A name, and what tries the input."""


def regressions(kind: str) -> Iterator[Regression]:
    """Yield the inputs of one kind."""
    if kind == "faults":
        for line in (CORPUS / "commands.txt").read_text(encoding="utf-8").splitlines():
            words = tuple(shlex.split(line))
            yield line, partial(try_command, words)
        return
    for file in sorted((CORPUS / kind).glob("*")) if kind in _TRIED else []:
        if file.suffix != ".json" or kind != "semantics":
            yield file.stem, partial(_TRIED[kind], file)


def _spec(file: Path, findings: Findings) -> None:
    check_spec(file.read_text(encoding="utf-8"), findings, deep=True)


def _ir(file: Path, findings: Findings) -> None:
    check_ir(file.read_text(encoding="utf-8"), [], findings)


def _data(file: Path, findings: Findings) -> None:
    for spec in SPECS:
        check_data(file.suffix, file.read_bytes(), spec, findings)


def _semantics(file: Path, findings: Findings) -> None:
    data = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    arrays = {name: _array(value) for name, value in data.items()}
    with quick_compilation():
        compare_densities(file.read_text(encoding="utf-8"), arrays, AT_A_TIME, findings)


def _array(value: Any) -> Any:
    """Return data as they stand there, or normal draws of a shape: `{"normal": [5000, 20]}`."""
    if isinstance(value, dict):
        return np.random.default_rng(0).normal(size=value["normal"])
    return np.asarray(value)


def _model(file: Path, findings: Findings) -> None:
    source = file.read_text(encoding="utf-8")
    particles = 4 if "# particles = 4" in source else 1
    model = GeneratedModel(source, "# enumerated" in source, particles)
    with quick_compilation(), double_precision():
        torch.set_num_threads(1)
        compare_engines(model, ENGINES, findings)


_TRIED: dict[str, Callable[[Path, Findings], None]] = {
    "specs": _spec,
    "ir": _ir,
    "data": _data,
    "semantics": _semantics,
    "models": _model,
}
