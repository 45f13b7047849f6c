"""Compiled code on disk: found again, never half there, never trusted blindly."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from autoguide_core.engine.native import build as builds
from autoguide_core.engine.native import folder as folders
from autoguide_core.engine.native import toolchain as toolchains
from autoguide_core.engine.native.cache import Cache, key_of, open_cache
from autoguide_core.engine.native.compilation import Compilation, CompileError, shared_library
from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.native.runner import NativeRunner
from autoguide_core.engine.native.toolchain import (
    LARGE_SOURCE,
    CompilerUnavailable,
    Toolchain,
    find_toolchain,
    first_error,
)

SLOW = "#include <regex>\n#include <map>\n#include <iostream>\n"
"""Takes a compiler long enough to be met at work."""

SCRIPT = """\
import sys
from autoguide_core.engine.native.compilation import Compilation
compilation = Compilation.start(sys.argv[1], "elsewhere")
print("done" if compilation.done() else "compiling", flush=True)
print(compilation.result(), flush=True)
"""


def constant(value: int, before: str = "") -> str:
    return f'{before}extern "C" int value() {{ return {value}; }}\n'


def value_of(library: Path) -> int:
    value = ctypes.CDLL(str(library)).value()
    assert isinstance(value, int)
    return value


@pytest.fixture(scope="module")
def known_compiler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is known of the compiler, found out once for all tests."""
    memory = tmp_path_factory.mktemp("compiler")
    try:
        find_toolchain(memory)
    except CompilerUnavailable as error:
        pytest.skip(str(error))
    return next(memory.glob("compiler-*.json"))


@pytest.fixture
def folder(tmp_path: Path, known_compiler: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a cache that is empty but for what is known of the compiler."""
    place = tmp_path / "cache"
    place.mkdir(mode=0o700)
    (place / known_compiler.name).write_bytes(known_compiler.read_bytes())
    monkeypatch.setenv("PPLC_CACHE_DIR", str(place))
    monkeypatch.delenv("PPLC_CACHE_SIZE", raising=False)
    return place


@contextmanager
def at_work(source: str) -> Iterator[subprocess.Popen[str]]:
    """Have a source compiled by another process; its compiler has been started."""
    command = [sys.executable, "-c", SCRIPT, source]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "compiling\n"
        yield process


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith("compiler-")}


def entry_of(library: Path) -> set[str]:
    return {f"{library.stem}{suffix}" for suffix in (".so", ".cpp", ".json")}


def aged(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


# --- Found again ---


def test_a_library_is_compiled_once_and_found_without_a_compiler_being_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compilation = Compilation.start(constant(41), "a model")
    assert not compilation.done()
    library = compilation.result()
    assert value_of(library) == 41
    assert names(folder) == entry_of(library)
    assert library.with_suffix(".cpp").read_text() == constant(41)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    toolchains._tried.cache_clear()
    took = []
    for _ in range(5):
        began = time.perf_counter()
        again = Compilation.start(constant(41), "a model")
        assert again.done()
        took.append(time.perf_counter() - began)
    assert again.result() == library
    assert not again.note
    assert min(took) < 0.01  # about 0.5 ms on an idle machine


def test_what_another_process_compiles_is_waited_for_and_found(folder: Path) -> None:
    with at_work(constant(42, SLOW)) as other:
        mine = Compilation.start(constant(42, SLOW), "mine")
        assert not mine.done()
        assert len(list(folder.glob("*.cpp"))) == 1  # one compiler is at work
        library = mine.result()
        assert other.communicate()[0].split() == [str(library)]
    assert value_of(library) == 42
    assert names(folder) == entry_of(library)
    assert [entry.title for entry in open_cache().entries()] == ["elsewhere"]


def test_the_second_waits_for_the_first(folder: Path) -> None:
    first = Compilation.start(constant(43, SLOW), "first")
    second = Compilation.start(constant(43, SLOW), "second")
    assert len(list(folder.glob("*.cpp"))) == 1  # one compiler is at work
    assert not second.done()
    assert first.result() == second.result()
    assert [entry.title for entry in open_cache().entries()] == ["first"]


def test_the_key_is_of_all_that_the_library_depends_on() -> None:
    def key(source: str = "int x;", size: int = 10, **changes: object) -> str:
        usual = {"command": ("c++",), "version": "12", "flags": ("-w",), "host": "h"}
        toolchain = Toolchain(**{**usual, **changes})  # type: ignore[arg-type]
        return key_of(source, toolchain.fingerprint(size))

    keys = [
        key(),
        key("int y;"),
        key(size=LARGE_SOURCE),
        key(command=("g++",)),
        key(version="13"),
        key(flags=("-w", "-fopenmp")),
        key(host="i"),
    ]
    assert len(set(keys)) == len(keys)
    assert key() == keys[0]


def test_nan_and_infinity_keep_their_meaning(folder: Path) -> None:
    source = """
        #include <cmath>
        extern "C" int value() {
          volatile double zero = 0;
          return std::isnan(zero / zero) + 2 * std::isinf(1 / zero) + 4 * (zero / zero != zero);
        }
    """
    assert value_of(shared_library(source)) == 7


# --- Damage ---


def put(folder: Path, source: str, library: bytes) -> Path:
    """Put bytes into the cache as the library of a source."""
    key = key_of(source, find_toolchain(folder).fingerprint(len(source)))
    drafts = folder / "draft.so", folder / "draft.cpp"
    drafts[0].write_bytes(library)
    drafts[1].write_text(source)
    return open_cache().keep(key, *drafts, title="", kind="", seconds=0.0, compiler="")


def cut(library: Path) -> None:
    library.write_bytes(library.read_bytes()[:-1])


def change(library: Path) -> None:
    library.write_bytes(library.read_bytes().replace(b"l", b"L"))


def spoil_record(library: Path) -> None:
    library.with_suffix(".json").write_text("{")


@pytest.mark.parametrize("damage", [cut, change, spoil_record, Path.unlink])
def test_a_damaged_entry_is_compiled_anew(folder: Path, damage: Callable[[Path], None]) -> None:
    library = put(folder, constant(44), b"a library")
    assert open_cache().find(library.stem) == library
    damage(library)
    assert open_cache().find(library.stem) is None
    assert shared_library(constant(44)) == library
    assert value_of(library) == 44
    assert open_cache().find(library.stem) == library


def test_a_whole_library_that_cannot_be_loaded_is_compiled_anew(folder: Path) -> None:
    library = put(folder, constant(45), b"a library")
    assert shared_library(constant(45)) == library
    assert value_of(library) == 45


def test_a_killed_process_leaves_no_entry_and_holds_up_nobody(folder: Path) -> None:
    with at_work(constant(46, SLOW)) as other:
        other.kill()
    assert any(name.endswith(".lock") for name in names(folder))
    assert open_cache().entries() == []
    library = shared_library(constant(46, SLOW))
    assert value_of(library) == 46
    assert [entry.key for entry in open_cache().entries()] == [library.stem]


def test_what_dead_processes_left_is_removed(folder: Path) -> None:
    library = put(folder, constant(46), b"a library")
    other = "0" * 64
    old = [f"{library.stem}.1-ab.so", f"{other}.cpp", f"{other}.lock", f"{other}.1-cd.json"]
    for name in (*old, "mine.txt"):
        (folder / name).touch()
        aged(folder / name, 2 * 3600)
    (folder / "trial-x").mkdir()
    aged(folder / "trial-x", 2 * 3600)
    young = f"{other}.2-ef.cpp"
    (folder / young).touch()
    open_cache().clear(unused_for=3600)
    assert names(folder) == entry_of(library) | {young, "mine.txt"}


def test_a_compilation_that_nobody_holds_any_more_is_stopped(folder: Path) -> None:
    Compilation.start(constant(48, SLOW))
    assert names(folder) == set()


# --- Size ---


def test_the_least_recently_used_go_first_and_those_in_use_stay(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = [shared_library(constant(number)) for number in range(50, 53)]
    size = open_cache().entries()[0].size
    for library, age in zip(libraries, (300, 400, 200), strict=True):
        aged(library.with_suffix(".json"), age)
    shared_library(constant(51))  # is used, which makes it the youngest
    monkeypatch.setenv("PPLC_CACHE_SIZE", f"{3.5 * size / 1000}kB")
    newest = shared_library(constant(53))
    assert names(folder) == set().union(*map(entry_of, (libraries[1], libraries[2], newest)))
    assert value_of(libraries[0]) == 50  # removed, and still there for who has loaded it
    monkeypatch.setenv("PPLC_CACHE_SIZE", "0")
    last = shared_library(constant(54))
    assert names(folder) == set().union(*map(entry_of, (libraries[1], newest, last)))


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("1.5 m", 1_500_000), ("300", 300_000_000), ("", None)]
)
def test_sizes(monkeypatch: pytest.MonkeyPatch, text: str, size: int | None) -> None:
    monkeypatch.setenv("PPLC_CACHE_SIZE", text)
    assert folders.configured_limit() == (size or folders.DEFAULT_LIMIT, "")


def test_a_size_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPLC_CACHE_SIZE", "plenty")
    limit, note = folders.configured_limit()
    assert limit == folders.DEFAULT_LIMIT
    assert "PPLC_CACHE_SIZE=plenty is not a size" in note


# --- The folder ---


def make_read_only(place: Path, patch: pytest.MonkeyPatch) -> None:
    place.chmod(0o500)
    if os.geteuid() == 0:  # whom modes do not stop
        usual = os.access
        patch.setattr(os, "access", lambda path, mode: path != place and usual(path, mode))


def make_open_to_all(place: Path, patch: pytest.MonkeyPatch) -> None:
    del patch
    place.chmod(0o777)


def make_open_to_a_group(place: Path, patch: pytest.MonkeyPatch) -> None:
    del patch
    place.chmod(0o770)


def make_the_folder_above_open(place: Path, patch: pytest.MonkeyPatch) -> None:
    del patch
    place.parent.chmod(0o777)


def make_the_folder_above_another_s(place: Path, patch: pytest.MonkeyPatch) -> None:
    usual = Path.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        status = usual(path, **options)
        owner = status.st_uid + 1234 * (path == place.parent)
        return os.stat_result((*status[:4], owner, *status[5:]))

    patch.setattr(Path, "stat", stat)


def make_another_s(place: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "geteuid", lambda: place.stat().st_uid + 1)


def make_a_file(place: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("PPLC_CACHE_DIR", str(next(place.iterdir())))


@pytest.mark.skipif(sys.platform == "win32", reason="owners and modes are POSIX")
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (make_read_only, "cannot be written to"),
        (make_open_to_all, "Every user can write to the cache folder"),
        (make_open_to_a_group, "A group of users can write to the cache folder"),
        (make_the_folder_above_open, "Every user can write to"),
        (make_the_folder_above_another_s, "Another user can write to"),
        (make_another_s, "belongs to another user"),
        (make_a_file, "is not a folder"),
    ],
)
def test_a_folder_that_cannot_be_used_is_left_alone(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path, pytest.MonkeyPatch], None],
    reason: str,
) -> None:
    kept = shared_library(constant(60))
    spoil(folder, monkeypatch)
    before = names(folder)
    compilation = Compilation.start(constant(60))
    library = compilation.result()
    folder.chmod(0o700)
    assert names(folder) == before
    assert value_of(library) == 60
    assert library.parent != kept.parent
    assert library.parent == folders.private_folder()
    assert reason in compilation.note
    assert "this run only" in compilation.note
    assert "\n" not in compilation.note


@pytest.mark.skipif(sys.platform == "win32", reason="owners and modes are POSIX")
@pytest.mark.parametrize(
    ("mode", "members", "other", "usable"),
    [
        (0o1777, [], 0, True),  # as /tmp
        (0o775, [], 0, True),  # a group of the user's own
        (0o775, ["eve"], 0, False),
        (0o775, [], 1, False),
        (0o755, [], 1, True),
    ],
)
def test_folders_above_the_cache(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: int,
    members: list[str],
    other: int,
    usable: bool,
) -> None:
    import grp

    user = folder.parent.stat().st_gid + other
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group(("mine", "x", gid, members)))
    folder.parent.chmod(mode)
    if other:
        os.chown(folder, user, -1) if os.getuid() == 0 else pytest.skip("needs another user")
    assert (folders.why_unusable(folder) == "") == usable


def test_folders_are_made_for_their_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PPLC_CACHE_DIR", str(tmp_path / "new" / "cache"))
    usual = os.umask(0)
    try:
        assert folders.usable_folder() == (tmp_path / "new" / "cache", "")
    finally:
        os.umask(usual)
    assert [p.stat().st_mode & 0o777 for p in tmp_path.rglob("*")] == [0o700, 0o700]


def test_a_link_is_followed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    monkeypatch.setenv("PPLC_CACHE_DIR", str(link))
    assert open_cache().folder == folder


def test_a_disk_without_room_is_got_round(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Path.write_text

    def full(path: Path, *args: str, **kwargs: str) -> int:
        if path.parent == folder:
            raise OSError(28, "No space left on device")
        return usual(path, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", full)
    compilation = Compilation.start(constant(61))
    assert value_of(compilation.result()) == 61
    assert "No space left on device" in compilation.note
    assert names(folder) == set()


def test_the_usual_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PPLC_CACHE_DIR", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert folders.configured_folder() == tmp_path / "pplc"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folders.configured_folder() == tmp_path / ".cache" / "pplc"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert folders.configured_folder() == tmp_path / "Library" / "Caches" / "pplc"


# --- The compiler ---


def test_native_code_can_be_switched_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared_library(constant(70))
    monkeypatch.setenv("PPLC_COMPILER", "none")
    with pytest.raises(CompilerUnavailable, match="switched off by PPLC_COMPILER=none"):
        shared_library(constant(70))


def test_without_a_compiler_the_remedy_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(NativeUnavailable, match=r"no C\+\+ compiler .* apt install g\+\+"):
        shared_library(constant(71))
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(NativeUnavailable, match="xcode-select --install"):
        shared_library(constant(71))


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_compiler_that_does_not_work_is_passed_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = script(
        tmp_path / "broken", "echo 'trial.cpp:1:10: fatal error: no headers' >&2; exit 1"
    )
    monkeypatch.setenv("CXX", broken)
    assert find_toolchain(folder).command[0] != broken
    monkeypatch.setenv("PPLC_COMPILER", broken)
    with pytest.raises(CompilerUnavailable, match="broken does not work: line 1: no headers"):
        find_toolchain(folder)


def test_a_compiler_that_hangs_is_tried_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(toolchains, "_PATIENCE", 0.2)
    hangs = script(tmp_path / "hangs", f"echo x >>{tmp_path}/calls; exec sleep 60")
    monkeypatch.setenv("PPLC_COMPILER", hangs)
    with pytest.raises(CompilerUnavailable, match=r"not compile a few lines within 0\.2 s"):
        find_toolchain(folder)
    assert (tmp_path / "calls").read_text() == "x\n"
    assert not list(folder.glob("trial*"))


def test_a_compilation_that_hangs_is_given_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usual = find_toolchain(folder).command[0]
    hangs = f'case "$*" in *trial*|--version) exec {usual} "$@";; esac; exec sleep 60'
    monkeypatch.setenv("PPLC_COMPILER", script(tmp_path / "hangs", hangs))
    find_toolchain(folder)
    monkeypatch.setattr(builds, "_LONGEST", 0.2)
    with pytest.raises(CompileError, match=r"did not end within 0\.2 s"):
        shared_library(constant(48))


def test_a_library_without_the_code_is_not_run(folder: Path) -> None:
    library, nothing = shared_library("int other;"), cast(Any, None)
    with pytest.raises(NativeUnavailable, match="without the code"):
        NativeRunner(library, nothing, nothing, (), (), {})


def test_cancelling_stops_the_compiler_with_all_that_it_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usual = find_toolchain(folder).command[0]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    slow = f'case "$*" in *trial*|--version) exec {usual} "$@";; esac; (sleep 20) >{pipe} & wait'
    monkeypatch.setenv("CXX", script(tmp_path / "slow", slow))
    compilation = Compilation.start(constant(47))
    with pipe.open("rb") as alive:
        began = time.perf_counter()
        compilation.cancel()
        assert alive.read() == b""  # which ends when nobody has the pipe open any more
        assert time.perf_counter() - began < 1.5
    assert compilation.done()
    with pytest.raises(CompileError, match="cancelled"):
        compilation.result()
    assert names(folder) == set()


def test_openmp_is_left_out_where_it_does_not_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usual = find_toolchain(folder).command[0]
    refuse = 'for word; do [ "$word" != -fopenmp ] || exit 1; done'
    monkeypatch.setenv("CXX", script(tmp_path / "plain", f'{refuse}; exec {usual} "$@"') + " -DX=1")
    found = find_toolchain(folder)
    assert found.command == (str(tmp_path / "plain"), "-DX=1")
    assert "-fopenmp" not in found.flags
    assert "-fopenmp-simd" in found.flags
    assert value_of(shared_library('extern "C" int value() { return X; }')) == 1


def test_a_compiler_s_refusal_is_told_in_short(folder: Path) -> None:
    with pytest.raises(CompileError, match=r"code: line 2: .*nothing.*\(for an hour") as caught:
        shared_library("int a;\nint b = nothing;\nint c = nothing;\n")
    assert "\n" not in str(caught.value)
    kept = Path(str(caught.value).rpartition(" in ")[2].rstrip(")"))
    assert kept.read_text().startswith("int a;")
    assert names(folder) == {kept.name}


def test_a_title_may_be_anything(folder: Path) -> None:
    title = '"; touch /tmp/x; $(id) \x1b[1m\n'
    shared_library(constant(72), title)
    assert open_cache().entries()[0].title == title


def test_first_errors() -> None:
    gcc = "In file included from x.cpp:1:\n/a/b.cpp:12:3: error: 'y' was not declared\nmore\n"
    assert first_error(gcc) == "line 12: 'y' was not declared"
    assert first_error("g++: fatal error: Killed signal terminated program cc1plus") == (
        "Killed signal terminated program cc1plus"
    )
    assert first_error("/usr/bin/ld: cannot find -lm: no such file") == (
        "/usr/bin/ld: cannot find -lm: no such file"
    )
    assert first_error("\n") == "it printed nothing"


def test_a_missing_folder_is_an_empty_cache(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "missing", 0)
    assert cache.entries() == []
    assert cache.find("0" * 64) is None
    assert cache.clear() == (0, 0)
