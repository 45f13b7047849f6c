"""Golden cases: one Markdown file each, with a spec and what the compiler makes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from compiler.diagnostics import Diagnostic
from compiler.ir import Program
from compiler.pipeline import Compilation, compile_text

HERE = Path(__file__).parent
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, eq=False)
class Case:
    """A case as its file has it.

    Attributes:
        file: Where it stands.
        title: Its first lines: what it shows.
        spec: The text of the spec.
        blocks: What is expected, by the language of the block.
    """

    file: Path
    title: str
    spec: str
    blocks: dict[str, str]

    @classmethod
    def read(cls, file: Path) -> Case:
        """Return the case in a file."""
        text = file.read_text(encoding="utf-8")
        blocks: dict[str, str] = dict(_BLOCK.findall(text))
        return cls(file, text.split("```", 1)[0].strip(), blocks.pop("ppl"), blocks)

    @property
    def name(self) -> str:
        """The name of the file without its ending."""
        return self.file.stem

    @property
    def path(self) -> str:
        """What the compiler is told that the spec is called."""
        return f"{self.name}.ppl"

    def compiled(self) -> Compilation:
        """Compile the spec."""
        return compile_text(self.spec, self.path)

    def check(self, blocks: dict[str, str], update: bool) -> None:
        """Hold what the compiler gave against the file, or write it there."""
        if not update:
            assert blocks == self.blocks
            return
        parts = [f"{self.title}\n", f"```ppl\n{self.spec}```\n"]
        parts += [f"```{language}\n{text}```\n" for language, text in blocks.items()]
        self.file.write_text("\n".join(parts), encoding="utf-8")


def cases(folder: str) -> list[Case]:
    """Return the cases of `good` or `bad`, by name."""
    return [Case.read(file) for file in sorted((HERE / folder).glob("*.md"))]


def shown(diagnostics: list[Diagnostic]) -> str:
    """Return diagnostics as the cases show them."""
    lines: list[str] = []
    for diagnostic in diagnostics:
        lines.append(f"{_place(diagnostic)} {diagnostic.code} {diagnostic.message}")
        if diagnostic.remedy:
            lines.append(f"  help: {diagnostic.remedy}")
        for words, span in diagnostic.notes:
            lines.append(f"  note: {span.line}:{span.column} {words}")
    return "".join(f"{line}\n" for line in lines)


def _place(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    if span is None:
        return "-"
    end = f"{span.end_line}:" if span.end_line != span.line else ""
    return f"{span.line}:{span.column}-{end}{span.end_column}"


def without_places(program: Program) -> object:
    """Return the IR with all locations taken away."""

    def strip(value: object) -> object:
        if isinstance(value, dict):
            return {key: strip(entry) for key, entry in value.items() if key != "location"}
        return [strip(entry) for entry in value] if isinstance(value, list) else value

    return strip(program.model_dump(mode="json"))
