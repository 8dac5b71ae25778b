"""Files that autoq reads again. Each has its format, its version and a digest of its content.

So a file that is damaged, truncated, of a newer version or of another kind is recognized before its content is used.
Pickles are never read. The sizes that a file claims are compared with the size of the file before memory is allocated.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from autoq.core.files._writing import drafted, write_text
from autoq.core.values import is_deeper
from autoq.core.words import AutoqError, OtherVersionError, StoredFileError, named_reason, reason

R = TypeVar("R")
_HEADER = "autoq"
# A JSON file of a search has some kB for each trial. No search writes a larger file than this.
_MOST_JSON_BYTES = 1 << 30
_DEEPEST = 59
_LONGEST_NAME = 80
# Highest ratio of the compression in .npz files.
_MOST_COMPRESSION = 1040
_MEMORY_SHARE = 0.5
_AT_ONCE = 1 << 22


@dataclass(frozen=True, slots=True)
class Format:
    """The format of a file, with the version of its layout.

    Attributes:
        name: Name for people with its article, such as "a plan".
        version: It grows when files of an earlier autoq can no longer be read with their meaning.
        advice: What a user can do if a file cannot be used.
    """

    name: str
    version: int = 1
    advice: str = "name another file, or write it again"


def stamped(kind: Format, values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values with their format and digest, as in a file."""
    # The values as JSON gives them back: keys that are numbers become texts.
    plain = json.loads(json.dumps(values))
    return {_HEADER: _header(kind, _digest_of_values(plain)), **plain}


def unstamped(values: Any, kind: Format, where: str) -> dict[str, Any]:
    """The values that `stamped` was given.

    Args:
        values: JSON values of the file.
        kind: Expected format.
        where: Place of the values, for errors.

    Raises:
        StoredFileError: The values are damaged, of another format, or of a newer version.
    """
    if not isinstance(values, dict) or is_deeper(values, _DEEPEST):
        raise _damaged(where, kind, "it holds other values than autoq writes")
    plain = {name: value for name, value in values.items() if name != _HEADER}
    _check(where, kind, values.get(_HEADER), lambda: _digest_of_values(plain))
    return plain


def write_record(path: Path, kind: Format, values: Mapping[str, Any]) -> Path:
    """Writes JSON values with their format and digest, whole or not at all.

    Args:
        path: The file.
        kind: Format of the file.
        values: JSON values by name.

    Raises:
        OutputError: It cannot be written there.
    """
    return write_text(path, json.dumps(stamped(kind, values), indent=1) + "\n")


def read_record(path: Path, kind: Format, parse: Callable[[dict[str, Any]], R]) -> R:
    """Reads what `write_record` wrote.

    Args:
        path: The file.
        kind: Expected format.
        parse: Reads the values.

    Returns:
        The result of `parse`.

    Raises:
        StoredFileError: The file cannot be read, is damaged, of another format or of a newer version, or `parse` fails.
    """
    where = repr(str(path))
    try:
        if path.stat().st_size > _MOST_JSON_BYTES:
            raise _damaged(where, kind, f"it has more than {_MOST_JSON_BYTES >> 20} MiB")
        text = path.read_text("utf-8")
    except OSError as error:
        raise _unreadable(where, kind, error) from None
    except UnicodeDecodeError:
        raise _damaged(where, kind, "it is no text in UTF-8") from None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise _damaged(where, kind, "it is no JSON, or the end is missing") from None
    plain = unstamped(values, kind, where)
    return _parsed(where, kind, lambda: parse(plain))


def write_arrays(
    path: Path, kind: Format, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, compress: bool = False
) -> Path:
    """Writes arrays, and JSON values about them, as `.npz` with its format and digest, whole or not at all.

    Args:
        path: The file.
        kind: Format of the file.
        about: JSON values about the arrays.
        arrays: Arrays by name.
        compress: Whether the arrays are compressed, which takes time.

    Raises:
        OutputError: It cannot be written there.
    """
    told = json.loads(json.dumps(about))
    header = json.dumps({**_header(kind, _digest_of_arrays(told, arrays)), "about": told})
    save = np.savez_compressed if compress else np.savez
    with drafted(path) as draft, draft.open("wb") as file:
        save(file, **{_HEADER: np.array(header)}, **arrays)  # type: ignore[arg-type]  # see its stub
    return path


def read_arrays(path: Path, kind: Format, parse: Callable[[dict[str, Any], dict[str, NDArray[Any]]], R]) -> R:
    """Reads what `write_arrays` wrote.

    Args:
        path: The file.
        kind: Expected format.
        parse: Reads the values about the arrays, and the arrays by name.

    Returns:
        The result of `parse`.

    Raises:
        StoredFileError: As `read_record` raises it.
    """
    where = repr(str(path))
    try:
        arrays = read_npz(path)
    except OSError as error:
        raise _unreadable(where, kind, error) from None
    except ValueError as error:
        raise _damaged(where, kind, str(error)) from None
    try:
        header = json.loads(str(arrays.pop(_HEADER)))
    except (KeyError, ValueError, RecursionError):
        header = None
    about: Any = header.get("about") if isinstance(header, dict) else None
    _check(where, kind, header, lambda: _digest_of_arrays(about, arrays))
    return _parsed(where, kind, lambda: parse(about, arrays))


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Arrays of an `.npz` by name. No more memory is allocated than the file can fill.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is damaged, holds Python objects, or claims to hold more than it does; says what is wrong.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_room(sum(member.file_size for member in members))
            found = {}
            for member in members:
                if member.file_size > _MOST_COMPRESSION * (member.compress_size + 1):
                    msg = f"its array {member.filename!r} claims to hold more than the file can"
                    raise ValueError(msg)
                with archive.open(member) as file:
                    found[member.filename.removesuffix(".npy")] = read_npy(file, member.file_size)
            return found
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, KeyError) as error:
        msg = f"it is no .npz file, or the end is missing ({named_reason(error)})"
        raise ValueError(msg) from None
    except (UnicodeError, MemoryError, OverflowError, IndexError, TypeError, zlib.error) as error:
        msg = f"it is damaged ({named_reason(error)})"
        raise ValueError(msg) from None


def read_npy(file: IO[bytes], size: int) -> NDArray[Any]:
    """One array in numpy's format.

    Args:
        file: The file, at the beginning of the array.
        size: Number of bytes of the array.

    Raises:
        ValueError: It is damaged, holds Python objects, or claims to hold more than it does; says what is wrong.
    """
    try:
        return _read_npy(file, size)
    except (SyntaxError, TokenError, MemoryError, RecursionError, TypeError, LookupError, OverflowError) as error:
        # Errors of numpy's reader of headers (literals of Python) beside ValueError.
        msg = f"the header of an array is damaged ({type(error).__name__})"
        raise ValueError(msg) from None


def _read_npy(file: IO[bytes], size: int) -> NDArray[Any]:
    version = np.lib.format.read_magic(file)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read_header:
        msg = f"an array is of version {version} of numpy's format, which is not known"
        raise ValueError(msg)
    shape, fortran, dtype = read_header[version](file)
    if dtype.hasobject:
        msg = "it holds Python objects, which are never read"
        raise ValueError(msg)
    count = 1
    for length in shape:
        count *= length
    # An array whose elements take no bytes could claim any length.
    if min(shape, default=0) < 0 or count * max(dtype.itemsize, 1) > size:
        msg = f"an array claims to be {shape} of {dtype}, which is more than the file holds"
        raise ValueError(msg)
    array = np.zeros(count, dtype)
    content, done = array.view(np.uint8) if array.nbytes else np.empty(0, np.uint8), 0
    while done < len(content):
        part = file.read(min(_AT_ONCE, len(content) - done))
        if not part:
            msg = "the end is missing"
            raise ValueError(msg)
        content[done : done + len(part)] = np.frombuffer(part, np.uint8)
        done += len(part)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def _check_room(size: int) -> None:
    room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * _MEMORY_SHARE
    if size > room:
        msg = f"it claims to hold {size / 1e9:.3g} GB, more than half of this machine's memory"
        raise ValueError(msg)


def _header(kind: Format, digest: str) -> dict[str, Any]:
    return {"format": kind.name, "version": kind.version, "digest": digest}


def _check(where: str, kind: Format, header: Any, digest: Callable[[], str]) -> None:  # any JSON value
    """Checks a header, and then that its digest belongs to the content."""
    if not isinstance(header, dict) or not isinstance(header.get("version"), int):
        msg = f"{where} does not say that it is {kind.name} of autoq: {kind.advice}."
        raise StoredFileError(msg)
    if (name := header.get("format")) != kind.name:
        msg = f"{where} is {str(name)[:_LONGEST_NAME]}, not {kind.name}: {kind.advice}."
        raise StoredFileError(msg)
    if (version := header["version"]) != kind.version:
        age, advice = ("a newer", "update autoq") if version > kind.version else ("an older", kind.advice)
        msg = (
            f"{where} was written by {age} autoq, as {kind.name} of format version {version}, where this one "
            f"reads version {kind.version}: {advice}."
        )
        raise StoredFileError(msg)
    if header.get("digest") != digest():
        raise _damaged(where, kind, "its digest is not that of its content")


def _parsed(where: str, kind: Format, parse: Callable[[], R]) -> R:
    try:
        return parse()
    except OtherVersionError as error:
        msg = f"{where}, {kind.name}, was written by another version of autoq: {error}"
        raise StoredFileError(msg) from None
    except AutoqError as error:
        raise _damaged(where, kind, str(error).rstrip(".")) from None
    except Exception as error:  # values of a wrong type lead to errors of any type
        raise _damaged(where, kind, f"it holds other values than autoq writes ({named_reason(error)})") from error


def _damaged(where: str, kind: Format, why: str) -> StoredFileError:
    return StoredFileError(f"{where}, {kind.name}, is damaged: {why}; {kind.advice}.")


def _unreadable(where: str, kind: Format, error: OSError) -> StoredFileError:
    return StoredFileError(f"{where} cannot be read as {kind.name}: {error.strerror or reason(error)}.")


def _digest_of_values(values: Any) -> str:  # any JSON value
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _digest_of_arrays(about: Any, arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.blake2b(_digest_of_values(about).encode(), digest_size=16)
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}|{array.dtype.str}|{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
