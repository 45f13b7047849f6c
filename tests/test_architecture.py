"""The house: who may import what, what is public, and what stands at the top."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import autoguide_core
import pplc
from compiler.emit import emit_module
from compiler.pipeline import compile_file

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*/*.ppl"))

TOP = {
    # fixed
    "pyproject.toml", "grammar", "compiler", "autoguide_core", "tests", "examples", "pplc.py",
    # beside them
    "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "constraints.txt",
    "docs", "benchmarks", "fuzz", ".ci", ".gitignore",
}  # fmt: skip


def imports(source: str) -> Iterator[str]:
    """Yield the modules that a source imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def foreign(package: str) -> set[str]:
    """Return the roots that a package imports outside itself and the standard library."""
    roots = {
        name.partition(".")[0]
        for file in (ROOT / package).rglob("*.py")
        for name in imports(file.read_text(encoding="utf-8"))
    }
    return roots - set(sys.stdlib_module_names) - {package}


def test_grammar_imports_lark_only() -> None:
    assert foreign("grammar") == {"lark"}


def test_autoguide_core_knows_nothing_of_the_language() -> None:
    assert foreign("autoguide_core") <= {
        "torch", "pyro", "numpy", "scipy", "arviz", "nutpie", "torchdiffeq", "pydantic"
    }  # fmt: skip


def test_autoguide_core_is_an_implementation_of_its_own() -> None:
    for file in (ROOT / "autoguide_core").rglob("*.py"):
        for name in imports(file.read_text(encoding="utf-8")):
            assert not name.startswith("pyro.infer.autoguide"), file
            assert name != "pyro.infer.reparam.neutra", file


def test_arviz_is_imported_in_one_place() -> None:
    """Which does so wherever the user's folder for caches cannot be written."""
    files = [*(ROOT / "autoguide_core").rglob("*.py"), *(ROOT / "compiler").rglob("*.py")]
    found = [file.name for file in files if re.search(r"(?m)^ *import arviz", file.read_text())]
    assert found == ["arviz_module.py"]


def test_the_compiler_does_not_use_pyro_s_guides() -> None:
    for file in (ROOT / "compiler").rglob("*.py"):
        for name in imports(file.read_text(encoding="utf-8")):
            assert not name.startswith("pyro.infer.autoguide"), file


@pytest.mark.parametrize("package", ["resolve", "checks", "emit", "ir", "tables", "diagnostics"])
def test_the_passes_import_neither_torch_nor_the_core(package: str) -> None:
    for file in (ROOT / "compiler" / package).rglob("*.py"):
        roots = {name.partition(".")[0] for name in imports(file.read_text(encoding="utf-8"))}
        assert not roots & {"torch", "pyro", "numpy", "pandas", "autoguide_core"}, file


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "SPEC"],
        ["fmt", "--check", "SPEC"],
        ["emit", "ast", "SPEC"],
        ["emit", "ir", "SPEC"],
        ["emit", "module", "SPEC"],
        ["diff", "SPEC", "SPEC"],
        ["explain", "PPL010"],
        ["schema"],
        ["fit", "--help"],
    ],
    ids=" ".join,
)
def test_commands_do_not_import_torch(arguments: list[str]) -> None:
    spec = str(ROOT / "examples" / "eight_schools" / "eight_schools.ppl")
    words = [spec if word == "SPEC" else word for word in arguments]
    code = (
        "import sys\n"
        "from compiler.cli import main\n"
        f"sys.argv[1:] = {words!r}\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "assert not {'torch', 'pyro', 'numpy', 'pandas', 'autoguide_core'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_importing_pplc_does_not_import_torch() -> None:
    code = "import sys, pplc; assert not {'torch', 'pyro'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda spec: spec.stem)
def test_emitted_modules_need_torch_pyro_and_the_core_only(spec: Path) -> None:
    program = compile_file(spec).program
    assert program is not None
    roots = {name.partition(".")[0] for name in imports(emit_module(program))}
    mine = {"my_guide"} if spec.parent.name == "callable_part" else set()
    assert roots - mine <= {"torch", "pyro", "autoguide_core", "math", "functools"}


@pytest.mark.parametrize("module", [pplc, autoguide_core], ids=lambda module: module.__name__)
def test_all_is_exactly_what_is_public(module: ModuleType) -> None:
    assert list(module.__all__) == sorted(module.__all__)
    own = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and str(getattr(value, "__module__", "")).partition(".")[0]
        in ("pplc", "autoguide_core", "compiler")
    }
    internal = {"Diagnostic", "Diagnostics"}  # for annotations in pplc
    of_pyro = {"NeuTraReparam", "StructuredReparam"}  # made to take guides of autoguide_core
    assert own - internal == set(module.__all__) - of_pyro
    assert all(value.__doc__ for value in map(vars(module).get, module.__all__))


def test_the_top_level_is_as_it_was_laid_out() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert {line.partition("/")[0] for line in listed.stdout.splitlines()} <= TOP


def test_the_grammar_is_one_file() -> None:
    assert [file.name for file in (ROOT / "grammar").glob("*.lark")] == ["ppl.lark"]
