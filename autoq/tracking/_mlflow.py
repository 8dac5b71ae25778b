"""A search in MLflow: one parent run, a child per trial, the members of the front as models.

Every call names its run; the fluent, process-wide run is never touched. Runs are found again by tags, so that a search
that was killed anywhere goes on in the same parent run, and nothing is logged twice.
"""

from __future__ import annotations

import io
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autoq.core import ConfigError
from autoq.search import ParetoFront, SearchInfo, TrialRecord, TrialState, choose, objectives
from autoq.tracking._view import share_view

if TYPE_CHECKING:
    from mlflow.entities import Run

Export = Callable[[TrialRecord, Path], Path]
Figures = Callable[[], Mapping[str, float]]

_STUDY, _TRIAL, _PARENT = "autoq.study", "autoq.trial", "mlflow.parentRunId"
_SERVED = Path(__file__).with_name("_served.py")


class MlflowObserver:
    """A search observer that writes to an MLflow store.

    Args:
        tracking_uri: Of the store, such as "sqlite:///mlflow.db" or "http://...".
        experiment: Name of the experiment; made where it is missing.
        export: Saves the model of a trial as IR; None logs no models.
        figures: Metrics of a search that ended, for its parent run; None logs none.

    Raises:
        ConfigError: The store cannot be opened.
    """

    def __init__(
        self, tracking_uri: str, experiment: str, *, export: Export | None = None, figures: Figures | None = None
    ) -> None:
        from mlflow import MlflowClient

        self.tracking_uri = tracking_uri
        self._export = export
        self._figures = figures
        try:
            with _quiet():
                self._client = MlflowClient(tracking_uri)
                self.experiment_id = self._experiment(experiment)
        except Exception as error:  # every store has errors of its own
            msg = f"MLflow store {tracking_uri!r} cannot be opened: {str(error).strip().splitlines()[0]}"
            raise ConfigError(msg) from error
        share_view(self._client, self.experiment_id)
        self._info: SearchInfo | None = None
        self._parent: str | None = None
        self._finished = False

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Preparation is not tracked."""

    def on_start(self, info: SearchInfo, earlier: Sequence[TrialRecord]) -> None:
        """Opens the parent run, or finds it, and logs the children that it lacks."""
        self._info = info
        found = self._client.search_runs(
            [self.experiment_id], filter_string=f"tags.`{_STUDY}` = '{info.name}'", max_results=1
        )
        if found:
            self._parent = found[0].info.run_id
            self._client.update_run(self._parent, status="RUNNING")
            for child in self._children("= 'RUNNING'"):
                # Its session ended while it was logged; the trial is logged again, as a whole.
                self._client.delete_run(child.info.run_id)
        else:
            tags = {_STUDY: info.name, "mlflow.runName": info.name, "autoq.device": info.device}
            self._parent = self._client.create_run(self.experiment_id, tags=tags).info.run_id
            self._log(self._parent, _search_metrics(info), _search_params(info))
        logged = self._logged_trials()
        records: list[TrialRecord] = []
        for record in earlier:
            records.append(record)
            if record.number not in logged:
                self._child(record, ParetoFront(records))

    def on_trial(self, record: TrialRecord, front: ParetoFront) -> None:
        """Logs a child run, and the state of the search to the parent."""
        self._child(record, front)

    def on_finish(self, records: Sequence[TrialRecord], front: ParetoFront, files: Path | None) -> None:
        """Logs the models of the front and the files of the run, and closes the parent."""
        if self._parent is None:
            return
        if self._figures is not None:
            self._log(self._parent, dict(self._figures()), {})
        children = self._logged_trials()
        self._log_closing(records, children)
        if self._export is not None:
            for record in front.staircase:
                if not record.is_baseline and (run_id := children.get(record.number)) is not None:
                    self._log_model(run_id, record, self._export)
        if files is not None:
            for name in ("report.html", "front.png", "front.json", "plan.json", "run.json"):
                if (files / name).exists():
                    self._client.log_artifact(self._parent, str(files / name))
        for number, run_id in children.items():
            self._client.set_tag(run_id, "autoq.front", str(any(r.number == number for r in front)).lower())
        self._client.set_terminated(self._parent, status="FINISHED")

    def _log_closing(self, records: Sequence[TrialRecord], children: dict[int, str]) -> None:
        """Metrics of the closing session, as a second step of those of the trials."""
        for record in records:
            if record.remeasured and (run_id := children.get(record.number)) is not None:
                self._log(run_id, _trial_metrics(record), {}, step=1)

    def _experiment(self, name: str) -> str:
        known = self._client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        return str(self._client.create_experiment(name, artifact_location=_artifacts(self.tracking_uri)))

    def _logged_trials(self) -> dict[int, str]:
        """Run by trial number, of the children that were logged completely."""
        return {int(run.data.tags[_TRIAL]): run.info.run_id for run in self._children("!= 'RUNNING'")}

    def _children(self, status: str) -> list[Run]:
        """Child runs whose status is, or is not, one."""
        found: list[Run] = []
        token = None
        while True:
            page = self._client.search_runs(
                [self.experiment_id],
                filter_string=f"tags.`{_PARENT}` = '{self._parent}' and attributes.status {status}",
                page_token=token,
            )
            found.extend(page)
            token = page.token
            if not token:
                return found

    def _child(self, record: TrialRecord, front: ParetoFront) -> None:
        tags = {
            _PARENT: self._parent,
            _TRIAL: str(record.number),
            "mlflow.runName": f"trial {record.number} {record.origin}",
            "autoq.state": str(record.state),
            "autoq.origin": record.origin,
            "autoq.fingerprint": record.fingerprint,
        }
        if record.error is not None:
            tags["autoq.error"] = record.error
        run_id = self._client.create_run(self.experiment_id, tags=tags).info.run_id
        self._log(run_id, _trial_metrics(record), _trial_params(record))
        self._client.log_dict(run_id, record.plan.to_dict(), "plan.json")
        state = "FAILED" if record.state is TrialState.FAILED else "FINISHED"
        self._client.set_terminated(run_id, status=state)
        self._log(self._parent, _progress(front, self._info), {}, step=record.number)

    def _log(self, run_id: str | None, metrics: dict[str, float], params: dict[str, str], step: int = 0) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        kept = [Metric(key, float(value), now, step) for key, value in metrics.items() if np.isfinite(value)]
        self._client.log_batch(run_id, metrics=kept, params=[Param(key, value[:6000]) for key, value in params.items()])

    def _log_model(self, run_id: str, record: TrialRecord, export: Export) -> None:
        import mlflow
        from mlflow.models import Model

        if self._client.get_run(run_id).outputs.model_outputs:
            return  # an earlier session logged it
        before = mlflow.get_tracking_uri()
        with tempfile.TemporaryDirectory() as folder, _quiet():
            path = export(record, Path(folder) / "ir" / "model.xml")
            mlflow.set_tracking_uri(self.tracking_uri)
            try:
                # MLflow would make it in the process's default experiment.
                made = self._client.create_logged_model(
                    self.experiment_id, name=f"trial-{record.number}", source_run_id=run_id
                )
                Model.log(
                    artifact_path=None,
                    model_id=made.model_id,
                    flavor=mlflow.pyfunc,
                    run_id=run_id,
                    python_model=str(_SERVED),
                    artifacts={"ir": str(path.parent)},
                    signature=_signature(path),
                    pip_requirements=_requirements(),
                    model_config={"device": self._info.device if self._info else "CPU"},
                )
            finally:
                mlflow.set_tracking_uri(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps to itself what MLflow tells while it makes a store or packs a model."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "mlflow.store.db.utils", "alembic")]
    levels = [logger.level for logger in loggers]
    bar = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
    shown = os.environ.get(bar)
    os.environ[bar] = "false"
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        # Some of its advice goes past logging and warning filters; its errors are exceptions and not touched by this.
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        if shown is None:
            del os.environ[bar]
        else:
            os.environ[bar] = shown
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


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


def _artifacts(tracking_uri: str) -> str | None:
    """A folder beside a SQLite store; a server keeps artifacts where it likes."""
    prefix = "sqlite:///"
    if not tracking_uri.startswith(prefix):
        return None
    return (Path(tracking_uri.removeprefix(prefix)).resolve().parent / "mlartifacts").as_uri()


def _requirements() -> list[str]:
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in ("openvino", "numpy")]


def _search_params(info: SearchInfo) -> dict[str, str]:
    given = {
        "model": info.model_name,
        "metric": info.metric,
        "device": info.device,
        "hardware": info.hardware,
        "max_drop": info.limits.max_drop,
        "max_latency_ms": info.limits.max_latency_ms,
        "max_size_bytes": info.limits.max_size_bytes,
        "choose": info.choose,
        "groups": len(info.groups),
        "level": info.settings["level"],
        "units": info.settings["units"],
        "n_trials": info.n_trials,
        "timeout_s": info.timeout_s,
        "seed": info.seed,
        **{f"space/{key}": json.dumps(value) for key, value in info.space.items()},
    }
    return {key: str(value) for key, value in given.items()}


def _search_metrics(info: SearchInfo) -> dict[str, float]:
    return {
        "float/score": info.float_accuracy.mean,
        "float/p50_ms": info.float_latency.baseline_p50_ms,
        "float/timer_ratio": info.float_latency.ratio.value,
    }


def _trial_params(record: TrialRecord) -> dict[str, str]:
    recipe = record.plan.to_dict()["recipe"]
    return {key: str(value) for key, value in recipe.items()} | {"float_groups": str(len(record.plan.float_groups))}


def _trial_metrics(record: TrialRecord) -> dict[str, float]:
    metrics = {f"seconds/{part}": value for part, value in record.seconds.items()}
    metrics["plan/quantized_sites"] = record.quantized_sites
    if (evaluation := record.evaluation) is not None:
        accuracy, latency = evaluation.accuracy, evaluation.latency
        metrics |= {
            "accuracy/score": accuracy.mean,
            "accuracy/drop": accuracy.drop.value,
            "accuracy/drop_low": accuracy.drop.low,
            "accuracy/drop_high": accuracy.drop.high,
            "latency/ratio": latency.ratio.value,
            "latency/ratio_low": latency.ratio.low,
            "latency/ratio_high": latency.ratio.high,
            "latency/speedup": latency.speedup.value,
            "latency/p50_ms": latency.p50_ms,
            "latency/p90_ms": latency.p90_ms,
            "latency/per_second": latency.per_second,
            "latency/disturbed": float(latency.disturbed),
            "size/mb": evaluation.size_bytes / 1e6,
            "execution/int8_layers": evaluation.execution.int8_layers,
            "feasible": float(record.feasible),
        }
        conditions = asdict(latency.conditions)
        metrics |= {f"conditions/{key}": value for key, value in conditions.items() if value is not None}
    return metrics


def _progress(front: ParetoFront, info: SearchInfo | None) -> dict[str, float]:
    """Hypervolume and best so far, for the parent's curves."""
    if not len(front):
        return {}
    worst_drop = 1.0 if info is None or info.max_drop is None else max(info.max_drop, 1e-9)
    best = objectives(choose(front, "fastest" if info is None else info.choose))
    return {
        "search/hypervolume": front.hypervolume((worst_drop, 1.5)),
        "search/best_ratio": best[1],
        "search/best_drop": best[0],
        "search/front_size": float(len(front)),
    }


def open_sentence(tracking_uri: str, experiment: str) -> str:
    """How a person opens the MLflow UI on the charts of an experiment."""
    from mlflow import MlflowClient

    known = MlflowClient(tracking_uri).get_experiment_by_name(experiment)
    place = "" if known is None else chart_url(known.experiment_id)
    return f"mlflow ui --backend-store-uri {tracking_uri}, then http://127.0.0.1:5000/{place}"


def chart_url(experiment_id: str) -> str:
    """What follows the server's address to open the charts of an experiment."""
    return f"#/experiments/{experiment_id}/runs?compareRunsMode=CHART&viewStateShareKey=autoq"
