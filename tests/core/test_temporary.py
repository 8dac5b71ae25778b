"""Temporary folders: they end with their use, or at the next start."""

import os
import tempfile
from pathlib import Path

import pytest

from autoq.core import OutputError, sweep_temporary, temporary_folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The user's folder for temporary files, not made yet."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"autoq-{os.getuid()}"


def test_a_folder_is_there_as_long_as_it_is_used(home):
    with temporary_folder() as folder, temporary_folder() as other:
        assert not list(folder.iterdir())
        assert folder != other
        assert folder.parents[1] == home
        assert home.stat().st_mode & 0o777 == 0o700
        (folder / "file").write_text("x")
        assert sweep_temporary() == 0
        assert tempfile.gettempdir() == str(home.parent)
    assert not list(home.iterdir())


def test_files_of_libraries_go_there_meanwhile_and_one_that_is_used_longer_stays(home):
    with temporary_folder(libraries=True) as folder:
        left = Path(tempfile.mkdtemp())
        assert left.parents[1] == folder.parent
    assert tempfile.gettempdir() == str(home.parent)
    assert left.is_dir()
    assert not folder.exists()
    # This process is alive, and so is what it holds.
    assert sweep_temporary() == 0


def test_folders_of_the_killed_are_removed(home):
    left = home / ".work.01234567.draft" / "own"
    left.mkdir(parents=True)
    assert sweep_temporary() == 1
    left.mkdir(parents=True)
    with temporary_folder() as folder:
        assert list(home.iterdir()) == [folder.parent]
    # It is swept at the first use.
    left.mkdir(parents=True)
    with temporary_folder():
        assert left.exists()


@pytest.mark.parametrize("kind", ["a link", "another user's"])
def test_the_folder_of_another_user_is_refused(home, kind, monkeypatch):
    if kind == "a link":
        (home.parent / "elsewhere").mkdir()
        home.symlink_to(home.parent / "elsewhere")
    else:
        home.mkdir()
        uid = os.getuid()
        monkeypatch.setattr(os, "getuid", iter([uid, uid + 1]).__next__)
    with pytest.raises(OutputError, match="belongs to another user; set TMPDIR"), temporary_folder():
        pass
