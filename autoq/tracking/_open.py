"""How a person opens what a search has written to MLflow."""

from __future__ import annotations

import shlex

from autoq.core import shown_path
from autoq.tracking._caller import active_run_id, place_of
from autoq.tracking._store import asking, is_server, tracking_store


def open_sentence(tracking_uri: str | None, experiment: str | None) -> str:
    """How a person opens the MLflow UI on the charts of the experiment that a search is written to.

    Args:
        tracking_uri: As the search was given it.
        experiment: Likewise.
    """
    from mlflow import MlflowClient

    store = tracking_store(tracking_uri)
    try:
        with asking(store):
            found = place_of(MlflowClient(store), store, experiment, active_run_id(), make=False).experiment_id
    except Exception:  # noqa: BLE001  # of any kind; the search has told of it
        found = None
    place = "" if found is None else chart_url(found)
    if store.startswith("databricks"):
        return f"the experiments of the workspace that {store!r} names, {place}"
    if is_server(store):
        return f"{store.rstrip('/')}/{place}"
    return f"mlflow ui --backend-store-uri {shlex.quote(_shown(store))}, then http://127.0.0.1:5000/{place}"


def chart_url(experiment_id: str) -> str:
    """What follows the server's address to open the charts of an experiment."""
    return f"#/experiments/{experiment_id}/runs?compareRunsMode=CHART&viewStateShareKey=autoq"


def _shown(store: str) -> str:
    """The URI of a store as short as it can be written where the process works."""
    scheme, slashes, path = store.partition("sqlite:///")
    return f"{slashes}{shown_path(path)}" if slashes and not scheme else shown_path(store)
