"""A candidate as a model in MLflow that can be served."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np

from autoq.core import temporary_folder
from autoq.graph import core
from autoq.searching.records import TrialRecord
from autoq.tracking._store import quiet

Export = Callable[[TrialRecord, Path], Path]
_SERVED = Path(__file__).with_name("_served.py")
# Names of files that MLflow is writing to a folder of artifacts.
_UPLOADING = ".artifact.uploading.*"


def log_model(
    client: Any,  # MlflowClient; its package has no types
    experiment_id: str | None,
    run_id: str,
    record: TrialRecord,
    export: Export,
    device: str,
) -> None:
    """Logs the model of a trial to its run, unless the run has one. A model that is there in part is completed.

    The model is pending until it is complete. It is added to the run last, so that a run never has half a model.

    Args:
        client: Client of the store.
        experiment_id: Experiment of the model.
        run_id: Run of the trial.
        record: The trial.
        export: Saves its model as IR.
        device: Device that the model is served on.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    made = _model_of(client, experiment_id, run_id)
    if made is None:
        made = client.create_logged_model(experiment_id, name=f"trial-{record.number}", source_run_id=run_id)
    if made.status != LoggedModelStatus.READY:
        try:
            with quiet(), temporary_folder(libraries=True) as folder:
                path = export(record, folder / "ir" / "model.xml")
                _save(folder / "model", made, run_id, path, device)
                without_uploads(made.artifact_location)
                client.log_model_artifacts(made.model_id, str(folder / "model"))
            _log_metrics(client, run_id, made)
            client.finalize_logged_model(made.model_id, LoggedModelStatus.READY)
        except BaseException:
            with suppress(Exception):
                client.finalize_logged_model(made.model_id, LoggedModelStatus.FAILED)
            raise
    outputs = client.get_run(run_id).outputs.model_outputs
    if made.model_id not in {output.model_id for output in outputs}:
        client.log_outputs(run_id, [LoggedModelOutput(made.model_id, step=0)])


def give_up_pending(client: Any, experiment_id: str | None, run_ids: Iterable[str]) -> None:
    """Marks the pending models of these runs as failed: no process works on them.

    Args:
        client: Client of the store.
        experiment_id: Experiment of the models.
        run_ids: Runs of the trials.
    """
    from mlflow.entities import LoggedModelStatus

    runs = set(run_ids)
    # MLflow's filters cannot ask for a status by its name.
    for model in _models(client, experiment_id) if runs else ():
        if model.source_run_id in runs and model.status == LoggedModelStatus.PENDING:
            client.finalize_logged_model(model.model_id, LoggedModelStatus.FAILED)


def without_uploads(place: str) -> None:
    """Removes files that a killed process was writing to a folder of artifacts on this machine.

    Args:
        place: URI or path of the artifacts of a run or a model. No other process works on it.
    """
    address = urlsplit(place)
    if address.scheme in {"", "file"}:
        folder = Path(url2pathname(address.path))
        for left in folder.rglob(_UPLOADING) if folder.is_dir() else ():
            left.unlink(missing_ok=True)


def _model_of(client: Any, experiment_id: str | None, run_id: str) -> Any:  # LoggedModel; its package has no types
    """The model of a run: preferably one that is ready; None where the run has none."""
    from mlflow.entities import LoggedModelStatus

    found = _models(client, experiment_id, f"source_run_id = '{run_id}'")
    return min(found, key=lambda model: model.status != LoggedModelStatus.READY, default=None)


def _models(client: Any, experiment_id: str | None, what: str | None = None) -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = client.search_logged_models([experiment_id], filter_string=what, page_token=token)
        found.extend(page)
        token = page.token
        if not token:
            return found


def _save(folder: Path, made: Any, run_id: str, ir: Path, device: str) -> None:
    """Writes the model into a folder in the form that MLflow loads."""
    import mlflow
    from mlflow.models import Model

    mlflow.pyfunc.save_model(
        path=str(folder),
        mlflow_model=Model(
            artifact_path=made.artifact_location, model_uuid=made.model_id, model_id=made.model_id, run_id=run_id
        ),
        python_model=str(_SERVED),
        artifacts={"ir": str(ir.parent)},
        signature=_signature(ir),
        pip_requirements=_requirements(),
        model_config={"device": device},
    )
    for compiled in folder.rglob("__pycache__"):
        shutil.rmtree(compiled, ignore_errors=True)


def _log_metrics(client: Any, run_id: str, made: Any) -> None:
    """Logs the metrics of a trial to its model, unless the model has them."""
    from mlflow.entities import Metric

    if made.metrics:
        return
    metrics = [
        Metric(metric.key, metric.value, metric.timestamp, metric.step, model_id=made.model_id, run_id=run_id)
        for key in client.get_run(run_id).data.metrics
        for metric in client.get_metric_history(run_id, key)
        if metric.step == 0 and metric.model_id is None
    ]
    client.log_batch(run_id, metrics=metrics)


def _signature(path: Path) -> Any:  # MLflow ships no types
    """The signature of an IR: its inputs and outputs in MLflow's form."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def schema(ports: Sequence[Any]) -> Any:
        specs = []
        for index, port in enumerate(ports):
            shape = tuple(-1 if size.is_dynamic else size.get_length() for size in port.get_partial_shape())
            name = next(iter(sorted(port.get_names())), str(index))
            specs.append(TensorSpec(np.dtype(port.get_element_type().to_dtype()), shape, name))
        return Schema(specs)

    model = core().read_model(path)
    return ModelSignature(schema(model.inputs), schema(model.outputs))


def _requirements() -> list[str]:
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in ("openvino", "numpy")]
