"""A file that an interrupted fit goes on from, with the numbers that it would have had anyway."""

from __future__ import annotations

import io
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch

from autoguide_core.engine.errors import RequestError
from autoguide_core.engine.stepping.progressed import Progressed
from autoguide_core.engine.stepping.record import Record, read_record

_OTHERWISE = "remove it to start afresh, or name another file"


@dataclass
class Checkpoint:
    """Reads and writes the file of one fit.

    A `Record` holds tensors, numbers, strings, and lists and dicts of them; so it can be read
    without running code from the file.

    Attributes:
        path: The file. Its folder must be there.
        seconds: Least time between two records of a run.
    """

    path: Path
    seconds: float
    _written: float = field(default_factory=time.monotonic)

    def read(self, fingerprint: Mapping[str, str], progressed: Progressed) -> Record | None:
        """The last record, or None where there is no file yet.

        Args:
            fingerprint: What tells this fit from others, by names for the user.
            progressed: The run at its start, which the record must fit.

        Raises:
            RequestError: If the folder is missing, the file is no checkpoint or a damaged one, or
                it is another fit's.
        """
        if not self.path.parent.is_dir():
            raise _refused(
                f"the folder of the checkpoint {self.path} does not exist", "make it first"
            )
        if not self.path.exists():
            return None
        if not self.path.is_file():  # a pipe would be waited for, a device read without end
            raise _refused(f"{self.path} is not a file", "name another one")
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # over a damaged file torch raises what it likes
            message = f"{self.path} cannot be read as a checkpoint ({type(error).__name__})"
            raise _refused(message, _OTHERWISE) from error
        try:
            record = read_record(content)
        except ValueError as error:
            message = f"{self.path} is no checkpoint of this version, or a damaged one: {error}"
            raise _refused(message, _OTHERWISE) from None
        written = record.fingerprint
        names = [n for n in {**fingerprint, **written} if fingerprint.get(n) != written.get(n)]
        if names:
            differ = "; ".join(_difference(n, written.get(n), fingerprint.get(n)) for n in names)
            raise _refused(f"the checkpoint {self.path} is of another fit: {differ}", _OTHERWISE)
        if problem := next(record.problems(progressed), None):
            raise _refused(f"the checkpoint {self.path} is damaged: {problem}", _OTHERWISE)
        return record

    def write(self, record: Record) -> None:
        """Replace the file by a new record, whole or not at all.

        Raises:
            RequestError: If it cannot be written.
        """
        content = io.BytesIO()  # where the disk is full, torch raises errors of its own
        torch.save(record.model_dump(), content)
        part = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
        except BaseException as error:
            with suppress(OSError):
                part.unlink()
            if not isinstance(error, OSError):
                raise
            message = f"the checkpoint {self.path} cannot be written: {error.strerror or error}"
            raise _refused(message, "make room, or name another file") from error
        self._written = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last record is old enough for another."""
        return time.monotonic() - self._written >= self.seconds


def _refused(message: str, remedy: str) -> RequestError:
    return RequestError("checkpoint", message, remedy)


def _difference(name: str, there: str | None, here: str | None) -> str:
    """How a part of a fingerprint differs, with the values where it is a setting."""
    if name.startswith("the "):
        return f"{name} differ"
    return f"{name} is {there} there and {here} here"
