"""Searches side by side: several names in one folder, one process on each."""

import os
from contextlib import ExitStack

import pytest

from autoq.api.results._folder import RunFolder
from autoq.api.searches._places import taken
from autoq.core import BusyError, StoredFileError


def test_each_name_has_a_folder_of_its_own_in_one(tmp_path):
    with ExitStack() as stack:
        out = RunFolder.create(tmp_path / "out")
        first, _ = taken(stack, out, None, "a")
        assert first == out
        for name in ("../b", "best", "x" * 300):
            other, _ = taken(stack, out, None, name)
            assert other.path.parent == out.path / "searches"
            assert other.cache == out.cache
        assert len(list((out.path / "searches").iterdir())) == 3
        with pytest.raises(BusyError, match=rf"study '\.\./b' in storage .* process {os.getpid()} on host"):
            taken(stack, out, None, "../b")
    assert out.of_search("a") == out
    assert {file.name for file in tmp_path.iterdir()} == {"out"}


def test_a_folder_inside_of_another_may_be_named_itself(tmp_path):
    out = RunFolder.create(tmp_path)
    out.of_search("a")
    inner = out.of_search("b")
    assert RunFolder.create(inner.path).of_search("b") == inner
    deeper = RunFolder.create(inner.path).of_search("c")
    assert deeper.path == inner.path / "searches" / "c"
    assert deeper.cache == out.cache


def test_a_folder_is_one_searchs_at_a_time_wherever_its_study_is(tmp_path):
    out = RunFolder.create(tmp_path / "out")
    with ExitStack() as stack:
        taken(stack, out, None, "a")
        with pytest.raises(BusyError, match=rf"output folder .* is at work in process {os.getpid()} on host"):
            taken(stack, out, f"sqlite:///{tmp_path}/another.db", "a")
    assert not list(tmp_path.rglob("*.lock"))
    assert not list(tmp_path.rglob(".lock"))


def test_a_folder_whose_owner_cannot_be_read_is_left_alone(tmp_path):
    out = RunFolder.create(tmp_path)
    out.of_search("a")
    (tmp_path / "search.json").write_text("{")
    with pytest.raises(StoredFileError, match=r"search\.json.* remove it"):
        out.of_search("a")
