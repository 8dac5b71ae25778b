"""What a search found and left behind, in a form in which two searches can be compared."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autoq import SearchResult
from autoq.searching.records import TrialRecord

# Ids that are drawn, and what begins the name of a draft.
_DRAWN = re.compile(r"[0-9a-f]{32}|[0-9a-f]{16}|(?<=-)[0-9a-f]{8}")


def of_result(result: SearchResult) -> dict[str, Any]:
    """Trials, front, the chosen model and the scores on held-out data."""
    chosen = result.chosen
    return {
        "trials": [_trial(record) for record in result.records],
        "front": [record.number for record in result.front],
        "chosen": None if chosen is None else chosen.number,
        "held_out": {str(number): accuracy.mean for number, accuracy in sorted(result.holdout_front.items())},
        "interrupted": result.interrupted,
        "verdict": result.verdict,
    }


def _trial(record: TrialRecord) -> list[Any]:
    found = [record.number, record.origin, str(record.state), record.fingerprint, record.plan.to_dict(), record.error]
    if (evaluation := record.evaluation) is None:
        return found
    accuracy, latency = evaluation.accuracy, evaluation.latency
    scores = hashlib.blake2b(np.asarray(accuracy.scores, np.float64).tobytes(), digest_size=8).hexdigest()
    measured = [str(accuracy.outcome), accuracy.n, accuracy.mean, accuracy.drop.to_dict(), scores]
    return [*found, *measured, latency.ratio.to_dict(), evaluation.size_bytes, record.feasible, record.remeasured]


def of_folder(work: Path, given: Mapping[str, Any], temporary: Path) -> dict[str, Any]:
    """What stands in the folder that a search was started in.

    Args:
        work: The folder.
        given: Arguments of the search.
        temporary: Folder of its temporary files.
    """
    found: dict[str, Any] = {}
    if "out" in given:
        result = SearchResult.load(work / given["out"])
        found |= {f"kept {name}": value for name, value in of_result(result).items()}
        found["best model"] = _best_model(work / given["out"], result)
        found["study"] = _study(work / given["out"] / "study.db")
    found["files"] = sorted(_files(work))
    found["temporary files"] = sorted(_files(temporary))
    if given.get("tracking_uri") != "off":
        found |= _tracked(work / "mlflow.db")
    return found


def _files(folder: Path) -> Iterator[str]:
    """All names below a folder, without what is drawn in them; those of MLflow's artifacts are told by their runs."""
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if not name.startswith("mlartifacts/"):
            yield _DRAWN.sub("*", name)


def _best_model(out: Path, result: SearchResult) -> dict[str, Any]:
    """Whether plan, structure and weights of the saved model belong together."""
    import openvino as ov

    from autoq.transform import read_plan

    xml = out / "best" / "model.xml"
    plan = read_plan(ov.Core().read_model(xml))
    weights = xml.with_suffix(".bin")
    return {
        "is_chosen": result.chosen is not None and plan == result.chosen.plan,
        "weights": hashlib.blake2b(weights.read_bytes(), digest_size=8).hexdigest() if weights.exists() else None,
    }


def _study(path: Path) -> list[Any]:
    """Optuna's trials of each study of a file."""
    import optuna

    storage = f"sqlite:///{path}"
    return [
        [
            (t.number, t.state.name, t.params, t.values)
            for t in optuna.load_study(storage=storage, study_name=name).trials
        ]
        for name in optuna.get_all_study_names(storage)
    ]


def _tracked(store: Path) -> dict[str, Any]:
    """Runs and models of an MLflow store, and what is in none of them."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{store}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, max_results=10_000)
    models = client.search_logged_models(experiments, max_results=500)
    trial_of = {run.info.run_id: run.data.tags.get("autoq.trial", "search") for run in runs}
    artifacts = store.parent / "mlartifacts"
    owned = {_owner(run.info.artifact_uri, artifacts) for run in runs} | {
        _owner(model.artifact_location, artifacts) for model in models
    }
    there = {_owner(str(path), artifacts) for path in artifacts.rglob("*") if path.is_file()}
    return {
        "runs": sorted(_run(client, run) for run in runs),
        "unfinished runs": sorted(trial_of[run.info.run_id] for run in runs if run.info.status in _UNFINISHED),
        "models": sorted((trial_of.get(model.source_run_id, "?"), model.name, str(model.status)) for model in models),
        "artifacts of nobody": sorted(_DRAWN.sub("*", name) for name in there - owned),
        "uploads": sorted(path.name for path in artifacts.rglob(".*")),
    }


_UNFINISHED = {"RUNNING", "SCHEDULED", "KILLED"}


def _owner(place: str, artifacts: Path) -> str:
    """Folder of a run or of a model: "experiment/run" or "experiment/models/model"."""
    parts = Path(place.removeprefix("file://")).relative_to(artifacts).parts
    return "/".join(parts[: 3 if "models" in parts[:2] else 2])


def _run(client: Any, run: Any) -> list[Any]:  # MlflowClient and Run, whose package has no types
    metrics = {key: value for key, value in run.data.metrics.items() if "seconds" not in key}
    tags = {key: _DRAWN.sub("*", value) for key, value in run.data.tags.items()}
    return [
        _DRAWN.sub("*", run.info.run_name),
        run.info.status,
        sorted(run.data.params.items()),
        sorted(metrics.items()),
        sorted(tags.items()),
        sorted(_artifacts(client, run.info.run_id, "")),
        len(run.outputs.model_outputs) if run.outputs else 0,
    ]


def _artifacts(client: Any, run_id: str, below: str) -> Iterator[str]:
    for item in client.list_artifacts(run_id, below):
        if item.is_dir:
            yield from _artifacts(client, run_id, item.path)
        else:
            yield item.path
