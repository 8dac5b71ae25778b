"""Files that last: whole or not at all, whatever ends the process that writes them."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autoq.core import (
    OutputError,
    drafted,
    drafted_folder,
    drafted_once,
    drafted_together,
    removed,
    sweep,
    write_text,
)
from autoq.core.files import _writing as writing


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "it's a plan.json"
    with drafted(path) as draft:
        draft.write_text("half")
        assert not path.exists()
        assert draft.name == path.name
        draft.write_text("whole")
    assert path.read_text() == "whole"
    assert names(tmp_path) == {path.name}


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a", "before")

    def interrupted() -> None:
        with drafted(path) as draft:
            draft.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "before"
    assert names(tmp_path) == {"a"}


def test_a_folder_takes_the_place_of_another_with_all_that_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "best"
    for number in range(3):
        with drafted_folder(path) as draft:
            for name in ("model.xml", f"only-{number}"):
                (draft / name).write_text(str(number))
        assert names(path) == {"model.xml", f"only-{number}"}
        assert (path / "model.xml").read_text() == str(number)
    assert names(tmp_path) == {"best"}


def test_folders_are_replaced_where_the_file_system_cannot_exchange_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_exchanged", lambda one, other: False)
    test_a_folder_takes_the_place_of_another_with_all_that_it_holds(tmp_path)


def test_files_that_stand_beside_others_are_replaced_together(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("untouched")
    for number in range(2):
        with drafted_together(tmp_path / "m.xml", tmp_path / "m.bin") as folder:
            (folder / "m.xml").write_text(str(number))
            (folder / "m.bin").write_text(str(number))
        assert [(tmp_path / name).read_text() for name in ("m.xml", "m.bin")] == [str(number)] * 2
    assert names(tmp_path) == {"other", "m.xml", "m.bin"}


@pytest.mark.parametrize("place", ["no folder/x", "file/x"])
def test_where_nothing_can_be_written_that_is_said(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"/x' cannot be written: (No such file|Not a directory)"):
        write_text(tmp_path / place, "")


def test_a_name_as_long_as_names_get_can_be_written(tmp_path: Path) -> None:
    path = write_text(tmp_path / ("图" * 85), "")
    assert names(tmp_path) == {path.name}


# Each is run in a process of its own, which is killed at every call that changes a folder.
WRITES = {
    "drafted": "writing.write_text(here / 'a', new)",
    "folder": """
with writing.drafted_folder(here / "best") as draft:
    for name in ("x", "y"):
        (draft / name).write_text(new)
""",
    "together": """
with writing.drafted_together(here / "x", here / "y") as draft:
    for name in ("x", "y"):
        (draft / name).write_text(new)
""",
}
KILLED = """
import os, signal, sys
from pathlib import Path
from autoq.core.files import _writing as writing
here, new, kill_at = Path(sys.argv[1]), "new", int(sys.argv[2])
if sys.argv[3] == "no exchange":
    writing._exchanged = lambda one, other: False
done = 0
def audited(event, args):
    global done
    if event in {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "open", "ctypes.call_function"}:
        paths = [str(a) for a in args if isinstance(a, str | bytes | os.PathLike)]
        if event.startswith("ctypes") or any(str(here) in p for p in paths):
            done += 1
            if done == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(audited)
"""


@pytest.mark.slow
@pytest.mark.parametrize("exchange", ["exchange", "no exchange"])
@pytest.mark.parametrize("kind", WRITES)
def test_killed_anywhere_files_are_all_old_or_all_new_and_drafts_are_swept(
    tmp_path: Path, kind: str, exchange: str
) -> None:
    killed = 0
    for kill_at in range(1, 60):
        here = tmp_path / str(kill_at)
        here.mkdir()
        if kind == "drafted":
            write_text(here / "a", "old")
        elif kind == "folder":
            (here / "best").mkdir()
            for name in ("x", "y"):
                (here / "best" / name).write_text("old")
        else:
            for name in ("x", "y"):
                (here / name).write_text("old")
        (here / ".somebody.else.part").write_text("")
        command = [sys.executable, "-c", KILLED + WRITES[kind], str(here), str(kill_at), exchange]
        ended = subprocess.run(command, check=False)
        assert ended.returncode in {0, -signal.SIGKILL}
        sweep(here)
        left = {path.name: path.read_text() for path in here.rglob("*") if path.is_file()}
        assert left.pop(".somebody.else.part") == ""
        contents = set(left.values())
        assert len(contents) == 1
        if kind == "together":
            # What the others are found by may be missing; an old one never stands beside a new one.
            assert left.keys() in ({"x", "y"}, {"y"})
        else:
            assert left.keys() == ({"a"} if kind == "drafted" else {"x", "y"})
        if ended.returncode == 0:
            assert contents == {"new"}
            break
        killed += 1
    assert killed > 5


def test_drafts_of_the_living_are_not_swept(tmp_path: Path) -> None:
    with drafted(tmp_path / "a") as draft:
        draft.write_text("")
        assert sweep(tmp_path) == 0
    dead = tmp_path / ".a.01234567.draft"
    dead.mkdir()
    (dead / "a").write_text("half")
    assert sweep(tmp_path) == 1
    assert names(tmp_path) == {"a"}


def test_drafts_of_one_file_are_swept_alone_and_folders_of_others_never(tmp_path):
    for name in (".a.01234567.draft", ".b.01234567.draft", ".notes.draft", ".a.old.draft"):
        (tmp_path / name).mkdir()
    assert sweep(tmp_path, "a") == 1
    assert sweep(tmp_path) == 1
    assert {file.name for file in tmp_path.iterdir()} == {".notes.draft", ".a.old.draft"}


def test_a_file_that_is_there_is_not_made_once_more(tmp_path):
    path = tmp_path / "a"
    with drafted_once(path) as draft:
        draft.write_text("one")
    with pytest.raises(FileExistsError), drafted_once(path) as draft:
        draft.write_text("two")
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]


def failing(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK])
def test_a_new_file_is_made_where_the_file_system_has_no_links(tmp_path, monkeypatch, number):
    monkeypatch.setattr(Path, "hardlink_to", failing(number))
    test_a_file_that_is_there_is_not_made_once_more(tmp_path)


def test_a_link_that_fails_for_another_reason_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "hardlink_to", failing(errno.EIO))
    with pytest.raises(OutputError, match=r"/a' cannot be written: "), drafted_once(tmp_path / "a") as draft:
        draft.write_text("one")
    assert not names(tmp_path)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EBADF])
def test_file_systems_that_do_not_flush_are_written_to(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "fsync", failing(number))
    assert write_text(tmp_path / "a", "x").read_text() == "x"


def test_what_does_not_reach_the_disk_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OutputError, match=r"/a' cannot be written: Input/output error"):
        write_text(tmp_path / "a", "x")
    assert not names(tmp_path)


def test_all_that_is_written_is_flushed(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.path.realpath(f"/proc/self/fd/{descriptor}")))
    with drafted(tmp_path / "a") as draft:
        draft.write_text("")
    assert flushed == [str(draft), str(tmp_path)]
    flushed.clear()
    with drafted_together(tmp_path / "x", tmp_path / "y") as folder:
        (folder / "x").write_text("")
        (folder / "y").write_text("")
    assert flushed == [str(folder / "x"), str(folder / "y"), str(tmp_path), str(tmp_path)]
    flushed.clear()
    with drafted_folder(tmp_path / "best") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "x").write_text("")
    assert flushed == [str(folder), str(folder / "deep" / "x"), str(folder / "deep"), str(tmp_path)]


def test_text_is_utf_8_with_plain_line_ends(tmp_path):
    path = write_text(tmp_path / "a", "图\n\udcff\n")
    assert path.read_bytes() == "图\n\\udcff\n".encode()


def test_a_folder_is_removed_with_all_that_it_holds(tmp_path):
    (tmp_path / "best" / "deep").mkdir(parents=True)
    removed(tmp_path / "best")
    removed(tmp_path / "best")
    assert not names(tmp_path)


@pytest.mark.parametrize("there", [False, True])
def test_what_a_killed_process_was_replacing_is_put_back(tmp_path, there):
    earlier = tmp_path / ".best.01234567.draft" / "earlier" / "best"
    earlier.mkdir(parents=True)
    (earlier / "model.xml").write_text("old")
    if there:
        write_text(tmp_path / "best", "new")
    assert sweep(tmp_path) == 1
    assert names(tmp_path) == {"best"}
    assert (tmp_path / "best").is_file() == there
    assert there or (tmp_path / "best" / "model.xml").read_text() == "old"


def test_drafts_of_a_long_name_are_swept_by_that_name(tmp_path):
    name = "x" * 41
    (tmp_path / f".{name[:40]}.01234567.draft").mkdir()
    assert sweep(tmp_path, name) == 1
    assert sweep(tmp_path / "nowhere") == 0
    (tmp_path / ".a.01234567.draft").write_text("no folder")
    assert sweep(tmp_path) == 0
