"""Which MLflow store a search is written to, and calls to it that neither talk nor wait for long."""

from __future__ import annotations

import io
import logging
import os
import sys
import urllib.parse
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from autoq.core import AutoqError, ConfigError, reason, shown_url
from autoq.stores import StoreWarning
from autoq.tracking._database import SteadyClient, database_of, make_tables, without_secret

DEFAULT_STORE = "sqlite:///mlflow.db"
DEFAULT_EXPERIMENT = "autoq"
_BAR = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
# MLflow tries a server that does not answer for minutes. A server that is there answers a first question in this time.
_ASKING = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
_TELLING = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
# What MLflow sends to a server, by its URI: that holds no name or password.
_logins: dict[str, dict[str, str]] = {}


def tracking_store(tracking_uri: str | None) -> str:
    """The URI of a store: the given one, else what MLflow was told or finds in its environment, else a file.

    Args:
        tracking_uri: As the user gives it; None leaves it to MLflow.

    Returns:
        What MLflow is given: it holds no password, which goes another way.

    Raises:
        ConfigError: It is that of a database, and cannot be read, or the database has no driver.
    """
    if tracking_uri is not None:
        return _plain(tracking_uri)
    import mlflow

    return _plain(str(mlflow.get_tracking_uri())) if mlflow.is_tracking_uri_set() else DEFAULT_STORE


def _plain(store: str) -> str:
    if (database := database_of(store)) is not None:
        return without_secret(database, store)
    if not store.startswith(("http://", "https://")):
        return store
    address = urllib.parse.urlsplit(store)
    user, at, place = address.netloc.rpartition("@")
    if not at:
        return store
    name, _, password = user.partition(":")
    plain = address._replace(netloc=place).geturl()
    _logins[plain] = {
        "MLFLOW_TRACKING_USERNAME": urllib.parse.unquote(name),
        "MLFLOW_TRACKING_PASSWORD": urllib.parse.unquote(password),
    }
    return plain


def same_store(store: str) -> bool:
    """Whether a store is the one that MLflow was told, or finds in its environment."""
    import mlflow

    if not mlflow.is_tracking_uri_set():
        return store == DEFAULT_STORE
    own = _plain(str(mlflow.get_tracking_uri()))
    return own == store or _resolved(own) == _resolved(store)


def _resolved(store: str) -> str:
    """A URI, the path of a file in it as an absolute one."""
    scheme, slashes, path = store.partition("sqlite:///")
    return f"{slashes}{Path(path).absolute()}" if slashes and not scheme else store


def is_server(store: str) -> bool:
    """Whether a store is reached over a network, and so may be away for a while."""
    return store.startswith(("http://", "https://", "databricks"))


def client_of(store: str) -> Any:  # MlflowClient, whose package has no types
    """A client of a store, whose tables are there: of a database, one that waits where that is away for a while.

    Raises:
        ConfigError: The store cannot be opened, or holds something else.
        BusyError: Another process makes it, or has it locked, for too long.
    """
    from mlflow import MlflowClient

    database = database_of(store)
    with _said(store), asking(store):
        if database is None:
            return MlflowClient(store)
        make_tables(database)
        return SteadyClient(MlflowClient(store), database.name)


def experiment_of(client: Any, store: str, name: str, *, make: bool = True) -> str | None:
    """Id of an experiment; None where it is missing and is not to be made.

    Args:
        client: MlflowClient, whose package has no types.
        store: Its URI.
        name: Of the experiment.
        make: Make it where it is missing.

    Raises:
        ConfigError: The store cannot be opened, or a server does not answer within seconds; or the experiment was
            deleted.
    """
    with _said(store), asking(store):
        known = client.get_experiment_by_name(name)
        if known is None and not make:
            return None
        if known is not None and known.lifecycle_stage == "active":
            return str(known.experiment_id)
        if known is not None:
            msg = f"MLflow experiment {name!r} was deleted: restore it there, or name another one."
            raise ConfigError(msg)
        try:
            return str(client.create_experiment(name, artifact_location=_artifacts(store)))
        except Exception:
            # Another search may have made it meanwhile.
            if (known := client.get_experiment_by_name(name)) is None:
                raise
            return str(known.experiment_id)


@contextmanager
def _said(store: str) -> Iterator[None]:
    """Errors of those who open a store, each kind of which has its own, as one that names it."""
    try:
        yield
    except AutoqError:
        raise
    except Exception as error:
        msg = f"MLflow store {shown_url(store)!r} cannot be opened: {reason(error)}"
        raise ConfigError(msg) from error


@contextmanager
def asking(store: str) -> Iterator[None]:
    """For a first question to a store: quiet, and given up after seconds."""
    with _environment(_ASKING), _environment(_logins.get(store, {}), instead=True), quiet():
        yield


@contextmanager
def telling(store: str) -> Iterator[None]:
    """For what is written to a store that has just answered: quiet, and given up before a minute."""
    with _environment(_TELLING), _environment(_logins.get(store, {}), instead=True), quiet():
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps to itself what MLflow tells while it makes a store or packs a model, but not what autoq says of a store."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "mlflow.store.db.utils", "alembic")]
    levels = [logger.level for logger in loggers]
    show, loud = warnings.showwarning, sys.stderr

    def heard(message: Warning | str, category: type[Warning], *where: Any, **line: Any) -> None:  # as they come
        with redirect_stderr(loud if issubclass(category, StoreWarning) else sys.stderr):
            show(message, category, *where, **line)

    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        # Some of its advice goes past logging and warning filters; its errors are exceptions and not touched by this.
        with _environment({_BAR: "false"}, instead=True), redirect_stderr(io.StringIO()):
            warnings.showwarning = heard
            yield
    finally:
        warnings.showwarning = show
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _environment(values: Mapping[str, str], *, instead: bool = False) -> Iterator[None]:
    """Sets environment variables that the user has not set, or all of them `instead`, and takes them away again."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update({name: value for name, value in values.items() if instead or before[name] is None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _artifacts(store: str) -> str | None:
    """A folder beside a SQLite store; a server keeps artifacts where it likes."""
    prefix = "sqlite:///"
    if not store.startswith(prefix):
        return None
    path = unquote(store.removeprefix(prefix).partition("?")[0])
    return (Path(path).resolve().parent / "mlartifacts").as_uri()
