"""What the documents say is so: shown files, shown output, specs, links, and code that runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from example_documents import (
    DOCUMENTS,
    ROOT,
    Command,
    blocks,
    commands,
    folder,
    run,
    shown_files,
    tidy,
)

from compiler.diagnostics.render import render
from compiler.pipeline import compile_text
from grammar.format import format_spec

_LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^```.*?^```$", re.M | re.S)


def name_of(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
SPECS = [
    pytest.param(text, id=f"{name_of(document)}-{i}")
    for document in DOCUMENTS
    if document.name != "diagnostics.md"  # its bad specs are held by the tests of the pages
    for i, text in enumerate(blocks(document, "ppl"))
    if re.search(r"^model\b", text, re.M)
]
QUICK = [
    pytest.param(document, command, id=f"{name_of(document)}: {command.line.split(chr(10))[0]}")
    for document in DOCUMENTS
    for command in commands(document)
    if not command.fits
]


@pytest.mark.parametrize("text", SPECS)
def test_shown_specs_compile(text: str) -> None:
    compilation = compile_text(text, "shown.ppl")
    assert compilation.program is not None, render(compilation.diagnostics)


@pytest.mark.parametrize(
    "spec", sorted((ROOT / "examples").glob("[!p]*/*.ppl")), ids=lambda spec: spec.name
)
def test_example_specs_are_formatted(spec: Path) -> None:
    text = spec.read_text(encoding="utf-8")
    assert format_spec(text, str(spec)) == text


@each_document
def test_shown_files_are_the_files(document: Path) -> None:
    for name, text in shown_files(document):
        assert text == (folder(document) / name).read_text(encoding="utf-8"), (
            f"run `python tests/examples/example_documents.py {name_of(document)}`"
        )


@pytest.mark.parametrize(("document", "command"), QUICK)
def test_shown_output_is_printed(document: Path, command: Command) -> None:
    assert tidy(run(command, folder(document)).stdout) == command.output, (
        f"run `python tests/examples/example_documents.py {name_of(document)}`"
    )


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    text = _FENCED.sub("", document.read_text(encoding="utf-8"))
    for target in _LINK.findall(text):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = document.parent / path if path else document
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.M)
            anchors = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in anchors, target


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the emitted module and `autoguide_core`, and nothing else of ours."""
    place = tmp_path_factory.mktemp("stock")
    shutil.copytree(
        ROOT / "autoguide_core", place / "autoguide_core", ignore=shutil.ignore_patterns("__pyc*")
    )
    spec = "examples/eight_schools/eight_schools.ppl"
    command = Command(f"pplc emit module {spec} -o {place}/eight_schools.py", "")
    assert run(command, ROOT).returncode == 0
    return place


def test_emitted_code_runs_by_itself(stock: Path) -> None:
    loop, engine = blocks(ROOT / "docs" / "emitted-code.md", "python")[-2:]
    loop = loop.replace("range(2000)", "range(300)")
    engine = engine.replace("FitSettings(seed=1)", "FitSettings(seed=1, steps=300)")
    check = """
import json, sys
for ours in ("compiler", "grammar", "pplc"):
    try:
        __import__(ours)
    except ImportError:
        continue
    raise AssertionError(ours)
assert draws["mu"].shape == (1000,)
print(json.dumps(float(draws["mu"].mean())))
"""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    # -P keeps the working directory out; an editable install is undone by hiding site hooks.
    code = f"import sys; sys.path.insert(0, {str(stock)!r})\n" + _HIDE + loop + engine + check
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=stock,
        env={**environment, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 1 < json.loads(done.stdout.splitlines()[-1]) < 8


_HIDE = """
sys.meta_path = [f for f in sys.meta_path if "editable" not in type(f).__module__ + repr(f)]
sys.path = [p for p in sys.path if "editable" not in p]
for folder in list(sys.path):
    import os
    if os.path.isdir(os.path.join(folder, "grammar")) and os.path.isdir(folder + "/compiler"):
        sys.path.remove(folder)
"""
