"""Paths as users give them: what no file system can have is told before anything is asked of it."""

from __future__ import annotations

import os
from pathlib import Path

from autoq.core.files._shown_path import shown_path
from autoq.core.words import AutoqError, OutputError, quoted

# Of one part of a path, in bytes, and of a whole path (limits.h); file systems say the same in errors of many kinds.
_LONGEST_PART = 255
_LONGEST_PATH = 4_095


def path_of(given: str | os.PathLike[str], noun: str, error: type[AutoqError]) -> Path:
    """A path as a user gives it, which a file system can have.

    Args:
        given: The path.
        noun: What it is called in errors.
        error: Kind of the error.

    Raises:
        AutoqError: (Of the kind that is given) it is empty, has a NUL, cannot be encoded, or is too long.
    """
    why = None
    try:
        text = os.fspath(given)
        if not isinstance(text, str):
            raise TypeError
        encoded = os.fsencode(text)
    except TypeError:
        why = "it must be a text or a path"
    except UnicodeEncodeError:
        why = "this system's encoding of file names lacks a character of it"
    else:
        if not text:
            why = "it is empty"
        elif "\0" in text:
            why = "a path has no NUL"
        elif len(encoded) > _LONGEST_PATH or any(len(part) > _LONGEST_PART for part in encoded.split(b"/")):
            why = f"its parts may have {_LONGEST_PART} bytes and all of it {_LONGEST_PATH}"
    if why is not None:
        msg = f"{noun} {quoted(given)} can be no path: {why}."
        raise error(msg)
    return Path(text)


def made_folder(given: str | os.PathLike[str], noun: str) -> Path:
    """A folder that something will be written to: there, or made, before the work that makes what is written.

    Args:
        given: Its path.
        noun: What it is called in errors.

    Raises:
        OutputError: It cannot be made or written to.
    """
    path = path_of(given, noun, OutputError)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        how = "name a folder that can be written to"
        msg = f"{noun} {quoted(shown_path(path))} cannot be made: {error.strerror}; {how}."
        raise OutputError(msg) from None
    if not os.access(path, os.W_OK):
        msg = f"{noun} {quoted(shown_path(path))} cannot be written to; name another one."
        raise OutputError(msg)
    return path


def path_in_url(path: Path | str) -> str:
    """A path as it stands in the URL of a database: there it ends at a question mark, and Optuna fills in braces."""
    text = str(path)
    for character in "%?{}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
