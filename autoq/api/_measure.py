"""`autoq.benchmark` and `autoq.evaluate`: one model, measured the way a search measures its candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from autoq.calibration import as_inputs
from autoq.core import DataError, Estimate
from autoq.evaluation import (
    Accuracy,
    ExecutionReport,
    Latency,
    RuntimeConfig,
    ValidationSet,
    execution_report,
    mean_interval,
    measure_latency,
    resolve_metric,
    score,
)
from autoq.graph import read_model


@dataclass(frozen=True, slots=True)
class Comparison:
    """A model timed beside another one.

    Attributes:
        latency: The model, and its ratio to the other one.
        execution: What the device runs for the model.
        runtime: Effective compile properties.
    """

    latency: Latency
    execution: ExecutionReport
    runtime: dict[str, str]

    @property
    def verdict(self) -> str:
        """The comparison in words."""
        speedup, ratio = self.latency.speedup, self.latency.ratio
        interval = f"95% interval {speedup.low:.2f}-{speedup.high:.2f}"
        if speedup.low > 1:
            return f"{speedup.value:.2f}x faster, {interval}"
        if ratio.low > 1:
            return f"{ratio.value:.2f}x slower, 95% interval {ratio.low:.2f}-{ratio.high:.2f}"
        return f"no difference can be shown: speed-up {speedup.value:.2f}, {interval}"


def benchmark(
    model: Any,  # whatever read_model reads
    *,
    against: Any = None,  # whatever read_model reads
    device: str = "CPU",
    sample: Any = None,  # one model input
    max_seconds: float = 10.0,
    **runtime: Any,  # fields of RuntimeConfig
) -> Comparison:
    """Times a model beside another one, in alternating bursts; beside itself where there is no other.

    Args:
        model: What `autoq.read_model` reads.
        against: The model to compare with; None compares the model with itself, which shows the timer's own error.
        device: OpenVINO device.
        sample: Input to time with; by default zeros of the model's static shape.
        max_seconds: Cap on the measurement.
        **runtime: Fields of `RuntimeConfig`.

    Returns:
        Ratio with its interval, percentiles in ms, and which layers ran in which precision.

    Raises:
        DataError: No sample was given and the model's shape is dynamic, or the sample does not fit.
        DeviceError: The device is unknown or refuses a model.
    """
    config = RuntimeConfig.from_dict({"device": device, **runtime})
    network = read_model(model)
    compiled = config.compile(network)
    baseline = config.compile(network if against is None else read_model(against))
    item = as_inputs(network, [_zeros(network) if sample is None else sample])[0]
    return Comparison(
        latency=measure_latency(compiled, baseline, item, max_seconds=max_seconds),
        execution=execution_report(compiled),
        runtime=dict(compiled.properties),
    )


def _zeros(network: Any) -> dict[str, np.ndarray[Any, Any]]:  # ov.Model, whose stubs lack the ports
    sample = {}
    for port in network.inputs:
        if port.partial_shape.is_dynamic:
            msg = f"input {port.any_name!r} has the dynamic shape {port.partial_shape}: pass a sample to time with."
            raise DataError(msg)
        sample[port.any_name] = np.zeros(tuple(port.shape), port.element_type.to_dtype())
    return sample


def evaluate(
    model: Any,  # whatever read_model reads
    validation: Any,  # whatever ValidationSet takes
    *,
    metric: str | Callable[..., Any],
    device: str = "CPU",
    **runtime: Any,  # fields of RuntimeConfig
) -> tuple[Estimate, np.ndarray[Any, np.dtype[np.float64]]]:
    """Scores a model on labelled data.

    Args:
        model: What `autoq.read_model` reads.
        validation: Pairs of (inputs, target).
        metric: Name of a metric, or `(outputs, targets) -> scores [n]`.
        device: OpenVINO device.
        **runtime: Fields of `RuntimeConfig`.

    Returns:
        The mean score with its 95% interval, and the per-sample scores [n].

    Raises:
        DataError: The validation data do not fit the model.
        MetricError: The metric is unknown, raised, or returned something that is not a score per sample.
    """
    config = RuntimeConfig.from_dict({"device": device, **runtime})
    network = read_model(model)
    scores = score(config.compile(network), ValidationSet.of(network, validation), resolve_metric(metric))
    return mean_interval(scores), scores


__all__ = ["Accuracy", "Comparison", "benchmark", "evaluate"]
