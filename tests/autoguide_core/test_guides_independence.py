"""The guide system stands on its own: no stock automatic guides, no compiler, exact exports."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import autoguide_core

PACKAGE = Path(autoguide_core.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
FORBIDDEN = ("pyro.infer.autoguide", "pyro.contrib.autoguide", "grammar", "compiler")


def imported_modules(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_imports_stock_guides_or_the_compiler(path):
    tree = ast.parse(path.read_text())
    for module in imported_modules(tree):
        assert not any(module == f or module.startswith(f + ".") for f in FORBIDDEN), module
    assert ast.get_docstring(tree), "the first line of a file says what it is about"


def test_stock_guides_are_not_reached_as_an_attribute():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Attribute) and node.attr == "autoguide"), path


def test_exports_are_exact():
    public = {
        name
        for name, value in vars(autoguide_core).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(autoguide_core.__all__)
    assert len(autoguide_core.__all__) == len(public)
