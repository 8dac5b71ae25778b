"""Imports that a search needs later, made while it waits for other things: each takes up to seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module


def tracking_imports() -> Iterator[Callable[[], None]]:
    """Imports of what MLflow needs, one by one."""
    for name in ("mlflow", "mlflow.store.tracking.sqlalchemy_store"):
        yield partial(_imported, name)


def drawing_imported() -> None:
    """Imports what the picture of the front needs."""
    _imported("matplotlib.figure")


def _imported(name: str) -> None:
    # A failed import raises its error where the module is needed.
    with suppress(Exception):
        import_module(name)
