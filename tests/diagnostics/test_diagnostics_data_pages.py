"""The data that the pages of PPL09x show is refused as they say, and what they propose is not."""

import contextlib
import json
from pathlib import Path

import pytest

from compiler.binding import bind
from compiler.diagnostics import Diagnostics, SpecError
from compiler.diagnostics.pages import block, page
from compiler.pipeline import compile_text

DECLARATIONS = {
    "PPL090": "dim school\n y[school] : real",
    "PPL091": "dim obs\n y[obs] : real",
    "PPL092": "dim obs\n y[obs] : int",
    "PPL093": "dim school\n sigma[school] : real > 0",
    "PPL094": "dim obs\n y[obs] : real",
    "PPL095": "dim school\n y[school] : real\n sigma[school] : real > 0",
    "PPL096": "dim obs\n dim group = 2\n g[obs] : index(group)",
}


def codes(code: str, section: str, folder: Path) -> set[str]:
    """Return what binding tells of the data in a section of a page."""
    data = block(section, "json")
    assert data is not None
    file = folder / "data.json"
    file.write_text(data)
    spec = f"data {{\n {DECLARATIONS[code]}\n}}\nmodel {{ mu ~ Normal(0, 1) }}\n"
    program = compile_text(spec, "a.ppl").program
    assert program is not None
    diagnostics = Diagnostics("a.ppl", spec)
    with contextlib.suppress(SpecError):
        bind(program, [str(file)], diagnostics=diagnostics)
    return {diagnostic.code for diagnostic in diagnostics.errors}


@pytest.mark.parametrize("code", DECLARATIONS)
def test_data_pages(code: str, tmp_path: Path) -> None:
    assert codes(code, page(code).example, tmp_path) == {code}
    assert codes(code, page(code).instead, tmp_path) == set()
    if code != "PPL090":
        json.loads(block(page(code).example, "json") or "")
