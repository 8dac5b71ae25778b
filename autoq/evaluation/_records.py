"""What is known about one candidate after it was scored and timed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from autoq.core import Estimate, brief_repr
from autoq.evaluation._conditions import Conditions
from autoq.evaluation._racing import Outcome


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Scores of a candidate beside the float model's on the same samples.

    Attributes:
        mean: Mean score, in the metric's unit; higher is better.
        drop: Float mean minus candidate mean, paired, with its interval; positive is worse.
        n: Samples scored.
        scores: Scores by sample, float64, NaN where it was not scored; empty where the user's function gives none.
        outcome: Why it was scored on so many samples.
    """

    mean: float
    drop: Estimate
    n: int
    scores: NDArray[np.float64]
    outcome: Outcome = Outcome.FINISHED

    __repr__ = brief_repr


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of one inference beside the pinned float baseline's, measured in alternating bursts.

    Attributes:
        ratio: Candidate over baseline, with its interval; below 1 is faster.
        p25_ms: First quartile of the candidate.
        p50_ms: Median of the candidate.
        p90_ms: 90th percentile of the candidate.
        baseline_p50_ms: Median of the baseline in the same bursts.
        bursts: Pairs of bursts that the interval rests on.
        per_second: Inferences a second of the candidate, as many at a time as it was compiled for.
        conditions: What the machine did meanwhile.
        disturbed: Whether the timer failed its check against itself, so that the interval may be too narrow.
        log_ratios: Logarithm of the ratio of each pair of bursts; not kept in what is stored of a trial.
    """

    ratio: Estimate
    p25_ms: float
    p50_ms: float
    p90_ms: float
    baseline_p50_ms: float
    bursts: int
    per_second: float
    conditions: Conditions
    disturbed: bool = False
    log_ratios: tuple[float, ...] = field(default=(), compare=False, repr=False)

    __repr__ = brief_repr

    @property
    def speedup(self) -> Estimate:
        """Baseline over candidate: how many times faster."""
        ratio = self.ratio
        # An interval that is not known, or holds models that take no time, has no upper end here.
        return Estimate(1 / ratio.value, 1 / ratio.high, 1 / ratio.low if ratio.low > 0 else math.inf, ratio.confidence)


@dataclass(frozen=True, slots=True)
class ExecutedLayer:
    """One node of the execution graph.

    Attributes:
        name: Of the node.
        type: The plugin's layer type (`Convolution`, `FullyConnected`, ...).
        precision: What it computes in (`u8`, `i8`, `bf16`, `f32`, ...).
        kernel: The plugin's primitive (`brgconv_avx512_amx_i8`, ...).
        ops: Friendly names of the model's operations that it executes.
        on_floats: Whether any of them reads what are floats in the model. Others move or compare the integers of the
            model's own: an image of bytes, a condition.
    """

    name: str
    type: str
    precision: str
    kernel: str
    ops: tuple[str, ...]
    on_floats: bool = True

    @property
    def is_int8(self) -> bool:
        """Whether it computes in 8-bit integers what are floats in the model."""
        return self.precision in {"i8", "u8"} and self.on_floats


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """What the device really runs, read from its execution graph.

    Attributes:
        layers: Nodes that compute; constants, inputs and outputs left out.
    """

    layers: tuple[ExecutedLayer, ...]

    __repr__ = brief_repr

    @property
    def precisions(self) -> Mapping[str, int]:
        """Number of layers by precision."""
        return Counter(layer.precision for layer in self.layers)

    @property
    def int8_layers(self) -> int:
        """Number of layers that compute in 8-bit integers."""
        return sum(layer.is_int8 for layer in self.layers)


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
