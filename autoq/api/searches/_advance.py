"""Imports that a search needs later, made while it waits for something else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from threading import Thread


def imported_in_advance(*names: str) -> Callable[[], None]:
    """Begins to import modules in a thread, whose import takes seconds.

    Args:
        names: Of the modules.

    Returns:
        Waits until it is done. What cannot be imported raises its error where it is needed.
    """

    def work() -> None:
        for name in names:
            with suppress(Exception):
                import_module(name)

    thread = Thread(target=work, daemon=True)
    thread.start()
    return thread.join
