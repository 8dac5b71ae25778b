"""Trial records, and what a search was asked, as plain JSON values and back; without single scores and bursts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from autoq.core import Estimate, QuantizationPlan
from autoq.evaluation import Accuracy, Conditions, Evaluation, ExecutedLayer, ExecutionReport, Latency, Outcome
from autoq.search._limits import Limits
from autoq.search._observer import SearchInfo
from autoq.search._records import TrialRecord, TrialState


def accuracy_to_dict(accuracy: Accuracy) -> dict[str, Any]:
    """Mean, drop and count of an accuracy, without its scores."""
    return {
        "mean": accuracy.mean,
        "drop": accuracy.drop.to_dict(),
        "n": accuracy.n,
        "outcome": str(accuracy.outcome),
    }


def accuracy_from_dict(values: Mapping[str, Any]) -> Accuracy:
    """Reads what `accuracy_to_dict` wrote; the scores come back empty."""
    drop, outcome = Estimate.from_dict(values["drop"]), Outcome(values["outcome"])
    return Accuracy(values["mean"], drop, values["n"], np.empty(0), outcome)


def latency_to_dict(latency: Latency) -> dict[str, Any]:
    """All fields of a latency but its single bursts."""
    plain = {name: value for name, value in asdict(latency).items() if name != "log_ratios"}
    return plain | {"ratio": latency.ratio.to_dict()}


def latency_from_dict(values: Mapping[str, Any]) -> Latency:
    """Reads what `latency_to_dict` wrote."""
    ratio, conditions = Estimate.from_dict(values["ratio"]), Conditions(**values["conditions"])
    return Latency(**{**values, "ratio": ratio, "conditions": conditions})


def evaluation_to_dict(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation without its per-sample scores."""
    return {
        "accuracy": accuracy_to_dict(evaluation.accuracy),
        "latency": latency_to_dict(evaluation.latency),
        "size_bytes": evaluation.size_bytes,
        "execution": [asdict(layer) for layer in evaluation.execution.layers],
        "runtime": dict(evaluation.runtime),
    }


def evaluation_from_dict(values: Mapping[str, Any]) -> Evaluation:
    """Reads what `evaluation_to_dict` wrote; the scores come back empty."""
    layers = tuple(ExecutedLayer(**{**layer, "ops": tuple(layer["ops"])}) for layer in values["execution"])
    return Evaluation(
        accuracy=accuracy_from_dict(values["accuracy"]),
        latency=latency_from_dict(values["latency"]),
        size_bytes=values["size_bytes"],
        execution=ExecutionReport(layers),
        runtime=dict(values["runtime"]),
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
    }


def record_from_dict(values: Mapping[str, Any]) -> TrialRecord:
    """Reads what `record_to_dict` wrote."""
    evaluation = values["evaluation"]
    return TrialRecord(
        **{
            **values,
            "state": TrialState(values["state"]),
            "plan": QuantizationPlan.from_dict(values["plan"]),
            "evaluation": None if evaluation is None else evaluation_from_dict(evaluation),
        }
    )


def info_to_dict(info: SearchInfo) -> dict[str, Any]:
    """What a search was asked, as plain JSON values."""
    return asdict(info) | {
        "float_accuracy": accuracy_to_dict(info.float_accuracy),
        "float_latency": latency_to_dict(info.float_latency),
    }


def info_from_dict(values: Mapping[str, Any]) -> SearchInfo:
    """Reads what `info_to_dict` wrote."""
    choose = values["choose"]
    return SearchInfo(
        **{
            **values,
            "limits": Limits(**values["limits"]),
            "float_accuracy": accuracy_from_dict(values["float_accuracy"]),
            "float_latency": latency_from_dict(values["float_latency"]),
            "choose": choose if isinstance(choose, str) else tuple(choose),
        }
    )
