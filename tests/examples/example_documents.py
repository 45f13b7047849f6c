"""Reads the Markdown of the project: the files it shows, the commands it runs, its specs.

Run it to write shown files and shown output anew, from the files and from running the commands:

    python tests/examples/example_documents.py README.md examples/radon/README.md
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAINS = {"pplc": "main", "compile-and-fit": "compile_and_fit_main"}
DOCUMENTS = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "docs" / "reference").glob("*.md"),
        *(ROOT / "examples").glob("*/README.md"),
    ]
)

_SHOWN = re.compile(r"(<!-- file: (\S+) -->\n```(\w+)\n)(.*?)(^```$)", re.M | re.S)
_CONSOLE = re.compile(r"(^```console\n\$ ((?:[^\n]*\\\n)*[^\n]*)\n)(.*?)(^```$)", re.M | re.S)
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Command:
    """A command that a document shows, with its output."""

    line: str
    output: str

    @property
    def words(self) -> list[str]:
        """Program and arguments."""
        return shlex.split(self.line.replace("\\\n", " "))

    @property
    def fits(self) -> bool:
        """Whether it fits, which takes long and gives other numbers on another machine."""
        fit = self.words[0] == "compile-and-fit" or self.words[:2] == ["pplc", "fit"]
        return fit and "--help" not in self.words


def folder(document: Path) -> Path:
    """Where the commands of a document are run: an example's in its folder, others at the top."""
    return document.parent if document.parent.parent.name == "examples" else ROOT


def shown_files(document: Path) -> list[tuple[str, str]]:
    """Return the files that a document shows, by name, with what it shows of each."""
    return [(name, text) for _, name, _, text, _ in _SHOWN.findall(document.read_text())]


def commands(document: Path) -> list[Command]:
    """Return the commands of ours that a document shows."""
    found = (Command(line, output) for _, line, output, _ in _CONSOLE.findall(document.read_text()))
    return [command for command in found if command.words[0] in MAINS]


def blocks(document: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return [text for name, text in _FENCE.findall(document.read_text()) if name == language]


def run(
    command: Command, place: Path, more: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own; standard error goes where it stands in a terminal."""
    program, *arguments = command.words
    code = f"from compiler.cli import {MAINS[program]} as main; main()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments, *more],
        cwd=place,
        env={**environment, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )


def tidy(text: str) -> str:
    """Return output without the blanks at the ends of its lines."""
    return "".join(f"{line.rstrip()}\n" for line in text.strip("\n").splitlines())


def update(document: Path) -> None:
    """Write shown files and output of a document anew."""
    place = folder(document)

    def shown(match: re.Match[str]) -> str:
        return match[1] + (place / match[2]).read_text() + match[5]

    def console(match: re.Match[str]) -> str:
        command = Command(match[2], match[3])
        if command.words[0] not in MAINS:
            return match[0]
        with tempfile.TemporaryDirectory() as scratch:
            work = Path(scratch) / "work"
            if command.fits:  # leave no output folder behind
                work.mkdir()
                for entry in place.iterdir():
                    if entry.name not in (".git", "fit"):
                        (work / entry.name).symlink_to(entry)
                if place == ROOT:
                    output = run(command, place, ("--out", f"{scratch}/fit")).stdout
                    name = command.words[command.words.index("--out") + 1]
                    output = output.replace(f"{scratch}/fit", name)
                else:
                    output = run(command, work).stdout
            else:
                output = run(command, place).stdout
        return match[1] + tidy(output) + match[4]

    text = _SHOWN.sub(shown, document.read_text())
    document.write_text(_CONSOLE.sub(console, text))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        update(Path(name).resolve())
