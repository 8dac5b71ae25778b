"""Scores and times candidates beside the float model, which is scored and compiled once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Feed
from autoq.core import Against, Estimate, Plan, RuntimeChoice, RuntimePrecision
from autoq.evaluation.candidate._contest import Contest, raced_accuracy
from autoq.evaluation.candidate._evaluation import Evaluation, Finalist
from autoq.evaluation.candidate._float_results import FloatResults
from autoq.evaluation.candidate._float_timer import FloatTimer
from autoq.evaluation.candidate._held_out import HeldOut
from autoq.evaluation.candidate._size import size_bytes
from autoq.evaluation.device import Compiled, Outputs, RuntimeConfig
from autoq.evaluation.distortion import F32Runner, SwitchedRuns
from autoq.evaluation.execution import Profile, execution_report, profile_model
from autoq.evaluation.latency import Latency, combined, timed_part
from autoq.evaluation.metrics import CorpusMetric, Metric
from autoq.evaluation.scoring import (
    Accuracy,
    Outcome,
    ReadOnce,
    Scorer,
    Scores,
    ValidationFn,
    affordable_items,
    drawn_items,
    drop_between,
)
from autoq.graph import QuantizationGraph


class Evaluator:
    """Evaluates candidates of one model on one device.

    The accuracy reference is the float model in f32. The latency baseline is the float model at the device's default
    precision, compiled once under the same settings as every candidate.

    Args:
        model: The float model.
        validation: Labelled data; with `evaluate`, its second argument.
        metric: Scores the outputs; None where `evaluate` is given.
        evaluate: `(compiled_model, items) -> float`, or `(float, scores)` with one score per item or None. Without
            scores the interval of a drop is unknown.
        holdout: Further labelled data, which only `score_held_out` uses.
        runtime: Compile settings.
        sample: Input to time with. Of a stateful decoder, the tokens that follow it are timed, as `runtime` has it.
        max_latency_seconds: Cap on the timing of one candidate.
        patience_s: Seconds for the float model. If scoring it once takes more than half of them, all models are scored
            on as many items as fit into that half. Compilations are compared while time is left.
        items: Number of items to score on, as in an earlier session that had little time; None leaves it to
            `patience_s`.
        float_results: Results of an earlier evaluator with these arguments; None measures them.
        stage: Told what is done, in words that can follow "while".
        quiet: Told that something is timed from now on, or no longer; returns when nothing else of this program runs.
        against: What accuracy is weighed against.

    Raises:
        MetricError: The metric fails on the float model.
        DeviceError: The device refuses the float model.
    """

    def __init__(
        self,
        model: ov.Model,
        *,
        validation: Any,  # whatever the user's function takes
        metric: Metric | CorpusMetric | None = None,
        evaluate: ValidationFn | None = None,
        holdout: Any = None,  # likewise
        runtime: RuntimeConfig,
        sample: Feed,
        max_latency_seconds: float = 1.0,
        patience_s: float = math.inf,
        items: int | None = None,
        float_results: FloatResults | None = None,
        stage: Callable[[str], None] = lambda _: None,
        quiet: Callable[[bool], None] = lambda _: None,
        against: Against = Against.LATENCY,
    ) -> None:
        self.runtime = runtime
        self._stage = stage
        self._quiet = quiet
        if evaluate is None:  # each candidate needs the same items
            validation, holdout = ReadOnce(validation), None if holdout is None else ReadOnce(holdout)
        # The outputs of the float model on the validation data tell what outputs mean, for all candidates and all data.
        kind = None if float_results is None else float_results.kind
        self._scorer = Scorer(validation, metric=metric, evaluate=evaluate, runtime=runtime, model=model, kind=kind)
        self._model = model
        self._sample = timed_part(sample, runtime.decoder_time, model)
        self._float_bytes = size_bytes(model) if against is Against.SIZE else None
        began = time.perf_counter()
        self._items = items if float_results is None else float_results.items
        if self._items is not None:
            self._scorer.keep(drawn_items(len(self._scorer), self._items))
        self.float_accuracy = self._score_float(model, patience_s) if float_results is None else float_results.accuracy
        self._held_out = None if holdout is None else HeldOut(holdout, self._scorer, model, stage)
        self._float_mean, self._float_scores = self.float_accuracy.mean, self.float_accuracy.scores
        only_scored_s = time.perf_counter() - began
        self._timer = FloatTimer(model, runtime, self._sample, max_seconds=max_latency_seconds, stage=stage)
        scored_s = time.perf_counter() - began
        self._evaluated = False
        with self._timing():
            quiet_at = time.perf_counter()
            self.float_latency, timed_s = self._timer.measure_float(until=began + patience_s)
        if float_results is not None:
            self.float_latency = float_results.latency
            self.float_seconds, self._float_spent = float_results.seconds, float_results.spent
            return
        self.float_seconds = scored_s + timed_s
        compiled_s = scored_s - only_scored_s
        self._float_spent = {"score": only_scored_s, "time": compiled_s + time.perf_counter() - quiet_at}

    @property
    def float_results(self) -> FloatResults:
        """The results of the float model."""
        return FloatResults(
            accuracy=self.float_accuracy,
            latency=self.float_latency,
            seconds=self.float_seconds,
            spent=self._float_spent,
            kind=self._scorer.kind,
            items=self._items,
        )

    @property
    def compilation_sd(self) -> float:
        """Standard deviation of the logarithm of the latency ratio between compilations of the float model.

        It is the usual value until the second candidate.
        """
        return self._timer.compilation_sd

    def evaluate(
        self, model: ov.Model, choice: RuntimeChoice, contest: Contest | None = None
    ) -> tuple[Evaluation, dict[str, float]]:
        """Scores and times a candidate; briefly, if accuracy is weighed against size.

        Args:
            model: The candidate.
            choice: What it chooses of the settings under which it is scored and timed.
            contest: May end the scoring early, if single samples have scores; None scores the candidate on all samples.

        Returns:
            The evaluation, and wall seconds of `compile`, `score` and `time`. Before the second candidate, it is found
            out how much compilations of the float model differ: the seconds of `time float`.

        Raises:
            MetricError: The metric fails on the candidate.
            DeviceError: The device refuses the candidate.
        """
        settled_s = 0.0
        if self._evaluated and self._float_bytes is None and not self._timer.is_settled:
            with self._timing():
                settled_s = self._timer.settle()
        self._evaluated = True
        marks = [time.perf_counter()]
        self._stage("compiling the candidate")
        compiled = self.runtime.with_choice(choice).compile(model)
        marks.append(time.perf_counter())
        score, size = self._scorer.of(model, choice), size_bytes(model)
        size_ratio = None if self._float_bytes is None else size / self._float_bytes
        if contest is None or not self._scorer.per_item or not self._float_scores.size:
            self._stage("scoring the candidate")
            accuracy = self._accuracy(*score(None))
            marks.append(time.perf_counter())
            self._stage("timing the candidate")
            with self._timing():
                latency = self._timed(compiled, briefly=False)
            marks.append(time.perf_counter())
        else:
            self._stage("scoring the candidate")
            race = contest.race(lambda indices: score(indices)[1], self._float_scores)

            def timed(briefly: bool) -> Latency:
                marks.append(time.perf_counter())
                self._stage("timing the candidate")
                with self._timing():
                    found = self._timed(compiled, briefly=briefly)
                marks.append(time.perf_counter())
                self._stage("scoring the candidate")
                return found

            latency = contest.compete(race, timed, size_ratio)
            accuracy = raced_accuracy(race)
        marks.append(time.perf_counter())
        evaluation = Evaluation(
            accuracy=accuracy,
            latency=latency,
            size_bytes=size,
            execution=execution_report(compiled, model),
            runtime=dict(compiled.properties),
            size_ratio=size_ratio,
        )
        # After timing, a race may score more; reading what was compiled belongs to compiling.
        compile_s, score_s, time_s, scored_on_s = np.diff(marks).tolist()
        seconds = {
            "compile": compile_s + time.perf_counter() - marks[-1],
            "score": score_s + scored_on_s,
            "time": time_s,
        }
        if settled_s:
            seconds["time float"] = settled_s
        return evaluation, seconds

    def go_on(
        self, finalist: Finalist, contest: Contest, *, retimed: bool = False
    ) -> tuple[Evaluation, dict[str, float]]:
        """Scores a candidate on more samples, or times another compilation of it, and adds that to what is known.

        Args:
            finalist: The candidate, whose samples have scores of their own.
            contest: Says how many samples are scored in all.
            retimed: Time it; otherwise samples are scored.

        Returns:
            The new evaluation, and wall seconds by part.

        Raises:
            MetricError: The metric fails on the candidate.
            DeviceError: The device refuses the candidate.
        """
        known = finalist.evaluation
        marks = [time.perf_counter()]
        self._stage("compiling the candidate")
        if retimed:
            compiled = self.runtime.with_choice(finalist.choice).compile(finalist.model)
            marks.append(time.perf_counter())
            self._stage("timing the candidate")
            with self._timing():
                latency = combined(known.latency, self._timer.measure(compiled, again=True))
            return replace(known, latency=latency), _parts("compile", "time", marks=marks)
        score = self._scorer.of(finalist.model, finalist.choice)
        marks.append(time.perf_counter())
        self._stage("scoring the candidate")
        race = contest.race(lambda indices: score(indices)[1], self._float_scores, known.accuracy)
        contest.go_on(race, known.cost)
        return replace(known, accuracy=raced_accuracy(race)), _parts("compile", "score", marks=marks)

    def remeasure(self, finalists: Sequence[Finalist], max_seconds: float) -> list[Evaluation]:
        """Scores candidates on all samples and times them in turn, each compiled several times.

        If accuracy is weighed against size, they are timed one by one while there is time, at least the first one.

        Args:
            finalists: The candidates.
            max_seconds: Seconds for compiling and timing. Scoring does not count, and the least number of compilations
                and bursts is run in any case.

        Returns:
            Their evaluations. The intervals hold for the models, not for one compilation of each.

        Raises:
            MetricError: The metric fails on a candidate.
            DeviceError: The device refuses a candidate.
        """
        is_timed = self._float_bytes is None
        if is_timed:
            with self._timing():
                self._timer.settle()
        self._stage("scoring the finalists")
        accuracies = [self._whole(finalist) for finalist in finalists]
        with self._timing():
            if is_timed:
                latencies = self._timer.measure_together([(f.model, f.choice) for f in finalists], max_seconds)
            else:
                latencies = self._one_by_one(finalists, max_seconds)
        return [
            replace(finalist.evaluation, accuracy=accuracy, latency=latency)
            for finalist, accuracy, latency in zip(finalists, accuracies, latencies, strict=True)
        ]

    def _timed(self, compiled: Compiled, *, briefly: bool) -> Latency:
        """Latency of a candidate; a first look at it, if accuracy is weighed against size."""
        if self._float_bytes is not None:
            return self._timer.glance(compiled)
        return self._timer.measure(compiled, briefly=briefly)

    def _one_by_one(self, finalists: Sequence[Finalist], max_seconds: float) -> list[Latency]:
        """Latencies of finalists; those that there is no time for keep that of their trial."""
        self._stage("timing the finalists")
        ends, found = time.perf_counter() + max_seconds, []
        for place, finalist in enumerate(finalists):
            if place and time.perf_counter() > ends:
                found.append(finalist.evaluation.latency)
                continue
            compiled = self.runtime.with_choice(finalist.choice).compile(finalist.model)
            found.append(self._timer.measure(compiled, briefly=True))
        return found

    def score_held_out(self, model: ov.Model, choice: RuntimeChoice, items: int | None = None) -> Accuracy:
        """Scores a candidate on the held-out data; the first call also scores the float model.

        Args:
            model: The candidate.
            choice: What it chooses of the settings under which it is scored and timed.
            items: Number of items, drawn at random, the same ones at each call; None is all.

        Raises:
            ValueError: There are no held-out data.
            MetricError: The metric fails on a model.
            DeviceError: The device refuses a model.
        """
        if self._held_out is None:
            msg = "there are no held-out data to score on."
            raise ValueError(msg)
        return self._held_out.score(model, choice, items)

    def outputs(self, model: ov.Model, inputs: Sequence[Feed], max_seconds: float = math.inf) -> Outputs:
        """Output arrays of a model in f32, per input: of the inputs that are run in this time, and of two at least.

        Raises:
            DeviceError: The device refuses the model.
        """
        self._stage("running a model for its outputs")
        return F32Runner(self.runtime).outputs(model, inputs, max_seconds)

    def switched_distortions(self, runs: SwitchedRuns) -> NDArray[np.float64]:
        """Distortion in f32 under each setting of a model's switches, as `switched_distortions` tells.

        Raises:
            DeviceError: The device refuses the model.
        """
        self._stage("measuring the distortion of a model's outputs")
        return F32Runner(self.runtime).switched_distortions(runs)

    def profile(self, model: ov.Model, original: QuantizationGraph, plan: Plan | None = None) -> Profile:
        """The times of a model's layers, as `profile_model` measures them.

        Raises:
            DeviceError: The device refuses the model.
        """
        self._stage("profiling a model")
        runtime = self.runtime.with_precision(RuntimePrecision.DEFAULT)
        with self._timing():
            return profile_model(model, runtime, self._sample, original, plan=plan)

    @contextmanager
    def _timing(self) -> Iterator[None]:
        """A context in which models are timed, and nothing else of this program runs."""
        self._quiet(True)
        try:
            yield
        finally:
            self._quiet(False)

    def _score_float(self, model: ov.Model, patience_s: float) -> Accuracy:
        self._stage("compiling the float model")
        score = self._scorer.in_f32(model)
        self._stage("scoring the float model")
        if self._items is None:
            self._items = affordable_items(self._scorer, score, patience_s / 2)
            if self._items is not None:
                self._scorer.keep(drawn_items(len(self._scorer), self._items))
        mean, scores = score(None)
        return Accuracy(mean, Estimate(0.0, 0.0, 0.0), self._scorer.samples(scores), scores)

    def _whole(self, finalist: Finalist) -> Accuracy:
        """Accuracy of a finalist on all samples; only samples whose scores are not known are scored."""
        known = finalist.evaluation.accuracy
        if known.outcome is Outcome.FINISHED:
            return known
        score = self._scorer.of(finalist.model, finalist.choice)
        if not known.scores.size or not self._scorer.per_item:
            return self._accuracy(*score(None))
        race = Contest(None).race(lambda indices: score(indices)[1], self._float_scores, known)
        race.run()
        return raced_accuracy(race)

    def _accuracy(self, mean: float, scores: Scores) -> Accuracy:
        return Accuracy(
            mean, drop_between((self._float_mean, self._float_scores), (mean, scores)), self.float_accuracy.n, scores
        )


def _parts(*names: str, marks: Sequence[float]) -> dict[str, float]:
    """Seconds by part: those between the marks, and those since the last one."""
    return dict(zip(names, np.diff([*marks, time.perf_counter()]).tolist(), strict=True))
