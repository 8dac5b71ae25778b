"""How a user opens a search in the MLflow UI."""

from __future__ import annotations

import shlex

from autoq.core import shown_path
from autoq.tracking._caller import active_run_id, place_of
from autoq.tracking._store import asking, is_server, tracking_store


def open_sentence(tracking_uri: str | None, experiment: str | None) -> str:
    """How a user opens the MLflow UI on the charts of a search's experiment.

    Args:
        tracking_uri: The argument of the search.
        experiment: The argument of the search.
    """
    from mlflow import MlflowClient

    store, is_reached = tracking_store(tracking_uri), True
    try:
        with asking(store):
            found = place_of(MlflowClient(store), store, experiment, active_run_id(), make=False).experiment_id
    except Exception:  # noqa: BLE001  # any error: the search has reported it
        found, is_reached = None, False
    place = "" if found is None else chart_url(found)
    if store.startswith("databricks"):
        return f"open the experiments of the workspace {store!r}, {place}"
    if is_server(store):
        return f"{store.rstrip('/')}/{place}" if is_reached else f"{store.rstrip('/')}/ cannot be reached"
    return f"mlflow ui --backend-store-uri {shlex.quote(_shown(store))}, then http://127.0.0.1:5000/{place}"


def chart_url(experiment_id: str) -> str:
    """The part of the address, after the server, that opens the charts of an experiment."""
    return f"#/experiments/{experiment_id}/runs?compareRunsMode=CHART&viewStateShareKey=autoq"


def _shown(store: str) -> str:
    """The URI of a store, with its path as short as the working directory allows."""
    scheme, slashes, path = store.partition("sqlite:///")
    return f"{slashes}{shown_path(path)}" if slashes and not scheme else shown_path(store)
