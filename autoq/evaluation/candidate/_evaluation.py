"""The evaluation of one candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import openvino as ov

from autoq.core import RuntimeChoice, brief_repr
from autoq.evaluation.execution import ExecutionReport
from autoq.evaluation.latency import Latency
from autoq.evaluation.scoring import Accuracy


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Accuracy, latency, size and execution of one candidate on one device.

    Attributes:
        accuracy: Accuracy beside the float model in f32.
        latency: Latency beside the float model at the device's default precision.
        size_bytes: Size of the weights, as saved.
        execution: The layers and the precisions in which they really ran.
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
        choice: What it chooses of the settings under which it runs.
        evaluation: The evaluation of its trial.
    """

    model: ov.Model
    choice: RuntimeChoice
    evaluation: Evaluation
