"""`pplc cache`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from cli_helpers import run

from autoguide_core.engine.native.cache import Cache

OLD, NEW = "a1" * 32, "a2" * 32
DAY = 86_400


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with an entry that was used just now and one that was used ten days ago."""
    place = tmp_path / "cache"
    place.mkdir(mode=0o700)
    monkeypatch.setenv("PPLC_CACHE_DIR", str(place))
    monkeypatch.setenv("PPLC_CACHE_SIZE", "2MB")
    cache = Cache(place, 10**9)
    for key, title, days in ((OLD, "[b]\x1b[1m", 10), (NEW, "new", 0)):
        source, library = place / "draft.cpp", place / "draft.so"
        source.write_text(f"// {title}\nint x;\n", encoding="utf-8")
        library.write_bytes(b"x" * 3000)
        cache.keep(key, library, source, title=title, kind="step", seconds=1.25, compiler="c++ 12")
        then = time.time() - days * DAY
        os.utime(cache.path(key, ".json"), (then, then))
    return place


def test_the_list(folder: Path) -> None:
    heads = ["key", "title", "kind", "size", "made", "last", "used", "compiled", "in"]
    for arguments in (["cache"], ["cache", "list"]):
        result = run(*arguments)
        assert result.exit_code == 0
        lines = [line.split() for line in result.stdout.splitlines() if line.strip()]
        assert lines[0] == heads
        assert lines[2][:3] == [NEW[:10], "new", "step"]
        assert lines[2][3:5] == ["3.2", "kB"]
        assert lines[2][-6:] == ["just", "now", "just", "now", "1.2", "s"]
        assert lines[3][:3] == [OLD[:10], "[b]\ufffd[1m", "step"]
        assert "10 d ago" in " ".join(lines[3])
        assert result.stdout.replace("\n", "").endswith(f"(at most 2.0 MB) in {folder}")
        assert "2 kept, 6." in result.stdout


def test_the_list_for_programs(folder: Path) -> None:
    told = json.loads(run("cache", "list", "--format", "json").stdout)
    assert told["version"] == 1
    assert told["folder"] == str(folder)
    assert told["limit"] == 2_000_000
    assert told["total"] == sum(path.stat().st_size for path in folder.iterdir())
    new, old = told["entries"]
    assert (new["key"], old["key"]) == (NEW, OLD)
    assert new["seconds"] == 1.25
    assert new["compiler"] == "c++ 12"
    assert old["used"] < old["created"]


def test_the_path(folder: Path) -> None:
    assert run("cache", "path").stdout == f"{folder}\n"


def test_a_source_is_shown_by_the_beginning_of_its_key(folder: Path) -> None:
    assert run("cache", "show", "A2").stdout == "// new\nint x;\n"
    for key, message in (("a", "2 entries begin with 'a'"), ("b", "No entry begins with 'b'")):
        result = run("cache", "show", key)
        assert result.exit_code == 2
        assert message in result.stderr


def test_clearing(folder: Path) -> None:
    remembered = folder / "compiler-0.json"
    remembered.write_text("{}")
    result = run("cache", "clear", "--older-than", "3")
    assert result.stdout.replace("\n", "").startswith(f"removed 1 of {folder}, 3.")
    assert {path.name[:64] for path in folder.iterdir()} == {NEW, remembered.name}
    assert run("cache", "clear").stdout.startswith("removed 1 of")
    assert list(folder.iterdir()) == []
    assert run("cache").stdout == f"nothing is kept (at most 2.0 MB) in {folder}\n"
    assert run("cache", "clear", "--older-than", "-1").exit_code == 2


def test_a_folder_that_fits_do_not_use_is_told(folder: Path) -> None:
    folder.chmod(0o777)
    result = run("cache", "path")
    assert "Every user can write" in result.stderr
    assert result.stderr.endswith("; fits do not use it.\n")
    assert result.stdout == f"{folder}\n"


def test_a_missing_folder_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPLC_CACHE_DIR", str(tmp_path / "none"))
    assert run("cache").stdout.startswith("nothing is kept")
    assert run("cache", "clear").stdout.startswith("removed 0")
    assert not (tmp_path / "none").exists()


def test_a_wrong_command_gets_the_nearest(folder: Path) -> None:
    result = run("cache", "cler")
    assert result.exit_code == 2
    assert "clear" in result.stderr
