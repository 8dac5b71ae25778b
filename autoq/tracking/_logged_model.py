"""A candidate as a model in MLflow, which its server can serve."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoq.search import TrialRecord
from autoq.tracking._store import quiet, told_of

Export = Callable[[TrialRecord, Path], Path]
_SERVED = Path(__file__).with_name("_served.py")


def log_model(
    client: Any,  # MlflowClient, whose package has no types
    store: str,
    experiment_id: str,
    run_id: str,
    record: TrialRecord,
    export: Export,
    device: str,
) -> None:
    """Logs the model of a trial to its run, unless that has one.

    Args:
        client: Of the store.
        store: Its URI.
        experiment_id: Where the model belongs.
        run_id: Of the trial.
        record: The trial.
        export: Saves its model as IR.
        device: That it is to be served on.
    """
    import mlflow
    from mlflow.models import Model

    if client.get_run(run_id).outputs.model_outputs:
        return  # an earlier session logged it
    with tempfile.TemporaryDirectory() as folder, quiet(), told_of(store):
        path = export(record, Path(folder) / "ir" / "model.xml")
        # MLflow would make it in the process's default experiment.
        made = client.create_logged_model(experiment_id, name=f"trial-{record.number}", source_run_id=run_id)
        Model.log(
            artifact_path=None,
            model_id=made.model_id,
            flavor=mlflow.pyfunc,
            run_id=run_id,
            python_model=str(_SERVED),
            artifacts={"ir": str(path.parent)},
            signature=_signature(path),
            pip_requirements=_requirements(),
            model_config={"device": device},
        )


def _signature(path: Path) -> Any:  # MLflow ships no types
    """Inputs and outputs of an IR as MLflow describes tensors."""
    import openvino as ov
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def schema(ports: Sequence[Any]) -> Any:
        specs = []
        for index, port in enumerate(ports):
            shape = tuple(-1 if size.is_dynamic else size.get_length() for size in port.get_partial_shape())
            name = next(iter(sorted(port.get_names())), str(index))
            specs.append(TensorSpec(np.dtype(port.get_element_type().to_dtype()), shape, name))
        return Schema(specs)

    model = ov.Core().read_model(path)
    return ModelSignature(schema(model.inputs), schema(model.outputs))


def _requirements() -> list[str]:
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in ("openvino", "numpy")]
