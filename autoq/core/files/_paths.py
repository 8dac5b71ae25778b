"""Paths of users. An impossible path is refused before any file system sees it."""

from __future__ import annotations

import os
from pathlib import Path

from autoq.core.files._shown_path import shown_path
from autoq.core.words import AutoqError, OutputError, quoted

# Most bytes of one part of a path, and of a whole path (limits.h). File systems would raise errors of many kinds.
_LONGEST_PART = 255
_LONGEST_PATH = 4_095


def path_of(given: str | os.PathLike[str], noun: str, error: type[AutoqError]) -> Path:
    """A user's path, if a file system can have such a path.

    Args:
        given: The path.
        noun: Name of the path in errors.
        error: Kind of the error.

    Raises:
        AutoqError: Of the type `error`: the path is empty, has a NUL, cannot be encoded, or is too long.
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
            why = f"its parts may have {_LONGEST_PART} bytes, and the whole path {_LONGEST_PATH}"
    if why is not None:
        msg = f"{noun} {quoted(given)} can be no path: {why}."
        raise error(msg)
    return Path(text)


def made_folder(given: str | os.PathLike[str], noun: str) -> Path:
    """Makes a folder if it does not exist, and checks that it can be written to, before the work for its files begins.

    Args:
        given: Path of the folder.
        noun: Name of the folder in errors.

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
    """A path within the URL of a database, where question marks and braces have a meaning of their own."""
    text = str(path)
    for character in "%?{}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
