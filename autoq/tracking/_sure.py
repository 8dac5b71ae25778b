"""Whether a store will open, told in milliseconds: MLflow itself takes seconds to import."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from autoq.tracking._caller import VARIABLES
from autoq.tracking._database import database_of, make_folder
from autoq.tracking._store import DEFAULT_EXPERIMENT, opening, tracking_store

_REVISION = re.compile(r"""^(down_)?revision\b[^=]*=\s*["'](\w+)["']""", re.MULTILINE)
_WAIT_S = 1.0


def opens_surely(tracking_uri: str | None, experiment: str | None, active: str | None) -> bool:
    """Whether nothing can be wrong with a store, so that it may be opened late.

    This is so for a SQLite file that does not exist yet, and for one of the installed version of MLflow whose
    experiment is not deleted. The folder of a new file is made.

    Args:
        tracking_uri: The argument of the search.
        experiment: The argument of the search.
        active: The active run of the caller; None without one.

    Raises:
        ConfigError: The URL of a database cannot be read, its driver is not installed, or there can be no such file.
    """
    store = tracking_store(tracking_uri)
    database = database_of(store)
    if database is None or database.file is None or active is not None:
        return False
    if experiment is None and any(name in os.environ for name in VARIABLES):
        return False
    if database.file.exists():
        return _is_whole(database.file, experiment or DEFAULT_EXPERIMENT)
    with opening(store):
        make_folder(database.file)
    return True


def _is_whole(file: Path, experiment: str) -> bool:
    """Whether a file has the tables of the installed MLflow, and no deleted experiment of this name."""
    deleted = "SELECT 1 FROM experiments WHERE name = ? AND lifecycle_stage <> 'active'"
    url = f"{file.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(url, uri=True, timeout=_WAIT_S)) as connection:
            revisions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
            return revisions == [(_latest_revision(),)] and not connection.execute(deleted, (experiment,)).fetchall()
    except sqlite3.Error:
        return False


def _latest_revision() -> str | None:
    """Revision of the tables of the installed MLflow: the one that no other follows; None where it is not told."""
    spec = find_spec("mlflow")
    revisions: set[str] = set()
    followed: set[str] = set()
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        for file in Path(folder, "store", "db_migrations", "versions").glob("*.py"):
            for down, revision in _REVISION.findall(file.read_text("utf-8")):
                (followed if down else revisions).add(revision)
    last = revisions - followed
    return last.pop() if len(last) == 1 else None
