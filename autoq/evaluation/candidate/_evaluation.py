"""The evaluation of one candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import openvino as ov

from autoq.core import Estimate, RuntimeChoice, brief_repr
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
        size_ratio: Size beside that of the float model, if accuracy is weighed against size; None if against latency.
    """

    accuracy: Accuracy
    latency: Latency
    size_bytes: int
    execution: ExecutionReport
    runtime: Mapping[str, str]
    size_ratio: float | None = None

    __repr__ = brief_repr

    @property
    def cost(self) -> Estimate:
        """What accuracy is weighed against, beside the float model: the ratio of latencies, or of sizes."""
        return cost_of(self.latency, self.size_ratio)

    @property
    def gain(self) -> Estimate:
        """The inverse of the cost: how many times as fast as the float model, or how many times smaller."""
        if self.size_ratio is None:
            return self.latency.speedup
        times = 1 / self.size_ratio
        return Estimate(times, times, times)


def cost_of(latency: Latency, size_ratio: float | None) -> Estimate:
    """The cost of a model; that of a size is exact."""
    return latency.ratio if size_ratio is None else Estimate(size_ratio, size_ratio, size_ratio)


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
