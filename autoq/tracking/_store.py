"""Which MLflow store a search is written to, and calls to it that neither talk nor wait for long."""

from __future__ import annotations

import io
import logging
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoq.core import ConfigError, reason, shown_path

if TYPE_CHECKING:
    from mlflow.entities import Run

DEFAULT_STORE = "sqlite:///mlflow.db"
DEFAULT_EXPERIMENT = "autoq"
_BAR = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
# MLflow tries a server that does not answer for minutes. A server that is there answers a first question in this time.
_ASKING = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
_TELLING = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


def tracking_store(tracking_uri: str | None) -> str:
    """The URI of a store: the given one, else what MLflow was told or finds in its environment, else a file.

    Args:
        tracking_uri: As the user gives it; None leaves it to MLflow.
    """
    if tracking_uri is not None:
        return tracking_uri
    import mlflow

    return str(mlflow.get_tracking_uri()) if mlflow.is_tracking_uri_set() else DEFAULT_STORE


def enclosing_run(store: str) -> Run | None:
    """The run that the caller has active in this store; None where there is none."""
    import mlflow

    active = mlflow.active_run()
    return active if active is not None and mlflow.get_tracking_uri() == store else None


def is_server(store: str) -> bool:
    """Whether a store is reached over a network, and so may be away for a while."""
    return store.startswith(("http://", "https://"))


def experiment_of(client: Any, store: str, name: str) -> str:  # MlflowClient, whose package has no types
    """Id of an experiment; it is made where it is missing.

    Raises:
        ConfigError: The store cannot be opened, or a server does not answer within seconds.
    """
    try:
        with asking():
            known = client.get_experiment_by_name(name)
            if known is not None:
                return str(known.experiment_id)
            return str(client.create_experiment(name, artifact_location=_artifacts(store)))
    except Exception as error:  # every store has errors of its own
        msg = f"MLflow store {store!r} cannot be opened: {reason(error)}"
        raise ConfigError(msg) from error


def open_sentence(tracking_uri: str | None, experiment: str | None) -> str:
    """How a person opens the MLflow UI on the charts of an experiment."""
    from mlflow import MlflowClient

    store = tracking_store(tracking_uri)
    try:
        with asking():
            known = MlflowClient(store).get_experiment_by_name(experiment or DEFAULT_EXPERIMENT)
    except Exception:  # noqa: BLE001  # of any kind; the search has told of it
        known = None
    place = "" if known is None else chart_url(known.experiment_id)
    if store.startswith(("http://", "https://")):
        return f"{store.rstrip('/')}/{place}"
    return f"mlflow ui --backend-store-uri {shlex.quote(_shown(store))}, then http://127.0.0.1:5000/{place}"


def _shown(store: str) -> str:
    """The URI of a store as short as it can be written where the process works."""
    scheme, slashes, path = store.partition("sqlite:///")
    return f"{slashes}{shown_path(path)}" if slashes and not scheme else shown_path(store)


def chart_url(experiment_id: str) -> str:
    """What follows the server's address to open the charts of an experiment."""
    return f"#/experiments/{experiment_id}/runs?compareRunsMode=CHART&viewStateShareKey=autoq"


@contextmanager
def asking() -> Iterator[None]:
    """For a first question to a store: quiet, and given up after seconds."""
    with _environment(_ASKING), quiet():
        yield


@contextmanager
def telling() -> Iterator[None]:
    """For what is written to a store that has just answered: quiet, and given up before a minute."""
    with _environment(_TELLING), quiet():
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps to itself what MLflow tells while it makes a store or packs a model."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "mlflow.store.db.utils", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        # Some of its advice goes past logging and warning filters; its errors are exceptions and not touched by this.
        with _environment({_BAR: "false"}, instead=True), redirect_stderr(io.StringIO()):
            yield
    finally:
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
    return (Path(store.removeprefix(prefix)).resolve().parent / "mlartifacts").as_uri()
