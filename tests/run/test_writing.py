"""A file is written whole, or stays as it is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from compiler.writing import write_whole


def test_links_are_followed_and_permissions_kept(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to("file")
    write_whole(link, b"one")
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~_umask()
    file.chmod(0o640)
    write_whole(link, b"two")
    assert file.read_bytes() == b"two"
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "link"]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    """As is /dev/null, which root would replace by a file."""
    os.mkfifo(tmp_path / "pipe")
    handle = os.open(tmp_path / "pipe", os.O_RDWR)
    write_whole(tmp_path / "pipe", b"text")
    assert os.read(handle, 9) == b"text"
    os.close(handle)
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_what_goes_wrong_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    (tmp_path / "file").write_text("old")
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(type(error)):
        write_whole(tmp_path / "file", b"new")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"file": "old"}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
