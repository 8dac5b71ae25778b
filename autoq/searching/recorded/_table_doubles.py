"""Doubles of a builder and an evaluator: they look up measurements in a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Feed
from autoq.core import (
    DeviceError,
    Estimate,
    Plan,
    PlanError,
    Precision,
    Recipe,
    RuntimeChoice,
)
from autoq.evaluation.candidate import Contest, Evaluation, Finalist, raced_accuracy
from autoq.evaluation.device import Outputs, RuntimeConfig
from autoq.evaluation.distortion import SwitchedRuns
from autoq.evaluation.execution import ExecutionReport, Profile
from autoq.evaluation.latency import Latency
from autoq.evaluation.scoring import Accuracy, Scores, paired_drop
from autoq.graph import QuantizationGraph
from autoq.searching.recorded._table import RecordedTable
from autoq.transform import note_plan, read_plan


def stand_in() -> ov.Model:
    """A model with nothing to quantize, in place of the recorded one."""
    parameter = ov.opset13.parameter([1], ov.Type.f32)
    return ov.Model([parameter], [parameter], "stand-in")


@dataclass(frozen=True, slots=True)
class ResolvedRow:
    """Facts about a plan that need no measurement.

    Attributes:
        fingerprint: Fingerprint of the recorded model.
        quantized_sites: Number of its quantizers.
    """

    fingerprint: str
    quantized_sites: int


class TableBuilder:
    """Builds stand-ins that bear a plan.

    Args:
        table: Table of the plans.
    """

    def __init__(self, table: RecordedTable) -> None:
        self._table = table

    def resolve(self, plan: Plan) -> ResolvedRow:
        """Facts about the model of a plan.

        Raises:
            PlanError: It was not recorded.
        """
        row = self._table.space.row(plan)
        return ResolvedRow(str(self._table.fingerprints[row]), int(self._table.quantized_sites[row]))

    def fingerprint(self, plan: Plan) -> str:
        """Fingerprint of the model of a plan; raises as `resolve` does."""
        return self.resolve(plan).fingerprint

    def build(self, plan: Plan) -> ov.Model:
        """A stand-in that bears the plan; raises as `resolve` does."""
        self.resolve(plan)
        model = stand_in()
        note_plan(model, plan)
        return model

    @property
    def unswitchable(self) -> frozenset[str]:
        """None."""
        return frozenset()

    def build_switchable(
        self, recipe: Recipe, units: Sequence[Sequence[str]], precision: Precision | None = None
    ) -> ov.Model:
        """Not recorded.

        Raises:
            PlanError: Always: a table has plans alone.
        """
        msg = f"table {self._table.name!r} has no model whose units are switched: its plans were measured one by one."
        raise PlanError(msg)


class TableEvaluator:
    """Scores and times the stand-ins of a `TableBuilder` from recordings, as an `Evaluator` does.

    A race asks for as many scores as on a device, and a brief timing takes the first bursts. Seconds are the share of
    the recorded ones that was used.

    Args:
        table: Table of the recordings.
    """

    def __init__(self, table: RecordedTable) -> None:
        self._table = table
        self._latencies: dict[tuple[int, bool], Latency] = {}
        self.runtime = RuntimeConfig()
        mean = float(table.reference.mean())
        self.float_accuracy = Accuracy(mean, Estimate(0.0, 0.0, 0.0), len(table.reference), table.reference)
        self.float_latency = table.latency(0)
        self.float_seconds = sum(table.seconds_of(0).values())

    def evaluate(
        self, model: ov.Model, choice: RuntimeChoice, contest: Contest | None = None
    ) -> tuple[Evaluation, dict[str, float]]:
        """As `Evaluator.evaluate`, with the recorded seconds, those of `build` too.

        Raises:
            PlanError: The model bears no plan, or one that was not recorded.
        """
        row = self._row(model)
        scores = self._table.scores[row]
        briefly = False
        if contest is None:
            accuracy, latency = self._accuracy(row), self._latency(row)
        else:
            race = contest.race(lambda indices: scores[indices], self._table.reference)

            def timed(is_brief: bool) -> Latency:
                nonlocal briefly
                briefly = is_brief
                return self._latency(row, briefly=briefly)

            latency = contest.compete(race, timed)
            accuracy = raced_accuracy(race)
        seconds = self._table.seconds_of(row, scored=accuracy.n / len(scores), timed_briefly=briefly)
        return self._evaluation(row, accuracy, latency), seconds

    def go_on(
        self, finalist: Finalist, contest: Contest, *, retimed: bool = False
    ) -> tuple[Evaluation, dict[str, float]]:
        """As `Evaluator.go_on`; the timing of a plan was recorded once. Raises as `evaluate` does."""
        row, known = self._row(finalist.model), finalist.evaluation
        scores, scored = self._table.scores[row], 0

        def score(indices: NDArray[np.int64]) -> Scores:
            nonlocal scored
            scored += len(indices)
            return scores[indices]

        race = contest.race(score, self._table.reference, known.accuracy)
        if not retimed:
            contest.go_on(race, known.cost)
        seconds = self._table.seconds_of(row, scored=scored / len(scores))
        unused = {"score": 0.0} if retimed else {"time": 0.0}
        accuracy = known.accuracy if retimed else raced_accuracy(race)
        return self._evaluation(row, accuracy, self._latency(row)), seconds | unused

    def remeasure(self, finalists: Sequence[Finalist], max_seconds: float) -> list[Evaluation]:
        """Each finalist's whole recording; raises as `evaluate` does."""
        rows = [self._row(finalist.model) for finalist in finalists]
        return [self._evaluation(row, self._accuracy(row), self._latency(row)) for row in rows]

    def outputs(self, model: ov.Model, inputs: Sequence[Feed], max_seconds: float = math.inf) -> Outputs:
        """Not recorded.

        Raises:
            DeviceError: Always: the table has the knowledge that outputs would give.
        """
        raise DeviceError(self._not_recorded("outputs"))

    def score_held_out(self, model: ov.Model, choice: RuntimeChoice, items: int | None = None) -> Accuracy:
        """Not recorded; raises as `outputs` does."""
        raise DeviceError(self._not_recorded("held-out data"))

    def switched_distortions(self, runs: SwitchedRuns) -> NDArray[np.float64]:
        """Not recorded; raises as `outputs` does."""
        raise DeviceError(self._not_recorded("distortions of single settings"))

    def profile(self, model: ov.Model, original: QuantizationGraph, plan: Plan | None = None) -> Profile:
        """Not recorded; raises as `outputs` does."""
        raise DeviceError(self._not_recorded("profiles"))

    def _not_recorded(self, what: str) -> str:
        return f"table {self._table.name!r} holds no {what}; what they tell is its knowledge."

    def _row(self, model: ov.Model) -> int:
        plan = read_plan(model)
        if plan is None:
            msg = f"a model without a plan cannot be looked up in the table {self._table.name!r}."
            raise PlanError(msg)
        return self._table.space.row(plan)

    def _accuracy(self, row: int) -> Accuracy:
        scores = self._table.scores[row]
        return Accuracy(float(scores.mean()), paired_drop(self._table.reference, scores), len(scores), scores)

    def _latency(self, row: int, *, briefly: bool = False) -> Latency:
        if (row, briefly) not in self._latencies:
            self._latencies[row, briefly] = self._table.latency(row, briefly=briefly)
        return self._latencies[row, briefly]

    def _evaluation(self, row: int, accuracy: Accuracy, latency: Latency) -> Evaluation:
        return Evaluation(accuracy, latency, int(self._table.size_bytes[row]), ExecutionReport(()), {})
