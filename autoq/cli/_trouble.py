"""How the command line reports unexpected errors, and where it keeps the details."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from autoq.cli.words import Keeping, go_on_sentence, in_options
from autoq.core import AutoqError, named_reason, quoted, shown_path, without_passwords, write_text

_FILE = "error.txt"


@dataclass
class CommandPlace:
    """The folder of a command.

    Attributes:
        folder: Folder that the command writes to; None before it is known, and for commands that have none.
        keeping: What becomes of what it has done when it is stopped.
        is_kept: Tells whether something is kept by now.
        command: Context of the command; None before it runs.
    """

    folder: Path | None = None
    keeping: Keeping = Keeping.NOTHING
    is_kept: Callable[[], bool] = lambda: True
    command: click.Context | None = None

    def said(self, text: str) -> str:
        """A sentence of the package, with the options of the command."""
        return text if self.command is None else in_options(text, self.command)

    @property
    def after_stop(self) -> str | None:
        """What is said of a command that was stopped."""
        return go_on_sentence(self.keeping, is_kept=self.keeping is Keeping.KEPT and self.is_kept())


def known(callback: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a command, which leaves its context where errors and warnings are told."""

    @wraps(callback)
    def called(**given: Any) -> Any:  # as the command has it
        context = click.get_current_context()
        if isinstance(context.obj, CommandPlace):
            context.obj.command = context
        return callback(**given)

    return called


def writes_to(folder: str | os.PathLike[str] | None) -> None:
    """Sets the folder of the running command."""
    place = click.get_current_context().obj
    if isinstance(place, CommandPlace) and folder is not None:
        place.folder = Path(folder)


def keeps(keeping: Keeping, is_kept: Callable[[], bool] = lambda: True) -> None:
    """Sets what becomes of what the running command has done when it is stopped.

    Args:
        keeping: What becomes of it.
        is_kept: Tells whether something is kept by then.
    """
    place = click.get_current_context().obj
    if isinstance(place, CommandPlace):
        place.keeping, place.is_kept = keeping, is_kept


def say_after_stop() -> None:
    """Says how the running command, which was stopped, goes on."""
    place = click.get_current_context().obj
    if isinstance(place, CommandPlace) and (said := place.after_stop) is not None:
        click.echo(said, err=True)


def told(error: BaseException, place: CommandPlace) -> str:
    """An unexpected error as a sentence. It names the file that the traceback is written to."""
    trace = without_passwords("".join(traceback.format_exception(error)))
    written = quoted(shown_path(_written(trace, place.folder)))
    return f"{named_reason(error).rstrip('.')}; the traceback is in {written}."


@contextmanager
def plain_words(place: CommandPlace) -> Iterator[None]:
    """Prints warnings as sentences, and characters that the terminal lacks as their codes, while a command runs.

    Args:
        place: The command that runs.
    """
    before = warnings.formatwarning
    for stream in (sys.stdout, sys.stderr):
        # UTF-8 also lacks surrogates. Python uses these in names of files that are not valid UTF-8.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def formatted(message: Warning | str, category: type[Warning], *where: object, **line: object) -> str:
        if issubclass(category, UserWarning):
            return f"warning: {place.said(str(message))}\n"
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
