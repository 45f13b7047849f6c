"""Changes of what a fit has left: other fields, other files, other bytes."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import torch

from fuzz.data.arrays import Hostile
from fuzz.ir.mutations import mutated
from fuzz.ir.payloads import TEXTS

_MARKUP = (
    "<script>PWNED()</script>",
    '"><img src=x onerror=PWNED()>',
    "</style></svg></code><script>PWNED()</script>",
    "javascript:PWNED()",
)

_TENSORS: tuple[Callable[[torch.Tensor], Any], ...] = (
    lambda old: old * float("nan"),
    lambda old: old / 0.0,
    lambda old: -old,
    lambda old: old.half(),
    lambda old: old.to(torch.complex64),
    lambda old: old.reshape(-1)[:1],
    lambda old: torch.ones(77),
    lambda old: torch.ones((1,) * 40),
    lambda old: torch.ones(0),
    lambda old: torch.ones(1).expand(2**40),
    lambda old: old.to_sparse(),
    lambda old: torch.quantize_per_tensor(old.float(), 0.1, 0, torch.qint8),
    lambda old: old.tolist(),
    lambda old: torch.nn.Parameter(old) if old.is_floating_point() else old,
)


def tampered_checkpoint(content: bytes, random: Random) -> bytes:
    """Return a checkpoint with fields exchanged, or with other bytes."""
    kind = random.random()
    if kind < 0.15:
        return _broken(content, random)
    if kind < 0.2:
        return pickle.dumps(Hostile(), random.choice([0, 2, 5]))
    record = torch.load(io.BytesIO(content), weights_only=True)
    if kind < 0.6:
        record, _ = mutated(record, random)
    else:
        _exchange_tensor(record, random)
    if kind > 0.97:
        record["fingerprint"]["x"] = Hostile()
    file = io.BytesIO()
    torch.save(record, file)
    return file.getvalue()


def _exchange_tensor(record: Any, random: Random) -> None:
    places = [
        (part, name)
        for part in (record, record["state"], record["drift"]["start"])
        for name, value in part.items()
        if isinstance(value, torch.Tensor)
    ]
    part, name = random.choice(places)
    part[name] = random.choice(_TENSORS)(part[name])


def tampered_folder(folder: Path, random: Random) -> str:
    """Change one file of the folder of a fit, and return its name."""
    file = random.choice([path for path in sorted(folder.iterdir()) if path.is_file()])
    kind = random.random()
    if kind < 0.12:
        _exchange_file(file, random)
    elif file.suffix == ".json" and kind < 0.8:
        _change_json(file, random)
    elif file.suffix == ".nc" or kind < 0.9:
        file.write_bytes(_broken(file.read_bytes(), random))
    else:
        text = random.choice((*_MARKUP, *TEXTS))
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
    return file.name


def _change_json(file: Path, random: Random) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    if random.random() < 0.3:
        content = _with_texts(content, random.choice(_MARKUP))
    else:
        content, _ = mutated(content, random)
    try:
        file.write_text(json.dumps(content), encoding="utf-8")
    except ValueError:  # a number of too many digits
        file.write_text("9" * 5000, encoding="utf-8")


def _with_texts(part: Any, text: str) -> Any:
    """Return a value with every text exchanged; names stay as they are."""
    if isinstance(part, dict):
        return {key: _with_texts(value, text) for key, value in part.items()}
    if isinstance(part, list):
        return [_with_texts(value, text) for value in part]
    return text if isinstance(part, str) and part != "pplc" else part


def _exchange_file(file: Path, random: Random) -> None:
    """Put something else where a file stands, or nothing."""
    place = file.parent.parent / "elsewhere"
    shutil.move(file, place)
    kind = random.randrange(6)
    if kind == 0:
        file.mkdir()
    elif kind == 1:
        os.mkfifo(file)
    elif kind == 2:
        file.symlink_to(file.name)
    elif kind == 3:
        file.symlink_to("/dev/zero")
    elif kind == 4:
        file.touch()


def _broken(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice([1, 4, 12, 60])):
        changed[random.randrange(len(changed))] = random.randrange(256)
    if random.random() < 0.3:
        del changed[random.randrange(len(changed)) :]
    return bytes(changed)
