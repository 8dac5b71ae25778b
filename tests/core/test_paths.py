"""Paths and folders of users."""

import os
from pathlib import Path

import pytest

from autoq.core import ConfigError, OutputError, made_folder, path_in_url, path_of, shown_path

# 4,095 bytes.
LONGEST = "/".join(["x" * 255] * 16)


@pytest.mark.parametrize("given", ["a", Path("a/b"), "x" * 255, "é" * 127 + "x", LONGEST, "\udcff"])
def test_a_path_that_can_be_is_kept(given):
    assert path_of(given, "model", ConfigError) == Path(given)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "it is empty"),
        ("a\0b", "a path has no NUL"),
        ("a/" + "x" * 256 + "/b", "its parts may have 255 bytes, and the whole path 4095"),
        ("é" * 128, "its parts may have 255 bytes"),
        (LONGEST + "/", "and the whole path 4095"),
        ("\ud800", "this system's encoding of file names lacks a character of it"),
        (b"bytes", "it must be a text or a path"),
        (None, "it must be a text or a path"),
        (3, "it must be a text or a path"),
    ],
)
def test_a_path_that_cannot_be_is_refused_with_the_reason(given, why):
    with pytest.raises(ConfigError, match=f"^model .* can be no path: .*{why}"):
        path_of(given, "model", ConfigError)


def test_a_folder_is_made_with_those_above_it(tmp_path):
    assert made_folder(tmp_path / "a" / "b", "out") == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()
    made_folder(str(tmp_path / "a" / "b"), "out")


def test_a_folder_that_cannot_be_made_or_written_to_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"^out '.*file/x' cannot be made: Not a directory; name a folder"):
        made_folder(tmp_path / "file" / "x", "out")
    asked = []
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append((path, mode)))
    with pytest.raises(OutputError, match=r"^out '.*' cannot be written to; name another one"):
        made_folder(tmp_path, "out")
    assert asked == [(tmp_path, os.W_OK)]


def test_a_path_in_a_url_has_no_marks_of_the_url():
    assert path_in_url(Path("/a b/100%?{x}#é.db")) == "/a b/100%25%3F%7Bx%7D#é.db"


def test_a_path_inside_the_working_folder_is_shown_from_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown_path(tmp_path / "a" / "b") == str(Path("a", "b"))
    assert shown_path("c") == "c"
    assert shown_path("/elsewhere") == "/elsewhere"


def test_where_the_working_folder_is_gone_a_path_is_shown_whole(tmp_path, monkeypatch):
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert shown_path(tmp_path / "a") == str(tmp_path / "a")
