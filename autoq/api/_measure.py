"""`autoq.benchmark` and `autoq.evaluate`: one model, measured the way a search measures its candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoq.api._metric import one_metric
from autoq.api._sample import timing_sample
from autoq.core import ConfigError, Estimate
from autoq.evaluation import (
    Accuracy,
    AnyMetric,
    ExecutionReport,
    Latency,
    RuntimeConfig,
    Scorer,
    Scores,
    ValidationFn,
    ValidationSet,
    compile_pairs,
    execution_report,
    mean_interval,
    measure_latency,
    paired_drop,
    size_bytes,
)
from autoq.graph import read_model

# A model that is compiled again is a few percent faster or slower: this share of the time may go to compiling.
_COMPILING = 0.5


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
    against_runtime: Mapping[str, Any] | None = None,  # fields of RuntimeConfig
    device: str = "CPU",
    sample: Any = None,  # one model input
    max_seconds: float = 10.0,
    **runtime: Any,  # fields of RuntimeConfig
) -> Comparison:
    """Times a model beside another one, or beside itself under other settings, in alternating bursts.

    Both are compiled several times, so that the interval holds for the models and not for one compilation of each; once
    where memory has no room for more.

    Args:
        model: What `autoq.read_model` reads.
        against: The model to compare with; None compares the model with itself, which, under equal settings, shows the
            timer's own error.
        against_runtime: Fields of `RuntimeConfig` in which what it is compared with differs.
        device: OpenVINO device.
        sample: Input to time with; by default zeros of the model's static shape.
        max_seconds: Of compiling and timing together; where the models are slow, six compilations of each and four
            bursts of each compilation take longer.
        **runtime: Fields of `RuntimeConfig`.

    Returns:
        Ratio with its interval, percentiles in ms, and which layers ran in which precision.

    Raises:
        ConfigError: A setting makes no sense, or the model cannot take the shapes.
        DataError: No sample was given and the model's shape is dynamic, or the sample does not fit.
        DeviceError: The device is unknown or refuses a model.
    """
    config = RuntimeConfig.from_dict({"device": device, **runtime})
    network = read_model(model)
    other = network if against is None else read_model(against)
    other_config = RuntimeConfig.from_dict({"device": device, **runtime, **(against_runtime or {})})
    if (config.batch, config.input_shapes) != (other_config.batch, other_config.input_shapes):
        msg = "against_runtime changes batch or input_shapes, but both models get one sample: set them for both."
        raise ConfigError(msg)
    candidates, baselines = compile_pairs(
        lambda: config.compile(network),
        lambda: other_config.compile(other),
        max_seconds=_COMPILING * max_seconds,
        size_bytes=size_bytes(network) + size_bytes(other),
    )
    item = timing_sample(network, config, sample)
    return Comparison(
        latency=measure_latency(candidates, baselines, item, max_seconds=(1 - _COMPILING) * max_seconds),
        execution=execution_report(candidates[0]),
        runtime=dict(candidates[0].properties),
    )


@dataclass(frozen=True, slots=True)
class Scoring:
    """A model scored on labelled data, perhaps beside another one.

    Attributes:
        mean: The score with its 95% interval; without ends where nothing is known of it.
        scores: Per-sample scores, [n], or those of a metric of all samples together by block; empty where the user's
            function gives none.
        drop: The other model's score minus this one's, on the same samples; None where there is no other.
        n: Samples scored; 0 where the user's function does not tell.
    """

    mean: Estimate
    scores: Scores
    drop: Estimate | None
    n: int

    @property
    def verdict(self) -> str:
        """The scores in words."""
        text = self.mean.format(".4f") + (f" on {self.n} samples" if self.n else "")
        if self.drop is None:
            return text
        low, high, size = self.drop.low, self.drop.high, abs(self.drop.value)
        if not self.drop.known:
            how = "worse" if self.drop.value > 0 else "better"
            found = f"{size:.4f} {how}" if size else "the same"
            return f"{text}: {found}, but without scores of single items nothing says how sure that is"
        if low > 0:
            return f"{text}: {size:.4f} worse, 95% interval {low:.4f} to {high:.4f}"
        if high < 0:
            return f"{text}: {size:.4f} better, 95% interval {-high:.4f} to {-low:.4f}"
        return f"{text}: no difference can be shown, drop {self.drop.value:.4f}, 95% interval {low:.4f} to {high:.4f}"


def evaluate(
    model: Any,  # whatever read_model reads
    validation: Any,  # whatever ValidationSet takes, or the items of `evaluate`
    *,
    metric: AnyMetric | None = None,
    evaluate: ValidationFn | None = None,
    against: Any = None,  # whatever read_model reads
    device: str = "CPU",
    **runtime: Any,  # fields of RuntimeConfig
) -> Scoring:
    """Scores a model on labelled data, and another one on the same samples.

    Args:
        model: What `autoq.read_model` reads.
        validation: Pairs of (inputs, target); for `evaluate`, the items that it takes.
        metric: A name, autoq's or a scikit-learn scorer's; `(outputs, target) -> score` of one inference; an object
            with `update` and `compute`; or a `CorpusMetric`, of all samples together. Higher is better.
        evaluate: Instead of `metric`: `(compiled_model, items) -> float | (float, per-item floats)`, as NNCF has it.
            Without scores per item no interval is known.
        against: The model to compare with.
        device: OpenVINO device.
        **runtime: Fields of `RuntimeConfig`, `reset_state` among them. A metric's inferences run for throughput
            whatever the hint.

    Returns:
        The score, what its interval rests on, and how much lower it is than the other model's, paired.

    Raises:
        ConfigError: Neither or both of `metric` and `evaluate` are given.
        DataError: The validation data do not fit the model.
        DeviceError: The device is unknown or refuses a model.
        MetricError: The metric is unknown, raised, or returned something that is not a score.
    """
    resolved = one_metric(metric, evaluate)
    config = RuntimeConfig.from_dict({"device": device, **runtime})
    network = read_model(model)
    other = None if against is None else read_model(against)
    items = ValidationSet.of(network, validation) if evaluate is None else validation
    scorer = Scorer(items, metric=resolved, evaluate=evaluate, runtime=config)
    value, scores = scorer.of(network, config.inference_precision)(None)
    mean = mean_interval(scores) if scores.size else Estimate.unknown(value)
    drop = None
    if other is not None:
        reference, others = scorer.of(other, config.inference_precision)(None)
        paired = scores.size and others.size == scores.size
        drop = paired_drop(others, scores) if paired else Estimate.unknown(reference - value)
    # What a user's function takes need not be a list of samples: without scores it does not tell how many there are.
    return Scoring(mean, scores, drop, scorer.samples(scores) if scores.size else 0)


__all__ = ["Accuracy", "Comparison", "Scoring", "benchmark", "evaluate"]
