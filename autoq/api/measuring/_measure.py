"""`autoq.benchmark` and `autoq.evaluate`: they measure one model as a search measures its candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from autoq.api.measuring._metric import one_metric
from autoq.api.measuring._sample import timing_sample
from autoq.core import (
    ConfigError,
    Estimate,
    RuntimeChoice,
    brief_html,
    counted,
    html_table,
    in_lines,
    intervals_svg,
    shown,
)
from autoq.evaluation.candidate import size_bytes
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.execution import ExecutionReport, execution_report
from autoq.evaluation.latency import Latency, busy_note, compile_pairs, measure_latency, shown_faster, timed_part
from autoq.evaluation.metrics import AnyMetric, Metric
from autoq.evaluation.scoring import Accuracy, Scorer, Scores, ValidationFn, ValidationSet, drop_between, mean_interval
from autoq.graph import read_model

# Share of the time for compiling: a model that is compiled again is a few percent faster or slower.
_COMPILING = 0.5
# Share of the time for timing that the timer takes to check itself.
_CHECKING = 0.2


@dataclass(frozen=True, slots=True)
class Comparison:
    """A model timed beside another one.

    Attributes:
        latency: Latency of the model, and its ratio to the other one. For two stateful decoders, the time of a token
            that follows the sample; `latency.first_token` is then the time to the first one.
        execution: The layers that the device runs for the model.
        runtime: Effective compile properties.
        timer: Latency ratio of the other model to itself by the same timer. Its true value is 1.
    """

    latency: Latency
    execution: ExecutionReport
    runtime: dict[str, str]
    timer: Estimate

    def __repr__(self) -> str:
        layers = ", ".join(f"{count} {name}" for name, count in sorted(self.execution.precisions.items()))
        return "\n".join(in_lines(f"Comparison: {self.verdict}; executed layers: {layers}"))

    @property
    def verdict(self) -> str:
        """The comparison in words."""
        busy = "" if (note := busy_note(self.timer)) is None else f"; {note}"
        if (first := self.latency.first_token) is None:
            return f"{self._difference(self.latency)}{busy}"
        prompt = replace(self.latency, ratio=first.ratio)
        return f"each further token: {self._difference(self.latency)}; first token: {self._difference(prompt)}{busy}"

    def _difference(self, latency: Latency) -> str:
        faster = shown_faster(latency, self.timer)
        if faster is None:
            return f"no difference can be shown: speed-up {_with_interval(latency.speedup)}"
        value, interval = _with_interval(latency.speedup if faster else latency.ratio).split(", ")
        return f"{value}x {'faster' if faster else 'slower'}, {interval}"


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

    Both are compiled several times, so that the interval holds for the models and not for one compilation of each.
    Where memory has no room for that, they are compiled once. The other model is timed beside itself too, to check the
    timer: a difference within the error of this check is not called faster.

    Args:
        model: What `autoq.read_model` reads.
        against: The model to compare with; None compares the model with itself. Under equal settings that shows the
            error of the timer.
        against_runtime: Fields of `RuntimeConfig` that differ for the other model.
        device: OpenVINO device.
        sample: Input to time with; by default zeros of the model's shape, a batch of one where its first axis
            alone is open. For a decoder, a row of tokens: a
            prompt. Of two stateful decoders, the tokens that follow it are timed one by one, and the prompt, with an
            empty state, beside them; with `decoder_time="prompt"`, the prompt alone.
        max_seconds: Most seconds of compiling and timing together. Slow models take longer: each is compiled at least
            six times, and each compilation is timed in at least four bursts.
        **runtime: Fields of `RuntimeConfig`.

    Returns:
        The ratio with its interval, percentiles in ms, and the precision of each layer.

    Raises:
        ConfigError: A setting makes no sense, or the model cannot take the shapes.
        DataError: No sample was given and further axes of the model are open, or the sample does not fit.
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
    item = timed_part(timing_sample(network, config, sample), config.decoder_time, network, other)
    timing_s = (1 - _COMPILING) * max_seconds
    # One compilation is timed beside itself, several in two halves: either way the true ratio is 1.
    halves = (baselines[: len(baselines) // 2] or baselines), baselines[-(len(baselines) // 2) :]
    check = measure_latency(*halves, item, max_seconds=_CHECKING * timing_s)
    latency = measure_latency(candidates, baselines, item, max_seconds=(1 - _CHECKING) * timing_s)
    return Comparison(
        latency=latency,
        timer=check.ratio,
        execution=execution_report(candidates[0], network),
        runtime=dict(candidates[0].properties),
    )


@dataclass(frozen=True, slots=True)
class Scoring:
    """A model scored on labelled data, perhaps beside another one.

    Attributes:
        mean: The score with its 95% interval, or without one where it is unknown.
        scores: Scores by sample, [n]; for a metric of all samples together, scores by block. Empty where the user's
            function gives none.
        drop: The other model's score minus this one's, on the same samples; None without another model.
        n: Number of samples scored; 0 where the user's function does not tell it.
    """

    mean: Estimate
    scores: Scores
    drop: Estimate | None
    n: int

    def __repr__(self) -> str:
        return "\n".join(in_lines(f"Scoring: {self.verdict}"))

    def _repr_html_(self) -> str:
        rows = [("score", self.mean)] + ([] if self.drop is None else [("drop", self.drop)])
        shown_rows = [(name, value, value.shown(sign=name == "drop")) for name, value in rows]
        pictures = [
            intervals_svg([row], label=f"{row[0]} with its interval", zero=row[0] == "drop") for row in shown_rows
        ]
        figures = [[name, text] for name, _, text in shown_rows] + [["samples", str(self.n or "not told")]]
        return brief_html(f"Scoring: {self.verdict}", [*pictures, html_table(["", "value [95%]"], figures, words=(0,))])

    @property
    def verdict(self) -> str:
        """The scores in words."""
        text = self.mean.shown() + (f" on {counted(self.n, 'sample')}" if self.n else "")
        if self.drop is None:
            return text
        gain = Estimate(-self.drop.value, -self.drop.high, -self.drop.low, self.drop.confidence)
        size, how = (self.drop, "worse") if self.drop.value > 0 else (gain, "better")
        if not self.drop.known:
            found = f"{shown(size.value)} {how}" if size.value else "the same"
            return f"{text}: {found}, but the interval is unknown without scores of single items"
        if size.low > 0:
            value, interval = _with_interval(size, least=4, to=" to ").split(", ")
            return f"{text}: {value} {how}, {interval}"
        return f"{text}: no difference can be shown, drop {_with_interval(self.drop, least=4, to=' to ')}"


def _with_interval(estimate: Estimate, *, least: int = 2, to: str = "-") -> str:
    """A number and its interval: "2.21, 95% interval 2.12-2.30"."""
    value, _, ends = estimate.shown(least=least).partition(" ")
    return f"{value}, 95% interval {(ends or f'[{value}, {value}]')[1:-1].replace(', ', to)}"


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
        validation: Anything that yields pairs of (inputs, target); arrays (x, y); or rows as dicts, in which one key is
            not an input. Inputs are what `autoq.quantize` takes. Batches of a loader are split with their targets, so
            that the score is the same whatever the batch. For a decoder, tokens alone: an array [n, length] of windows,
            one long row that is cut into windows of 256, or rows with `input_ids`. The state is reset before each. With
            `evaluate`, the items that it takes; they are passed on unchanged.
        metric: A name, autoq's or a scikit-learn scorer's; `(outputs, target) -> score` of one inference; an object
            with `update` and `compute`; or a `CorpusMetric`, of all samples together. Higher is better.
        evaluate: Instead of `metric`: `(compiled_model, items) -> float | (float, per-item floats)`, as NNCF has it.
            Without scores per item the interval is unknown.
        against: The model to compare with. The metrics "negative_kl" and "top1_agreement" compare with its outputs in
            f32.
        device: OpenVINO device.
        **runtime: Fields of `RuntimeConfig`, such as `reset_state`. A metric's inferences run for throughput whatever
            the hint, but for those of stateful decoders.

    Returns:
        The score with its interval, the scores by sample, and the drop from the other model, paired.

    Raises:
        ConfigError: Neither or both of `metric` and `evaluate` are given.
        DataError: The validation data do not fit the model.
        DeviceError: The device is unknown or refuses a model.
        MetricError: The metric is unknown, raised an error, or returned something that is not a score.
    """
    resolved = one_metric(metric, evaluate)
    config = RuntimeConfig.from_dict({"device": device, **runtime})
    network = read_model(model)
    other = None if against is None else read_model(against)
    if other is None and isinstance(resolved, Metric) and resolved.of_float is not None:
        msg = f"metric {resolved.name!r} compares outputs with those of the float model: pass it as `against`."
        raise ConfigError(msg)
    # A stateful decoder takes more inputs than a stateless one, which follow from the tokens.
    wider = network if other is None or len(network.inputs) >= len(other.inputs) else other
    items = ValidationSet.of(wider, validation) if evaluate is None else validation
    scorer = Scorer(items, metric=resolved, evaluate=evaluate, runtime=config, model=other or network)
    # The other model is scored first: its outputs decide whether outputs are probabilities.
    choice = RuntimeChoice(config.inference_precision)
    before = None if other is None else scorer.of(other, choice)(None)
    value, scores = scorer.of(network, choice)(None)
    mean = mean_interval(scores) if scores.size else Estimate.unknown(value)
    drop = None if before is None else drop_between(before, (value, scores))
    # The items of a user's function need not be samples: only scores tell how many samples there are.
    return Scoring(mean, scores, drop, scorer.samples(scores) if scores.size else 0)


__all__ = ["Accuracy", "Comparison", "Scoring", "benchmark", "evaluate"]
