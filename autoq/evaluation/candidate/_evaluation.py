"""What is known about one candidate after it was scored and timed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import openvino as ov

from autoq.core import RuntimePrecision, brief_repr
from autoq.evaluation.execution import ExecutionReport
from autoq.evaluation.latency import Latency
from autoq.evaluation.scoring import Accuracy


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Accuracy, latency, size and execution of one candidate on one device.

    Attributes:
        accuracy: Beside the f32 model.
        latency: Beside the float model at the device's default precision.
        size_bytes: Of the weights, as saved.
        execution: Which layers really ran in which precision.
        runtime: Effective compile properties, read back from the device.
    """

    accuracy: Accuracy
    latency: Latency
    size_bytes: int
    execution: ExecutionReport
    runtime: Mapping[str, str]

    __repr__ = brief_repr


@dataclass(frozen=True, slots=True)
class Finalist:
    """A candidate of the closing session, which measures it once more beside the others.

    Attributes:
        model: The candidate.
        precision: What its float layers run in.
        evaluation: What is known of it.
    """

    model: ov.Model
    precision: RuntimePrecision
    evaluation: Evaluation
