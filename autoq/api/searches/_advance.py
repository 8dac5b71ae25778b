"""Imports that a search needs later, made in the background."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from threading import Thread


def imported_in_advance(*names: str) -> Callable[[], None]:
    """Begins to import modules in a thread. Their import takes seconds.

    Args:
        names: The names of the modules.

    Returns:
        A function that waits until the imports are done. A failed import raises its error where the module is needed.
    """

    def work() -> None:
        for name in names:
            with suppress(Exception):
                import_module(name)

    thread = Thread(target=work, daemon=True)
    thread.start()
    return thread.join
