"""Hostile data files: those listed first, then good ones with bytes exchanged and cut off."""

from __future__ import annotations

import itertools
import json
import tempfile
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

import pplc
from fuzz.clock import Clock, TooSlow, cpu_limit
from fuzz.data import arrays, texts
from fuzz.data.arrays import File
from fuzz.data.specs import GOOD, SPECS
from fuzz.findings import Findings

_SLOW = 20.0


def run(random: Random, clock: Clock, findings: Findings) -> None:
    """Bind hostile files to each spec."""
    pplc.loads(SPECS[0]).bind(GOOD)  # imports take longer than an input may
    files = itertools.chain(listed(), _broken(random))
    for (ending, content), spec in ((f, s) for f in files for s in SPECS):
        if not clock.going():
            break
        check(ending, content, spec, findings)


@cache
def _listed() -> tuple[File, ...]:
    found: list[File] = [(".json", _bytes(text)) for text in texts.JSON]
    found += [(".csv", _bytes(text)) for text in texts.CSV]
    return (*found, *arrays.listed())


def listed() -> Iterator[File]:
    """Yield every hostile file that was thought of."""
    yield from _listed()


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


def _broken(random: Random) -> Iterator[File]:
    """Yield good files with some bytes exchanged, or cut off."""
    table = "i,x,y\n" + "".join(f"{n},{n}.5,{n}\n" for n in range(4))
    whole = [*arrays.good(), (".json", json.dumps(GOOD).encode()), (".csv", table.encode())]
    while True:
        ending, content = random.choice(whole)
        changed = bytearray(content)
        for _ in range(random.choice([1, 1, 2, 4, 12])):
            changed[random.randrange(len(changed))] = random.randrange(256)
        if random.random() < 0.2:
            del changed[random.randrange(len(changed)) :]
        yield ending, bytes(changed)


def check(ending: str, content: bytes, spec: str, findings: Findings) -> None:
    """Bind a file to a spec: it has to be taken, or refused by a `SpecError`.

    Args:
        ending: That of the file's name.
        content: What is in it.
        spec: The text of the spec.
        findings: Where to keep what is wrong.
    """
    findings.counts["inputs"] += 1
    files: dict[str, str | bytes] = {f"data{ending.replace('.', '_')}": content, "spec_ppl": spec}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / f"data{ending}"
        path.write_bytes(content)
        try:
            with cpu_limit(_SLOW):
                pplc.loads(spec).bind(path)
            findings.counts["bound"] += 1
        except pplc.SpecError:
            findings.counts["refused"] += 1
        except TooSlow:
            findings.add(f"more than {_SLOW:g} s of CPU for a {ending} file", "", **files)
        except Exception as error:
            findings.crash(f"a {ending} file", error, **files)
    if arrays.RAN:
        arrays.RAN.clear()
        findings.add(f"code of a {ending} file ran", "", **files)
