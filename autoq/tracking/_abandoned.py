"""Runs that a killed process left running. Their search may never go on, so the next search closes them.

A run names its process while it is running. It is closed only where the process has provably ended: it ran on this
system, and no longer does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from autoq.stores import Holder
from autoq.tracking._logged_model import give_up_pending

if TYPE_CHECKING:
    from mlflow.entities import Run

# Tag of a search's run, while it is running.
PROCESS = "autoq.process"
# Statuses of a trial's run that is complete.
ENDED = {"FINISHED", "FAILED"}
PARENT = "mlflow.parentRunId"


def close_abandoned(client: Any, experiment_id: str | None, own: str) -> None:
    """Closes the runs of ended processes, the runs of their trials, and their pending models.

    Args:
        client: MlflowClient; its package has no types.
        experiment_id: The experiment.
        own: The run of the search that calls this.
    """
    for run in list(runs_of(client, experiment_id, "attributes.status = 'RUNNING'")):
        said = run.data.tags.get(PROCESS, "")
        holder = Holder.read(said)
        if run.info.run_id == own or holder is None or holder.lives is not False:
            continue
        if client.get_run(run.info.run_id).data.tags.get(PROCESS) != said:
            continue  # its own search goes on, or another search has closed it
        children = list(runs_of(client, experiment_id, f"tags.`{PARENT}` = '{run.info.run_id}'"))
        for child in children:
            if child.info.status not in ENDED:
                client.set_terminated(child.info.run_id, status="KILLED")
        give_up_pending(client, experiment_id, [child.info.run_id for child in children])
        client.set_terminated(run.info.run_id, status="KILLED")
        without_process(client, run.info.run_id)


def without_process(client: Any, run_id: str | None) -> None:
    """Removes the process from a run. Another search may have removed it at the same moment."""
    from mlflow.exceptions import MlflowException

    try:
        client.delete_tag(run_id, PROCESS)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def runs_of(client: Any, experiment_id: str | None, what: str) -> Iterator[Run]:
    """The runs of an experiment that pass an MLflow filter, page by page."""
    token = None
    while True:
        page = client.search_runs([experiment_id], filter_string=what, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
