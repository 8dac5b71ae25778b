"""What of a caller's own MLflow a search joins: the experiment and the run that are active where it is called."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoq.core import ConfigError, reason
from autoq.tracking._store import DEFAULT_EXPERIMENT, asking, experiment_of, same_store

if TYPE_CHECKING:
    from mlflow.entities import Run

_RUN, _EXPERIMENT_ID, _EXPERIMENT_NAME = "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Where the run of a search belongs.

    Attributes:
        experiment_id: Of the experiment; None where that does not exist, and is not to be made.
        caller: The run that encloses it; None where there is none.
    """

    experiment_id: str | None
    caller: Run | None


def active_run_id() -> str | None:
    """The run that is active here, or that a program which called this one has named in the environment."""
    import mlflow

    active = mlflow.active_run()
    return os.environ.get(_RUN) if active is None else str(active.info.run_id)


def place_of(client: Any, store: str, experiment: str | None, run_id: str | None, *, make: bool = True) -> RunPlace:
    """Where the run of a search belongs.

    1. The experiment of this name, where one was named.
    2. That of the run which is active, where this is in the same store.
    3. That which `mlflow.set_experiment` or the environment names, where they speak of the same store.
    4. "autoq".

    A run that is active in the same store encloses it in any case.

    Args:
        client: MlflowClient, whose package has no types.
        store: Its URI.
        experiment: As the user names it.
        run_id: What `active_run_id` gave.
        make: Make the experiment where it is missing.

    Raises:
        ConfigError: The store cannot be opened, or the experiment is not there or was deleted.
    """
    caller = None if run_id is None else _run_of(client, store, run_id)
    if experiment is not None:
        return RunPlace(experiment_of(client, store, experiment, make=make), caller)
    if caller is not None:
        return RunPlace(str(caller.info.experiment_id), caller)
    if same_store(store):
        if (experiment_id := os.environ.get(_EXPERIMENT_ID)) is not None:
            return RunPlace(_known(client, store, experiment_id), None)
        experiment = os.environ.get(_EXPERIMENT_NAME)
    return RunPlace(experiment_of(client, store, experiment or DEFAULT_EXPERIMENT, make=make), None)


def _run_of(client: Any, store: str, run_id: str) -> Run | None:
    """The run of this id; None where it is of another store."""
    from mlflow.exceptions import MlflowException

    try:
        with asking(store):
            return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        msg = f"MLflow store {store!r} cannot be opened: {reason(error)}"
        raise ConfigError(msg) from error


def _known(client: Any, store: str, experiment_id: str) -> str:
    try:
        with asking(store):
            return str(client.get_experiment(experiment_id).experiment_id)
    except Exception as error:  # every store has errors of its own
        msg = (
            f"MLflow store {store!r} has no experiment {experiment_id!r}, which {_EXPERIMENT_ID} names: {reason(error)}"
        )
        raise ConfigError(msg) from error
