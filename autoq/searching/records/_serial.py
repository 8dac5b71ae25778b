"""Trial records as plain JSON values, and back, without single scores and bursts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from autoq.core import Estimate, Plan, StoredFileError, mapping_of, typed
from autoq.evaluation.candidate import Evaluation
from autoq.evaluation.execution import ExecutionReport
from autoq.evaluation.latency import FirstToken, Latency
from autoq.evaluation.scoring import Accuracy
from autoq.searching.records._records import CoursePoint, TrialRecord, TrialState, Tuned


def accuracy_to_dict(accuracy: Accuracy) -> dict[str, Any]:
    """Mean, drop and count of an accuracy, without its scores."""
    return {
        "mean": accuracy.mean,
        "drop": accuracy.drop.to_dict(),
        "n": accuracy.n,
        "outcome": str(accuracy.outcome),
        "sampling_sd": accuracy.sampling_sd,
    }


def accuracy_from_dict(values: Mapping[str, Any]) -> Accuracy:
    """Reads what `accuracy_to_dict` wrote; the scores come back empty.

    Raises:
        StoredFileError: It wrote something else.
    """
    told = {**mapping_of(values, "an accuracy", StoredFileError), "scores": np.empty(0)}
    return typed(Accuracy, told, "an accuracy", drop=Estimate.from_dict, scores=np.asarray)


def latency_to_dict(latency: Latency) -> dict[str, Any]:
    """All fields of a latency except its single bursts."""
    plain = {name: value for name, value in asdict(latency).items() if name != "log_ratios"}
    first = latency.first_token
    return plain | {
        "ratio": latency.ratio.to_dict(),
        "first_token": None if first is None else asdict(first) | {"ratio": first.ratio.to_dict()},
    }


def latency_from_dict(values: Mapping[str, Any]) -> Latency:
    """Reads what `latency_to_dict` wrote.

    Raises:
        StoredFileError: It wrote something else.
    """
    found = typed(Latency, values, "a latency", ratio=Estimate.from_dict, first_token=_first_token_from_dict)
    if found.ratio.value <= 0:
        msg = f"a latency: ratio is {found.ratio.value}: it must be above 0."
        raise StoredFileError(msg)
    return found


def _first_token_from_dict(values: Mapping[str, Any] | None) -> FirstToken | None:
    return None if values is None else typed(FirstToken, values, "a first token", ratio=Estimate.from_dict)


def evaluation_to_dict(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation without its per-sample scores."""
    return {
        "accuracy": accuracy_to_dict(evaluation.accuracy),
        "latency": latency_to_dict(evaluation.latency),
        "size_bytes": evaluation.size_bytes,
        "execution": [asdict(layer) for layer in evaluation.execution.layers],
        "runtime": dict(evaluation.runtime),
        **({} if evaluation.size_ratio is None else {"size_ratio": evaluation.size_ratio}),
    }


def evaluation_from_dict(values: Mapping[str, Any]) -> Evaluation:
    """Reads what `evaluation_to_dict` wrote; the scores come back empty.

    Raises:
        StoredFileError: It wrote something else.
    """
    return typed(
        Evaluation,
        values,
        "an evaluation",
        accuracy=accuracy_from_dict,
        latency=latency_from_dict,
        execution=lambda layers: typed(ExecutionReport, {"layers": layers}, "an execution report"),
    )


def record_to_dict(record: TrialRecord) -> dict[str, Any]:
    """A record as plain JSON values."""
    return {
        "number": record.number,
        "state": str(record.state),
        "origin": record.origin,
        "plan": record.plan.to_dict(),
        "fingerprint": record.fingerprint,
        "hardware": record.hardware,
        "evaluation": None if record.evaluation is None else evaluation_to_dict(record.evaluation),
        "feasible": record.feasible,
        "quantized_sites": record.quantized_sites,
        "seconds": dict(record.seconds),
        "error": record.error,
        "remeasured": record.remeasured,
        **({} if record.tuned is None else {"tuned": asdict(record.tuned)}),
    }


def _tuned_from_dict(values: Mapping[str, Any] | None) -> Tuned | None:
    return None if values is None else typed(Tuned, values, "how a model was tuned", course=_course)


def _course(points: Sequence[Mapping[str, Any]]) -> tuple[CoursePoint, ...]:
    return tuple(typed(CoursePoint, point, "a check of a training") for point in points)


def record_from_dict(values: Mapping[str, Any]) -> TrialRecord:
    """Reads what `record_to_dict` wrote.

    Raises:
        StoredFileError: It wrote something else.
        PlanError: The plan cannot be read.
    """
    record = typed(
        TrialRecord,
        values,
        "a trial's record",
        plan=Plan.from_dict,
        evaluation=lambda found: None if found is None else evaluation_from_dict(found),
        tuned=_tuned_from_dict,
    )
    if record.state is TrialState.COMPLETE and record.evaluation is None:
        msg = f"the record of trial {record.number} says that the trial is complete, but has no evaluation."
        raise StoredFileError(msg)
    return record
