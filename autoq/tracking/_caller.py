"""The caller's own MLflow experiment and run, which a search joins where they are active."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoq.core import ConfigError, reason
from autoq.tracking._store import DEFAULT_EXPERIMENT, asking, experiment_of, same_store

if TYPE_CHECKING:
    from mlflow.entities import Run

# Variables that name a run or an experiment; `mlflow.set_experiment` sets one too.
VARIABLES = _RUN, _EXPERIMENT_ID, _EXPERIMENT_NAME = "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"


@dataclass(frozen=True, slots=True)
class RunPlace:
    """The place of a search's run.

    Attributes:
        experiment_id: The experiment; None where it does not exist and is not to be made.
        caller: The run that becomes its parent; None without one.
    """

    experiment_id: str | None
    caller: Run | None


def active_run_id() -> str | None:
    """The active run of this thread, or the one that a calling program names in the environment."""
    # A caller that has not imported MLflow has no active run.
    mlflow = sys.modules.get("mlflow")
    active = None if mlflow is None else mlflow.active_run()
    return os.environ.get(_RUN) if active is None else str(active.info.run_id)


def place_of(client: Any, store: str, experiment: str | None, run_id: str | None, *, make: bool = True) -> RunPlace:
    """The place of a search's run.

    Its experiment is the first of these that exists:

    1. The experiment that the user names.
    2. The experiment of the active run, where that is in the same store.
    3. The experiment that `mlflow.set_experiment` or the environment names, where they mean the same store.
    4. "autoq".

    An active run in the same store is always the parent.

    Args:
        client: MlflowClient; its package has no types.
        store: URI of the store.
        experiment: The experiment that the user names.
        run_id: The result of `active_run_id`.
        make: Make the experiment where it is missing.

    Raises:
        ConfigError: The store cannot be opened, or the experiment does not exist or was deleted.
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
    """The run with this id; None where it belongs to another store."""
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
    except Exception as error:  # each kind of store has its own errors
        msg = f"{_EXPERIMENT_ID} is {experiment_id!r}, which MLflow store {store!r} does not have: {reason(error)}"
        raise ConfigError(msg) from error
