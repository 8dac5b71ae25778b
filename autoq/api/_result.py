"""What a search returns."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openvino as ov

from autoq.api._folder import RunFolder
from autoq.api._scores import ScoreKeeper
from autoq.core import BudgetError, PlanError
from autoq.evaluation import Accuracy, Evaluation
from autoq.export import save_candidate
from autoq.report import write_report
from autoq.search import (
    ParetoFront,
    SearchInfo,
    TrialRecord,
    TrialState,
    accuracy_from_dict,
    accuracy_to_dict,
    latency_from_dict,
    latency_to_dict,
    objectives,
    record_from_dict,
    record_to_dict,
)

if TYPE_CHECKING:
    import pandas as pd

Build = Callable[[TrialRecord], ov.Model]


@dataclass(frozen=True)
class Candidate:
    """One measured trial and the model that it stands for.

    Attributes:
        record: The trial.
        build: Builds its model; a new one at each call.
    """

    record: TrialRecord
    build: Build

    @property
    def evaluation(self) -> Evaluation:
        """Accuracy, latency, size and execution."""
        if self.record.evaluation is None:
            msg = f"trial {self.record.number} failed and has no evaluation: {self.record.error}"
            raise PlanError(msg)
        return self.record.evaluation

    @cached_property
    def model(self) -> ov.Model:
        """The quantized model."""
        return self.build(self.record)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Saves the model as IR, with plan and evaluation as model-level rt_info.

        Args:
            path: Of the `.xml`; the `.bin` stands beside it.

        Raises:
            OutputError: It cannot be written there.
        """
        return save_candidate(self.model, self.record, Path(path))

    def describe(self) -> str:
        """Drop and speed-up with their intervals, in one line."""
        accuracy, latency = self.evaluation.accuracy, self.evaluation.latency
        return (
            f"trial {self.record.number}: drop {accuracy.drop.format('.4f')}, "
            f"{latency.speedup.format('.2f')} times as fast as the float model, {latency.p50_ms:.2f} ms"
        )


@dataclass(frozen=True)
class SearchResult:
    """Trials, front and chosen model of a search.

    Attributes:
        info: What was searched.
        records: Every trial, by number.
        build: Builds the model of a trial.
        holdout: Score of the chosen model on data that the search never saw; None without such data.
        interrupted: Whether the user stopped the search before its budget was spent.
        folder: Where it was written; None if nowhere.
    """

    info: SearchInfo
    records: tuple[TrialRecord, ...]
    build: Build
    holdout: Accuracy | None = None
    interrupted: bool = False
    folder: Path | None = None

    @cached_property
    def front(self) -> ParetoFront:
        """The feasible trials that none beats in both accuracy and latency."""
        return ParetoFront(self.records)

    @property
    def best(self) -> Candidate:
        """The fastest trial within the budget, of several equally fast ones the most accurate.

        It is the float model itself, where nothing within the budget is faster.

        Raises:
            BudgetError: No trial but the float model meets the budget; names the closest.
        """
        if all(record.is_baseline for record in self.records if self._measured(record) and record.feasible):
            msg = self._why_none()
            raise BudgetError(msg)
        return Candidate(self.front.fastest(), self.build)

    @property
    def closest(self) -> Candidate | None:
        """The quantized trial with the smallest drop, within the budget or not; None where none was measured."""
        quantized = [record for record in self.records if self._measured(record) and not record.is_baseline]
        if not quantized:
            return None
        return Candidate(min(quantized, key=objectives), self.build)

    def candidate(self, number: int) -> Candidate:
        """The trial with this number.

        Raises:
            PlanError: There is none, or it was not measured.
        """
        for record in self.records:
            if record.number == number:
                if record.evaluation is None:
                    msg = f"trial {number} failed and builds no model: {record.error}"
                    raise PlanError(msg)
                return Candidate(record, self.build)
        last = max((record.number for record in self.records), default=0)
        msg = f"there is no trial {number}: this search has trials 0 to {last}."
        raise PlanError(msg)

    @property
    def verdict(self) -> str:
        """The outcome in a sentence."""
        try:
            best = self.best
        except BudgetError as error:
            return str(error)
        if best.record.is_baseline:
            return "the float model is already the fastest within the budget: keep it."
        return f"{best.describe()}."

    def to_pandas(self) -> pd.DataFrame:
        """One row per trial: state, origin, recipe, drop, ratio, latency, size, with intervals."""
        import pandas as pd

        return pd.DataFrame([self._row(record) for record in self.records])

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Writes run.json, trials.json, front.json, front.png, report.html and, where there is one, the chosen model.

        Raises:
            OutputError: The folder cannot be written to.
        """
        run = RunFolder.create(folder)
        run.write_json(run.path / "trials.json", [record_to_dict(record) for record in self.records])
        run.write_json(run.path / "front.json", [record_to_dict(record) for record in self.front])
        try:
            best = self.best
        except BudgetError:
            best = None
        if best is not None:
            best.save(run.best)
            run.write_json(run.path / "plan.json", best.record.plan.to_dict())
        self.write_report(run.path)
        run.write_json(run.run, self._summary())
        return run.path

    def write_report(self, folder: str | os.PathLike[str]) -> Path:
        """Writes report.html and front.png.

        Raises:
            OutputError: The folder cannot be written to.
        """
        try:
            best = self.best.record
        except BudgetError:
            best = None
        return write_report(
            Path(folder), self.info, self.records, self.front, best, verdict=self.verdict, holdout=self.holdout
        )

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> SearchResult:
        """Reads what a search wrote into its folder; models are built again from the statistics kept there.

        Raises:
            OutputError: The folder holds no search.
        """
        import json

        from autoq.api._rebuild import builder_of

        run = RunFolder.open(folder)
        values = json.loads(run.run.read_text("utf-8"))
        info = SearchInfo(
            **{
                **values["info"],
                "float_accuracy": accuracy_from_dict(values["info"]["float_accuracy"]),
                "float_latency": latency_from_dict(values["info"]["float_latency"]),
            }
        )
        records = json.loads((run.path / "trials.json").read_text("utf-8"))
        holdout = values["holdout"]
        return cls(
            info=info,
            records=ScoreKeeper(run.scores).attach(map(record_from_dict, records)),
            build=lambda record: builder_of(run, info).build(record.plan),
            holdout=None if holdout is None else accuracy_from_dict(holdout),
            interrupted=values["interrupted"],
            folder=run.path,
        )

    def _summary(self) -> dict[str, Any]:
        info = {**asdict(self.info)} | {
            "float_accuracy": accuracy_to_dict(self.info.float_accuracy),
            "float_latency": latency_to_dict(self.info.float_latency),
        }
        return {
            "info": info,
            "verdict": self.verdict,
            "holdout": None if self.holdout is None else accuracy_to_dict(self.holdout),
            "interrupted": self.interrupted,
        }

    @staticmethod
    def _measured(record: TrialRecord) -> bool:
        return record.state is TrialState.COMPLETE

    def _why_none(self) -> str:
        closest = self.closest
        if closest is None:
            failed = next((r.error for r in self.records if r.state is TrialState.FAILED), "none was tried")
            return f"no quantized candidate could be measured: {failed}"
        drop = closest.evaluation.accuracy.drop
        return (
            f"no quantized candidate meets max_drop = {self.info.max_drop}: the closest is trial "
            f"{closest.record.number} with a drop of {drop.format('.4f')}; allow a larger drop, or search longer."
        )

    @staticmethod
    def _row(record: TrialRecord) -> dict[str, Any]:
        row: dict[str, Any] = {
            "number": record.number,
            "state": str(record.state),
            "origin": record.origin,
            "feasible": record.feasible,
            "fingerprint": record.fingerprint,
            "quantized_sites": record.quantized_sites,
            "float_groups": len(record.plan.float_groups),
            **record.plan.to_dict()["recipe"],
        }
        if (evaluation := record.evaluation) is not None:
            drop, ratio = evaluation.accuracy.drop, evaluation.latency.ratio
            row |= {
                "remeasured": record.remeasured,
                "outcome": str(evaluation.accuracy.outcome),
                "samples": evaluation.accuracy.n,
                "score": evaluation.accuracy.mean,
                "drop": drop.value,
                "drop_low": drop.low,
                "drop_high": drop.high,
                "ratio": ratio.value,
                "ratio_low": ratio.low,
                "ratio_high": ratio.high,
                "p50_ms": evaluation.latency.p50_ms,
                "per_second": evaluation.latency.per_second,
                "disturbed": evaluation.latency.disturbed,
                "size_bytes": evaluation.size_bytes,
                "int8_layers": evaluation.execution.int8_layers,
            }
        return row | {f"seconds_{part}": value for part, value in record.seconds.items()} | {"error": record.error}
