"""The folder and the storage of a search, taken first of all: another process may work there."""

from __future__ import annotations

from contextlib import ExitStack

from autoq.api.results._folder import RunFolder
from autoq.searching.study import Storage


def taken(
    stack: ExitStack, folder: RunFolder | None, storage: str | None, name: str
) -> tuple[RunFolder | None, Storage]:
    """Takes the folder and the storage of a search for this process, until the stack is closed.

    Args:
        stack: The exit stack of the search.
        folder: The folder that the user names; None without.
        storage: Optuna storage URL; None is a file in the folder, or memory.
        name: The name of the study.

    Returns:
        The folder that this search writes to, and the storage of its study.

    Raises:
        BusyError: Another process works on the study, or in the folder.
        ConfigError: The storage cannot be opened.
        OutputError: The folder cannot be written to.
    """
    own = None if folder is None else folder.of_search(name)
    kept = stack.enter_context(Storage.opened(storage or (None if own is None else own.storage), name))
    if own is not None:
        stack.enter_context(own.leased())
    return own, kept
