"""The MLflow store of a search, and calls to it that print nothing and do not wait for long."""

from __future__ import annotations

import logging
import os
import sys
import threading
import urllib.parse
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stderr
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import unquote

from autoq.core import AutoqError, ConfigError, reason, shown_url
from autoq.stores import StoreWarning
from autoq.tracking._database import SteadyClient, database_of, make_tables, without_secret

DEFAULT_STORE = "sqlite:///mlflow.db"
DEFAULT_EXPERIMENT = "autoq"
_BAR = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
_URI = "MLFLOW_TRACKING_URI"
# MLflow tries a server without an answer for minutes. A reachable server answers a first question in this time.
_ASKING = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
_TELLING = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
# User names and passwords for MLflow by the URI of a server. The URI itself has neither.
_logins: dict[str, dict[str, str]] = {}


def tracking_store(tracking_uri: str | None) -> str:
    """The URI of a store: the given one, else the one that MLflow was given or finds in its environment, else a file.

    Args:
        tracking_uri: The URI that the user gives; None leaves it to MLflow.

    Returns:
        The URI for MLflow, without a password.

    Raises:
        ConfigError: The URL of a database cannot be read, or its driver is not installed.
    """
    if tracking_uri is not None:
        return _plain(tracking_uri)
    # MLflow takes seconds to import. A caller that has not imported it has given it nothing but variables.
    mlflow = sys.modules.get("mlflow")
    if mlflow is not None:
        return _plain(str(mlflow.get_tracking_uri())) if mlflow.is_tracking_uri_set() else DEFAULT_STORE
    return _plain(os.environ.get(_URI) or DEFAULT_STORE)


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
    """Whether a store is the one that MLflow was given or finds in its environment."""
    import mlflow

    if not mlflow.is_tracking_uri_set():
        return store == DEFAULT_STORE
    own = _plain(str(mlflow.get_tracking_uri()))
    return own == store or _resolved(own) == _resolved(store)


def _resolved(store: str) -> str:
    """A URI, with the path of a file made absolute."""
    scheme, slashes, path = store.partition("sqlite:///")
    return f"{slashes}{Path(path).absolute()}" if slashes and not scheme else store


def is_server(store: str) -> bool:
    """Whether a store is a server, which may be unreachable for a while."""
    return store.startswith(("http://", "https://", "databricks"))


def client_of(store: str) -> Any:  # MlflowClient; its package has no types
    """A client of a store. Tables of a database are made where they are missing, and an unreachable one is waited for.

    Raises:
        ConfigError: The store cannot be opened, or holds something else.
        BusyError: Another process makes the store, or has locked it, for too long.
    """
    from mlflow import MlflowClient

    database = database_of(store)
    with opening(store), asking(store):
        if database is None:
            return MlflowClient(store)
        make_tables(database)
        return SteadyClient(MlflowClient(store), database.name)


def experiment_of(client: Any, store: str, name: str, *, make: bool = True) -> str | None:
    """Id of an experiment; None where it is missing and is not to be made.

    Args:
        client: MlflowClient; its package has no types.
        store: URI of the store.
        name: Name of the experiment.
        make: Make the experiment where it is missing.

    Raises:
        ConfigError: The store cannot be opened, a server does not answer within seconds, or the experiment was deleted.
    """
    with opening(store), asking(store):
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
            # Another search may have made it at the same moment.
            if (known := client.get_experiment_by_name(name)) is None:
                raise
            return str(known.experiment_id)


@contextmanager
def opening(store: str) -> Iterator[None]:
    """Turns the errors of opening a store, which differ by its kind, into one that names the store."""
    try:
        yield
    except AutoqError:
        raise
    except Exception as error:
        msg = f"MLflow store {shown_url(store)!r} cannot be opened: {reason(error)}"
        raise ConfigError(msg) from error


@contextmanager
def asking(store: str) -> Iterator[None]:
    """Encloses a first question to a store: it prints nothing, and is given up after seconds."""
    with _environment(_ASKING), _environment(_logins.get(store, {}), instead=True), quiet():
        yield


@contextmanager
def telling(store: str) -> Iterator[None]:
    """Encloses writes to a store that has just answered: they print nothing, and are given up within a minute."""
    with _environment(_TELLING), _environment(_logins.get(store, {}), instead=True), quiet():
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Suppresses what MLflow prints while it makes a store or packs a model, but not autoq's warnings about a store.

    What other threads print is printed.
    """
    loggers = [logging.getLogger(name) for name in ("mlflow", "mlflow.store.db.utils", "alembic")]
    levels = [logger.level for logger in loggers]
    show, muted = warnings.showwarning, _Muted(sys.stderr)

    def heard(message: Warning | str, category: type[Warning], *where: Any, **line: Any) -> None:  # as they come
        with muted.heard() if issubclass(category, StoreWarning) else nullcontext():
            show(message, category, *where, **line)

    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        # Some of MLflow's advice passes by logging and warning filters. Its errors are exceptions, which still arrive.
        with _environment({_BAR: "false"}, instead=True), redirect_stderr(muted):
            warnings.showwarning = heard
            yield
    finally:
        # Another thread may have set it meanwhile.
        if warnings.showwarning is heard:
            warnings.showwarning = show
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class _Muted:
    """A stream that takes nothing from the thread that made it, and passes on what other threads write.

    Args:
        stream: Where it is passed on to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._thread: int | None = threading.get_ident()

    def write(self, text: str) -> int:
        """Writes a text, unless it is of the thread that made this stream."""
        return len(text) if threading.get_ident() == self._thread else self._stream.write(text)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """A context in which all is passed on."""
        thread, self._thread = self._thread, None
        try:
            yield
        finally:
            self._thread = thread

    def __getattr__(self, name: str) -> Any:  # of any stream
        return getattr(self._stream, name)


@contextmanager
def _environment(values: Mapping[str, str], *, instead: bool = False) -> Iterator[None]:
    """Sets environment variables for a while: those that the user has not set, or with `instead` all of them."""
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
    """A folder beside a SQLite store; None for a server, which has a place of its own for artifacts."""
    prefix = "sqlite:///"
    if not store.startswith(prefix):
        return None
    path = unquote(store.removeprefix(prefix).partition("?")[0])
    return (Path(path).resolve().parent / "mlartifacts").as_uri()
