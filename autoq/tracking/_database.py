"""MLflow's own databases. They are complete or absent, and MLflow never sees their passwords."""

from __future__ import annotations

import errno
import os
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autoq.core import temporary_folder
from autoq.stores import Database, Tables, ensure_complete, making_tables, patiently

_DATABASES = ("sqlite", "postgresql", "postgres", "mysql", "mssql")
_ROOT = "./mlruns"
# Passwords by the place of a connection. MLflow gets URIs without them.
_passwords: dict[tuple[str, ...], str] = {}
_PLACE = ("host", "port", "user", "dbname", "database", "db")


def database_of(store: str) -> Database | None:
    """The database of a tracking URI; None where it names another kind of store.

    Raises:
        ConfigError: Its URL cannot be read, or its driver is not installed.
    """
    dialect = store.partition("://")[0].partition("+")[0]
    return Database.of("MLflow store", store) if dialect in _DATABASES else None


def without_secret(database: Database, store: str) -> str:
    """A tracking URI without its password, for MLflow. The connections of MLflow get the password nevertheless."""
    if not database.is_server:
        return store
    if database.password is not None:
        dialect = database.url.get_dialect()()
        if not _passwords:
            _give_passwords()
        _passwords[_place(dialect, dialect.create_connect_args(database.url)[1])] = database.password
    return database.text


def _give_passwords() -> None:
    from sqlalchemy import Engine, event

    @event.listens_for(Engine, "do_connect")
    def _(dialect: Any, _record: object, _given: object, keywords: dict[str, Any]) -> None:  # as SQLAlchemy has it
        if (password := _passwords.get(_place(dialect, keywords))) is not None:
            keywords.setdefault("password", password)


def _place(dialect: Any, keywords: Mapping[str, Any]) -> tuple[str, ...]:  # SQLAlchemy's dialect
    return (str(dialect.name), *(str(keywords.get(key)) for key in _PLACE))


def make_tables(database: Database) -> None:
    """Makes MLflow's tables where they are missing.

    Raises:
        ConfigError: The database holds something else.
        BusyError: Another process makes the tables, or has locked the database, for too long.
        Exception: (The database raised) it cannot be opened.
    """
    if database.file is not None:
        make_folder(database.file)
        ensure_complete(database.file, _tables(), database.name)
    elif database.is_server:
        with making_tables(database):
            _store(database.text)


def make_folder(file: Path) -> None:
    """Makes the folder of a database where it is missing, as MLflow does.

    Raises:
        OSError: It cannot be made or written to.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(file.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file.parent))


class SteadyClient:
    """An MLflow client that waits for a database that is unreachable for a while.

    Args:
        client: The client of MLflow.
        name: Name of the store, for people.
    """

    def __init__(self, client: Any, name: str) -> None:  # MlflowClient; its package has no types
        self._client = client
        self._name = name

    def __getattr__(self, method: str) -> Callable[..., Any]:
        plain = getattr(self._client, method)

        def steady(*arguments: Any, **keywords: Any) -> Any:  # as the client has it
            return patiently(lambda: plain(*arguments, **keywords), what=self._name)

        return steady


def _tables() -> Tables:
    import mlflow
    import mlflow.store.db.utils
    import mlflow.store.tracking.sqlalchemy_store  # makes all tables known, as the module above does
    from alembic.script import ScriptDirectory
    from mlflow.store.db.base_sql_model import Base

    script = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # modules of migrations warn
        revisions = frozenset(revision.revision for revision in script.walk_revisions())
    return Tables(
        program="MLflow",
        tables=frozenset(Base.metadata.tables),
        head=str(script.get_current_head()),
        revisions=revisions,
        filled=(),
        # MLflow makes one row of each itself.
        unmissed={
            "experiments": "SELECT 1 FROM experiments WHERE experiment_id <> 0 LIMIT 1",
            "workspaces": "SELECT 1 FROM workspaces WHERE name <> 'default' LIMIT 1",
        },
        upgrade="bring it to this version with `mlflow db upgrade`",
        fill=_fill,
    )


def _fill(path: Path) -> None:
    # MLflow makes the folders of a URI without decoding it: a wrong path where characters are escaped.
    if not set(str(path)) & set("%?"):
        _store(f"sqlite:///{path}").engine.dispose()
        return
    with temporary_folder() as folder:
        made = folder / "mlflow.db"
        _store(f"sqlite:///{made}").engine.dispose()
        shutil.copyfile(made, path)


def _store(uri: str) -> Any:  # MLflow ships no types
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    return SqlAlchemyStore(uri, _ROOT)
