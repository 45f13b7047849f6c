"""What is known of a compiled library: for which inputs it was proved, and for which it was wrong.

It stands in the library's ``KEY.json``. A library depends on its source alone, but what is run is
more: the operations that torch makes in between, the number of threads, the code that hands the
tensors over. So a proof holds for a subject, which has all of that.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from autoguide_core.engine.native.foreign import ForeignCall

_MOST = 32
"""Subjects that are remembered of one library; the oldest go first."""


@dataclass(frozen=True)
class Subject:
    """What a proof is about, besides the library.

    Attributes:
        engine: A hash of the engine that runs it, and of torch's version.
        threads: The number of threads.
        inputs: A hash of the types and shapes of the data, and of what torch does in between.
    """

    engine: str
    threads: int
    inputs: str

    @classmethod
    def of(
        cls,
        tensors: Sequence[torch.Tensor],
        foreign: Sequence[ForeignCall],
        threads: int,
    ) -> Subject:
        """The subject of a run with these tensors and operations."""
        forms = [(str(tensor.dtype), tuple(tensor.shape)) for tensor in tensors]
        calls = [(str(call.operation), _described(call)) for call in foreign]
        return cls(_engine(), threads, _short(repr((forms, calls))))


def proved(record: Path) -> list[dict[str, Any]]:
    """The subjects for which a library was found right, given the path of its record."""
    return _listed(record, "proved")


def wrong(record: Path) -> list[dict[str, Any]]:
    """The subjects for which it was found wrong, each with what differed."""
    return _listed(record, "wrong")


def verdict(record: Path) -> str:
    """``failed`` if a library was ever found wrong, ``passed`` if it was proved, else empty."""
    return "failed" if wrong(record) else "passed" if proved(record) else ""


def is_proved(record: Path, subject: Subject) -> bool:
    """Whether a library was found right for a subject, and by the same engine never wrong."""
    return asdict(subject) in proved(record) and not difference(record, subject)


def difference(record: Path, subject: Subject) -> str:
    """What was found wrong, whatever the subject, by the same engine; empty if nothing was."""
    told = [one for one in wrong(record) if one.get("engine") == subject.engine]
    return str(told[0].get("difference", "")) if told else ""


def note_proved(record: Path, subject: Subject) -> None:
    """Write down that a library was found right."""
    _note(record, "proved", asdict(subject))


def note_wrong(record: Path, subject: Subject, difference: str) -> None:
    """Write down that a library was found wrong, so that it is not tried again."""
    _note(record, "wrong", {**asdict(subject), "difference": difference})


def _listed(record: Path, name: str) -> list[dict[str, Any]]:
    try:
        told = json.loads(record.read_bytes()).get(name, [])
    except (OSError, ValueError, AttributeError):
        return []
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []


def _note(record: Path, name: str, entry: dict[str, Any]) -> None:
    """Add to a record, which is put in place whole; what cannot be written is found again."""
    listed = [one for one in _listed(record, name) if one != entry]
    with suppress(OSError, ValueError, TypeError):
        known = json.loads(record.read_bytes())
        text = json.dumps({**known, name: [*listed, entry][-_MOST:]}, indent=1)
        draft = record.with_suffix(f".{os.getpid()}.json.tmp")
        draft.write_text(text, encoding="utf-8")
        draft.replace(record)


def _described(call: ForeignCall) -> str:
    """The arguments of an operation that are no tensors."""
    leaves = torch.utils._pytree.tree_leaves((call.args, call.kwargs))
    return repr([leaf for leaf in leaves if isinstance(leaf, (bool, int, float, str, torch.dtype))])


@functools.cache
def _engine() -> str:
    """A hash of all that makes and runs the code; a change of it asks for new proofs."""
    files = sorted(resources.files(__package__).iterdir(), key=lambda file: file.name)
    texts = [file.read_bytes() for file in files if file.name.endswith((".py", ".h"))]
    return _short(str(torch.__version__), *texts)


def _short(*parts: str | bytes) -> str:
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(part.encode() if isinstance(part, str) else part)
    return hashed.hexdigest()[:16]
