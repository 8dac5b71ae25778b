"""What the command line says where something went wrong that nobody foresaw, and where it keeps the details."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from autoq.core import AutoqError, named_reason, quoted, shown_path, without_passwords, write_text

_FILE = "error.txt"


@dataclass
class CommandPlace:
    """Where a command writes.

    Attributes:
        folder: None before the command has one, or where it has none.
        goes_on: Whether the same command goes on where it was stopped.
    """

    folder: Path | None = None
    goes_on: bool = False


def writes_to(folder: str | os.PathLike[str] | None, *, goes_on: bool = False) -> None:
    """Tells where the command that runs writes, and whether it goes on there when it was stopped."""
    place = click.get_current_context().obj
    if isinstance(place, CommandPlace) and folder is not None:
        place.folder, place.goes_on = Path(folder), goes_on


def told(error: BaseException, place: CommandPlace) -> str:
    """An error nobody foresaw as a sentence, its traceback written to a file that this names."""
    trace = without_passwords("".join(traceback.format_exception(error)))
    written = quoted(shown_path(_written(trace, place.folder)))
    return f"{named_reason(error).rstrip('.')}; where it arose is written to {written}."


@contextmanager
def plain_words() -> Iterator[None]:
    """Warnings as sentences, and letters that the terminal does not have as their numbers, while a command runs."""
    before = warnings.formatwarning
    for stream in (sys.stdout, sys.stderr):
        # UTF-8 too lacks halves of characters, which names of files that are no UTF-8 have in Python.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def formatted(message: Warning | str, category: type[Warning], *where: object, **line: object) -> str:
        if issubclass(category, UserWarning):
            return f"warning: {message}\n"
        return before(message, category, *where, **line)  # type: ignore[arg-type]  # as they came

    warnings.formatwarning = formatted
    try:
        yield
    finally:
        warnings.formatwarning = before


def _written(trace: str, folder: Path | None) -> Path:
    if folder is not None and folder.is_dir():
        try:
            return write_text(folder / _FILE, trace)
        except AutoqError:
            pass
    handle, name = tempfile.mkstemp(prefix="autoq-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(trace)
    return Path(name)
