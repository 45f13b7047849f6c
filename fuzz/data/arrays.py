"""npy, npz, Parquet and Feather files: hostile ones, and good ones to be broken."""

from __future__ import annotations

import io
import pickle
import struct
import warnings
import zipfile
from collections.abc import Iterator

import numpy as np
import pandas as pd

from fuzz.data.specs import GOOD

File = tuple[str, bytes]
"""The ending of its name, and its content."""


RAN: list[int] = []
"""Something is in it once code of a file ran."""


class Hostile:
    """What runs code where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("from fuzz.data.arrays import RAN; RAN.append(1)",)


def npy(array: np.ndarray) -> bytes:
    """Return an array as the content of a npy file."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=True)
    return stream.getvalue()


def npy_promising(description: str, body: bytes = b"\0" * 64) -> bytes:
    """Return a npy file with a header of one's own."""
    header = description.encode()
    header += b" " * ((64 - (10 + len(header) + 1) % 64) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def npz(**members: bytes) -> bytes:
    """Return a npz file of these members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


def _shape(text: str) -> bytes:
    return npy_promising(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {text}, }}")


def listed() -> Iterator[File]:
    """Yield hostile npy and npz files."""
    pickled = np.empty(1, object)
    pickled[0] = Hostile()
    y = npy(np.ones(3))
    odd = {
        "pickle": npy(pickled),
        "huge": _shape("(1000000000000,)"),
        "big": _shape("(900000000,)"),
        "negative": _shape("(-3,)"),
        "overflow": _shape("(4611686018427387904, 4)"),
        "code": npy_promising("{'descr': __import__('os').getcwd(), 'shape': (1,), }"),
        "long": npy_promising("(" * 5000 + ")" * 5000),
        "structured": npy(np.zeros(3, dtype=[("a", "f8")])),
        "complex": npy(np.ones(3, complex)),
        "datetime": npy(np.array(["2020-01-01"] * 3, "M8[D]")),
        "void": npy(np.zeros(3, "V8")),
        "big-endian": npy(np.arange(3, dtype=">f8")),
        "half": npy(np.arange(3, dtype="f2")),
        "long double": npy(np.arange(3, dtype="f16")),
        "0-d": npy(np.array(3.0)),
        "20-d": npy(np.ones((1,) * 20 + (3,))),
        "unsigned": npy(np.array([1, 2, 2**64 - 1], "u8")),
        "text": npy(np.array(["a", "b", "c"])),
        "version 9": b"\x93NUMPY\x09\x00" + b"\0" * 100,
        "cut": npy(np.ones(1000))[:500],
        "no array": b"hello",
    }
    yield from ((".npz", npz(x=content, y=y)) for content in odd.values())
    yield ".npz", pickle.dumps(Hostile())
    yield ".npz", pickle.dumps(Hostile(), 0)
    yield ".npz", b"PK\x05\x06" + b"\0" * 18
    yield ".npz", b"hello"
    yield ".npz", npz(**{"../../x": y, "y": y})
    yield ".npz", _patched(npz(x=y, y=y), 6, 8, b"\x01\x00")  # encrypted
    for method in (99, 14, 12):
        yield ".npz", _patched(npz(x=y, y=y), 8, 10, struct.pack("<H", method))
    yield ".npz", _twice(y)


def _patched(archive: bytes, local: int, central: int, value: bytes) -> bytes:
    """Exchange one field in the headers of all members."""
    whole = bytearray(archive)
    for mark, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        place = whole.find(mark)
        while place >= 0:
            whole[place + offset : place + offset + len(value)] = value
            place = whole.find(mark, place + 1)
    return bytes(whole)


def _twice(content: bytes) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as archive:
        warnings.simplefilter("ignore")
        for name in ("x.npy", "x.npy", "y.npy"):
            archive.writestr(name, content)
    return stream.getvalue()


def good() -> Iterator[File]:
    """Yield good files, of each binary format."""
    table = pd.DataFrame(GOOD)
    stream = io.BytesIO()
    table.to_parquet(stream)
    yield ".parquet", stream.getvalue()
    stream = io.BytesIO()
    table.to_feather(stream)
    yield ".feather", stream.getvalue()
    yield ".npz", npz(**{name: npy(np.array(value)) for name, value in GOOD.items()})
