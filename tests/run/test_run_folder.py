"""The output folder: one fit or the other, never a mix, and nothing of the user's is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from compiler.diagnostics import Diagnostics, SpecError
from compiler.run import folder as folders
from compiler.run.folder import OutputFolder
from compiler.run.settling import add_file, hash_of, settled

ROOT = Path(__file__).parents[2]
OLD = {"settings.json": "old", "chosen.ppl": "old", "report.html": "old"}
NEW = {"settings.json": "new", "chosen.ppl": "new", "spec.ppl": "new"}


def write_files(contents: dict[str, str], place: Path) -> None:
    for name, text in contents.items():
        mark = folders.MARK if name == folders.SETTINGS_FILE else {}
        (place / name).write_text(json.dumps({**mark, "of": text}))


def output(path: Path) -> OutputFolder:
    return OutputFolder(path, Diagnostics("m.ppl", ""))


def save(path: Path, contents: dict[str, str]) -> OutputFolder:
    with output(path) as folder:
        folder.write(partial(write_files, contents))
    return folder


def found(path: Path) -> dict[str, str]:
    """What is in a folder, by name; hidden files aside, and `of` alone of what we wrote."""
    texts = {p.name: p.read_text() for p in path.iterdir() if p.is_file() and p.name[0] != "."}
    return {
        name: json.loads(text)["of"] if '"of"' in text else text for name, text in texts.items()
    }


def hidden(path: Path) -> list[str]:
    return sorted(p.name for p in path.rglob(".*") if p.name != ".pplc.json")


def test_another_fit_takes_the_place_of_the_files_of_the_last_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    save(out, OLD)
    assert save(out, NEW).notes == ()
    assert found(out) == NEW
    assert hidden(tmp_path) == []


def test_what_the_user_put_there_stays_under_its_name(tmp_path: Path) -> None:
    save(tmp_path / "out", OLD)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    (tmp_path / "out" / "plots" / "deep").mkdir(parents=True)
    (tmp_path / "out" / "plots" / "deep" / "a.png").write_text("mine")
    assert save(tmp_path / "out", NEW).notes == ()
    assert found(tmp_path / "out") == {**NEW, "notes.txt": "mine"}
    assert (tmp_path / "out" / "plots" / "deep" / "a.png").read_text() == "mine"


def edit(path: Path) -> None:
    path.write_text("mine")


def make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "thesis.tex").write_text("mine")


def make_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("change", [edit, make_a_folder, make_a_link])
@pytest.mark.parametrize("name", ["chosen.ppl", "spec.ppl"])
def test_what_the_user_changed_stays_under_another_name(
    tmp_path: Path, name: str, change: Callable[[Path], None]
) -> None:
    out = tmp_path / "out"
    save(out, OLD)
    (out / name).touch()
    change(out / name)
    (out / name.replace(".", "-2.")).write_text("mine too")
    told = save(out, NEW)
    kept = name.replace(".", "-3.")
    assert told.notes == (f"{name} in {out} had been changed; it is kept as {kept}",)
    assert found(out).items() >= NEW.items()
    assert found(out)[name.replace(".", "-2.")] == "mine too"
    if change is edit:
        assert (out / kept).read_text() == "mine"
    elif change is make_a_folder:
        assert (out / kept / "thesis.tex").read_text() == "mine"
    else:
        assert os.readlink(out / kept) == "elsewhere"
    save(out, OLD)
    assert found(out).items() >= OLD.items()
    assert os.path.lexists(out / kept)


def test_files_of_the_last_fit_that_are_no_longer_written_stay_if_changed(tmp_path: Path) -> None:
    save(tmp_path / "out", OLD)
    edit(tmp_path / "out" / "report.html")
    save(tmp_path / "out", NEW)
    assert found(tmp_path / "out") == {**NEW, "report.html": "mine"}


def test_a_report_that_is_added_belongs_to_the_fit(tmp_path: Path) -> None:
    out = tmp_path / "out"
    save(out, NEW)
    add_file(out, "report.html", b"one")
    add_file(out, "report.html", b"two")
    assert found(out) == {**NEW, "report.html": "two"}
    save(out, NEW)
    assert found(out) == NEW
    edit(out / "spec.ppl")
    add_file(out, "spec.ppl", b"added")
    assert found(out) == {**NEW, "spec.ppl": "added", "spec-2.ppl": "mine"}


def test_a_manifest_from_elsewhere_names_no_files_outside(tmp_path: Path) -> None:
    out, mine = tmp_path / "out", tmp_path / "mine.txt"
    save(out, OLD)
    mine.write_text("mine")
    (out / ".pplc.json").write_text(json.dumps({"../mine.txt": hash_of(mine), "a": [1]}))
    (out / ".pplc-new").symlink_to(tmp_path)
    (tmp_path / ".pplc.json").write_text("{}")
    with settled(out):
        pass
    assert mine.read_text() == "mine"
    (out / ".pplc-new").unlink()
    save(out, NEW)
    assert mine.read_text() == "mine"


# --- What happens meanwhile ---


def take_the_name(out: Path) -> None:
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    edit(out / "spec.ppl")


def take_the_name_for_a_file(out: Path) -> None:
    out.write_text("mine")


def make_it_empty(out: Path) -> None:
    out.mkdir()


def fit_there_too(out: Path) -> None:
    save(out, OLD)


def tidy_up(out: Path) -> None:
    for path in out.parent.iterdir():
        (path / ".pplc.json").unlink()
        path.rmdir()


def nothing(out: Path) -> None:
    del out


@pytest.mark.parametrize(
    ("meanwhile", "place", "beside"),
    [
        (nothing, "out", {}),
        (take_the_name, "out", {"thesis.tex": "mine", "spec-2.ppl": "mine"}),
        (take_the_name_for_a_file, "out-2", {}),
        (make_it_empty, "out", {}),
        (fit_there_too, "out", {}),
        (tidy_up, "out", {}),
    ],
)
def test_what_is_done_to_the_folder_during_the_fit(
    tmp_path: Path, meanwhile: Callable[[Path], None], place: str, beside: dict[str, str]
) -> None:
    with output(tmp_path / "out") as folder:
        meanwhile(tmp_path / "out")
        assert folder.write(partial(write_files, NEW)) == tmp_path / place
    assert found(tmp_path / place) == {**NEW, **beside}
    assert hidden(tmp_path) == []
    assert (tmp_path / "out").is_dir() or (tmp_path / "out").read_text() == "mine"


def test_an_earlier_fit_that_is_removed_meanwhile(tmp_path: Path) -> None:
    save(tmp_path / "out", OLD)
    with output(tmp_path / "out") as folder:
        subprocess.run(["rm", "-r", tmp_path / "out"], check=True)
        folder.write(partial(write_files, NEW))
    assert found(tmp_path / "out") == NEW


# --- Places ---


def test_places_that_may_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk/fit")
    monkeypatch.chdir(tmp_path / "empty")
    for path in (".", "../deep/er/out", "../link", "../" + 60 * "ü"):
        for contents in (OLD, NEW):
            save(Path(path), contents)
            assert found(Path(path)) == contents
    assert (tmp_path / "link").is_symlink()
    assert hidden(tmp_path) == []


def loop(path: Path) -> None:
    path.symlink_to(path)


def other_things(path: Path) -> None:
    path.mkdir()
    (path / "thesis.tex").write_text("mine")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (other_things, "exists, and is a folder of other things"),
        (edit, "exists, and is a file"),
        (loop, "cannot be written"),
    ],
)
def test_places_that_may_not(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    make(tmp_path / "out")
    with pytest.raises(SpecError, match=words), output(tmp_path / "out"):
        pytest.fail("entered")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    for path in (tmp_path / "out" / "below", tmp_path / (300 * "x"), Path("a\0b")):
        if make is not other_things:
            with pytest.raises(SpecError, match="PPL098"), output(path):
                pytest.fail("entered")


def test_a_fit_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(place: Path) -> None:
        write_files(NEW, place)
        raise OSError(28, "No space left on device")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(SpecError, match="No space left"), output(tmp_path / "a" / "b") as folder:
        folder.write(full)
    assert list(tmp_path.iterdir()) == []
    save(tmp_path / "out", OLD)
    with pytest.raises(SpecError, match="No space left") as caught, output(Path("out")) as folder:
        folder.write(full)
    assert "make room, or give another one" in str(caught.value)
    assert found(tmp_path / "out") == OLD
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("place", ["temporary", "here", "home"])
@pytest.mark.parametrize("gone", [False, True], ids=["full", "taken"])
def test_what_cannot_be_written_after_a_fit_is_saved_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, gone: bool
) -> None:
    for name in ("temporary", "here", "home", "disk"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    target, room = tmp_path / "disk" / "out", [place] + ["disk"] * gone

    def write(folder: Path) -> None:
        write_files(NEW, folder)
        if folder.relative_to(tmp_path).parts[0] not in room:
            raise OSError(28, "No space left on device")

    with output(target) as folder:
        if gone:
            shutil.rmtree(tmp_path / "disk")
            other_things(tmp_path / "disk")
            other_things(target)
        with pytest.raises(SpecError, match="PPL098") as caught:
            folder.write(write)
    (told,) = caught.value.diagnostics
    (saved,) = (tmp_path / place).iterdir()
    reason = "it exists, and is a folder of other things" if gone else "No space left on device"
    assert told.message == (
        f"the output folder {target} cannot be written: {reason}; the results are in {saved}"
    )
    assert told.remedy == "make room, then move that folder to where it belongs"
    assert found(saved) == NEW
    assert saved.stat().st_mode & 0o077 == 0
    assert len([p for p in tmp_path.rglob("out*") if p != target]) == 1
    save(saved, OLD)  # it is the output of a fit like any other
    assert not hidden(tmp_path)


# --- Kills and interrupts ---

KILLS = """
import json, os, shutil, sys
from pathlib import Path
from test_run_folder import NEW, OLD, edit, found, save
sys.path.pop(0)
place, steps, states = Path(sys.argv[1]), {"os.rename", "os.remove", "os.rmdir", "os.mkdir"}, []
for before in (False, True):
    for number in range(1000):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        if before:
            save(place / "out", OLD)
            edit(place / "out" / "chosen.ppl")
            (place / "out" / "notes.txt").write_text("mine")
        child = os.fork()
        if not child:
            count = iter(range(number))
            def step(event, arguments):
                if event in steps and next(count, None) is None:
                    os._exit(9)
            sys.addaudithook(step)
            save(place / "out", NEW)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        shutil.copytree(place, place.parent / f"{before}{number}")
        if not code:
            break
"""


def whole(out: Path, kept: dict[str, str]) -> str:
    """Which fit is in a folder that held another one, an edited file and notes; fails on a mix."""
    with settled(out):
        files = found(out)
    assert files.pop("notes.txt", "mine") == "mine"
    ours = {name: text for name, text in files.items() if text in ("old", "new")}
    theirs = [text for text in files.values() if text == "mine"]
    assert len(theirs) == len(kept)
    assert ours in ({k: v for k, v in OLD.items() if k not in kept}, NEW)
    return ours["settings.json"]


def left_at_most_a_step(place: Path) -> None:
    """What a killed process left is gone, unless that was the step before or after its marks."""
    for path in map(next, map(place.rglob, hidden(place))):
        assert list(path.iterdir()) == [] or found(path) == NEW


def test_a_kill_at_any_step_leaves_one_fit_or_the_other(tmp_path: Path) -> None:
    path = os.pathsep.join((str(ROOT), str(Path(__file__).parent)))
    place = tmp_path / "now"
    subprocess.run(
        [sys.executable, "-c", KILLS, place],
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    fresh = sorted(tmp_path.glob("False*"), key=lambda p: int(p.name[5:]))
    assert len(fresh) > 2
    for place in fresh[:-1]:
        if (place / "out").exists():
            assert found(place / "out") == NEW
        save(place / "out", NEW)
        left_at_most_a_step(place)
    ends = []
    for place in sorted(tmp_path.glob("True*"), key=lambda p: int(p.name[4:])):
        ends.append(whole(place / "out", {"chosen.ppl": "mine"}))
        save(place / "out", NEW)
        left_at_most_a_step(place)
        assert found(place / "out").items() >= NEW.items()
    assert ends == sorted(ends, reverse=True)  # old up to some step, and new from then on
    assert {"old", "new"} == set(ends)
    assert len(ends) > 8


@contextmanager
def interrupted_at(number: int) -> Iterator[list[str]]:
    """Raise KeyboardInterrupt at a step of what is done to files."""
    seen: list[str] = []

    def wrap(name: str) -> Callable[..., object]:
        usual = getattr(Path, name)

        def step(path: Path, *args: object, **options: object) -> object:
            seen.append(name)
            if len(seen) - 1 == number:
                raise KeyboardInterrupt
            return usual(path, *args, **options)

        return step

    with pytest.MonkeyPatch.context() as patch:
        for name in ("rename", "replace", "unlink", "rmdir", "mkdir"):
            patch.setattr(Path, name, wrap(name))
        yield seen


@pytest.mark.parametrize("before", [False, True])
def test_an_interrupt_at_any_step_leaves_one_fit_and_nothing_hidden(
    tmp_path: Path, before: bool
) -> None:
    for number in range(1000):
        place = tmp_path / str(number)
        place.mkdir()
        if before:
            save(place / "out", OLD)
            edit(place / "out" / "chosen.ppl")
        with interrupted_at(number) as steps, suppress(KeyboardInterrupt):
            save(place / "out", NEW)
        assert hidden(place) == [], number
        if before:
            whole(place / "out", {"chosen.ppl": "mine"})
        elif (place / "out").exists():
            assert found(place / "out") == NEW
        if len(steps) <= number:
            break
    assert number >= 4


def test_fits_that_end_at_once_leave_one_of_them(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from test_run_folder import NEW, found, hidden, save, settled\n"
        "place, mine = Path(sys.argv[1]), {name: sys.argv[2] for name in NEW}\n"
        "for _ in range(30):\n"
        "    save(place / 'out', mine)\n"
        "    with settled(place / 'out'):\n"
        "        files = found(place / 'out')\n"
        "    assert len(set(files.values())) == 1 and len(files) == 3, files\n"
    )
    path = os.pathsep.join((str(ROOT), str(Path(__file__).parent)))
    fits = [
        subprocess.Popen(
            [sys.executable, "-c", code, tmp_path, str(name)],
            env={**os.environ, "PYTHONPATH": path},
        )
        for name in range(3)
    ]
    assert [fit.wait() for fit in fits] == [0, 0, 0]
    assert len(set(found(tmp_path / "out").values())) == 1
    assert hidden(tmp_path) == []
