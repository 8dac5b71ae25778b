"""Files that are read again: what is damaged, foreign or of another version is told from what is good."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoq.core import (
    Format,
    StoredFileError,
    read_arrays,
    read_npy,
    read_npz,
    read_record,
    stamped,
    write_arrays,
    write_record,
)
from autoq.core.files import _stored

PLAN = Format("a plan", 2, "save the plan again")
VALUES = {"name": "图 it's", "parts": [1.5, None, {"7": [True, "x"]}], "least": 5e-324}


def as_it_is(values: Any) -> Any:
    return values


def as_pair(about: Any, arrays: Any) -> Any:
    return about, arrays


def test_values_come_back(tmp_path: Path) -> None:
    path = write_record(tmp_path / "plan.json", PLAN, VALUES | {"by number": {3: 4}})
    assert read_record(path, PLAN, as_it_is) == VALUES | {"by number": {"3": 4}}
    assert json.loads(path.read_text())["autoq"]["version"] == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:-20], "is damaged: it is no JSON, or the end is missing; save the plan again"),
        (lambda text: "", "is damaged: it is no JSON"),
        (lambda text: "[" * 200_000, "is damaged: it is no JSON"),
        (lambda text: '{"a":' * 200 + "1" + "}" * 200, "is damaged: it holds other values"),
        (lambda text: "[]", "is damaged: it holds other values"),
        (lambda text: "{}", "does not say that it is a plan"),
        (lambda text: text.replace("1.5", "1.6"), "is damaged: its digest is not that of its content"),
        (
            lambda text: text.replace('"version": 2', '"version": 3'),
            "a newer autoq.*reads version 2: update",
        ),
        (lambda text: text.replace('"version": 2', '"version": 1'), "written by an older autoq.*save the plan again"),
        (lambda text: text.replace("a plan", "a run"), "is a run, not a plan"),
    ],
)
def test_what_is_wrong_with_a_record_is_said(tmp_path: Path, change: Callable[[str], str], said: str) -> None:
    path = write_record(tmp_path / "plan.json", PLAN, VALUES)
    path.write_text(change(path.read_text()))
    with pytest.raises(StoredFileError, match=said) as caught:
        read_record(path, PLAN, as_it_is)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_values_that_make_no_sense_are_a_damaged_file(tmp_path: Path) -> None:
    path = write_record(tmp_path / "plan.json", PLAN, VALUES)
    with pytest.raises(StoredFileError, match=r"other values than autoq writes \(KeyError: 'missing'"):
        read_record(path, PLAN, lambda values: values["missing"])


def test_versions_of_layouts_are_counted_from_1() -> None:
    """Files that are there say so."""
    assert stamped(Format("a plan"), {"a": 1})["autoq"].items() >= {"format": "a plan", "version": 1}.items()


@pytest.mark.parametrize("depth", [59, 60])
def test_values_are_as_deep_as_is_allowed(tmp_path: Path, depth: int) -> None:
    values: Any = 1
    for _ in range(depth):
        values = {"a": values}
    path = write_record(tmp_path / "plan.json", PLAN, values)
    if depth == 59:
        assert read_record(path, PLAN, as_it_is) == values
        return
    with pytest.raises(StoredFileError, match="it holds other values than autoq writes"):
        read_record(path, PLAN, as_it_is)


def test_a_file_larger_than_any_search_writes_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_record(tmp_path / "plan.json", PLAN, {"text": "x" * (2 << 20)})
    monkeypatch.setattr(_stored, "_MOST_JSON_BYTES", path.stat().st_size)
    assert read_record(path, PLAN, len) == 1
    monkeypatch.setattr(_stored, "_MOST_JSON_BYTES", path.stat().st_size - 1)
    with pytest.raises(StoredFileError, match="is damaged: it has more than 2 MiB; save the plan again"):
        read_record(path, PLAN, len)


def test_what_is_no_text_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(b"\xff{}")
    with pytest.raises(StoredFileError, match="is damaged: it is no text in UTF-8"):
        read_record(tmp_path / "plan.json", PLAN, as_it_is)


@pytest.mark.parametrize(("name", "shown"), [("x" * 80, "x" * 80), ("x" * 81, "x" * 80)])
def test_of_the_name_of_another_format_as_much_is_said_as_names_have(tmp_path: Path, name: str, shown: str) -> None:
    path = write_record(tmp_path / "plan.json", Format(name), VALUES)
    with pytest.raises(StoredFileError, match=rf" is {shown}, not a plan: save the plan again"):
        read_record(path, PLAN, as_it_is)


@pytest.mark.parametrize("header", [None, [], {}, {"version": "2"}, {"version": 2.0}])
def test_a_header_without_a_version_is_none(tmp_path: Path, header: Any) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"autoq": header, "a": 1}))
    with pytest.raises(StoredFileError, match="does not say that it is a plan of autoq: save the plan again"):
        read_record(tmp_path / "plan.json", PLAN, as_it_is)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoredFileError, match="cannot be read as a plan: No such file"):
        read_record(tmp_path / "plan.json", PLAN, as_it_is)
    with pytest.raises(StoredFileError, match="cannot be read as a plan: Is a directory"):
        read_arrays(tmp_path, PLAN, as_pair)


ARRAYS = {
    "table": np.arange(6, dtype=np.float32).reshape(2, 3),
    "by column": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "none": np.empty((0, 3), np.float16),
    "one": np.array(3.0),
    "text": np.array(["ä", "bc"]),
}


@pytest.mark.parametrize("compress", [False, True])
def test_arrays_come_back(tmp_path: Path, compress: bool) -> None:
    path = write_arrays(tmp_path / "s.npz", PLAN, VALUES, ARRAYS, compress=compress)
    about, arrays = read_arrays(path, PLAN, as_pair)
    assert about == VALUES
    assert arrays.keys() == ARRAYS.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, ARRAYS[name])
        assert array.dtype == ARRAYS[name].dtype
        assert array.flags.writeable


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_one_changed_byte_is_found(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("s", numbered=True)
    path = write_arrays(folder / "s.npz", PLAN, VALUES, ARRAYS, compress=data.draw(st.booleans()))
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    path.write_bytes(content)
    try:
        about, arrays = read_arrays(path, PLAN, as_pair)
    except StoredFileError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        # A byte that nothing depends on, as that of a date.
        assert about == VALUES
        assert all(np.array_equal(array, ARRAYS[name]) for name, array in arrays.items())


def archive(path: Path, header: dict[str, Any], content: bytes = b"", compression: int = zipfile.ZIP_STORED) -> Path:
    """An .npz of one array whose header is written as asked."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, header)
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("x.npy", buffer.getvalue() + content)
    return path


class Trap:
    """Unpickled, this would make a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


def test_no_pickle_is_read(tmp_path: Path) -> None:
    path, trapped = tmp_path / "s.npz", tmp_path / "made"
    np.savez(path, x=np.array([Trap(str(trapped))], dtype=object))
    with pytest.raises(ValueError, match="Python objects, which are never read"):
        read_npz(path)
    assert not trapped.exists()


@pytest.mark.parametrize("shape", [(10**7, 3, 224, 224), (2**62, 2**62), (-1, 3)])
def test_what_a_file_claims_to_hold_makes_no_room(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = archive(tmp_path / "s.npz", {"descr": "<f4", "fortran_order": False, "shape": shape})
    with pytest.raises(ValueError, match=re.escape(f"claims to be {shape} of float32, which is more than")):
        read_npz(path)


def test_an_archive_that_grows_beyond_the_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(4_000_000)
    header = {"descr": "<f4", "fortran_order": False, "shape": (1_000_000,)}
    path = archive(tmp_path / "s.npz", header, content, zipfile.ZIP_DEFLATED)
    assert read_npz(path)["x"].shape == (1_000_000,)
    monkeypatch.setattr("os.sysconf", lambda name: 2000)
    with pytest.raises(ValueError, match="more than half of this machine's memory"):
        read_npz(path)


def npy(array: np.ndarray[Any, Any], version: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=version)
    return buffer.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_arrays_are_read_in_the_versions_that_are_known(version: tuple[int, int]) -> None:
    content = npy(np.arange(6).reshape(2, 3), version)
    if version == (3, 0):
        with pytest.raises(ValueError, match=r"an array is of version \(3, 0\) of numpy's format, which is not known"):
            read_npy(io.BytesIO(content), len(content))
    else:
        np.testing.assert_array_equal(read_npy(io.BytesIO(content), len(content)), [[0, 1, 2], [3, 4, 5]])


def test_an_array_is_read_in_parts_and_its_end_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_stored, "_AT_ONCE", 16)
    content = npy(np.arange(5), (1, 0))
    assert read_npy(io.BytesIO(content), 40).tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="more than the file holds"):
        read_npy(io.BytesIO(content), 39)
    with pytest.raises(ValueError, match="the end is missing"):
        read_npy(io.BytesIO(content[:-1]), 40)
