"""The result of a search."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openvino as ov

from autoq.api.results._best_so_far import BEST_SO_FAR
from autoq.api.results._candidate import Build, Candidate
from autoq.api.results._chosen import keep_chosen, kept_chosen
from autoq.api.results._folder import RunFolder
from autoq.api.results._inputs import check_run_inputs
from autoq.api.results._result_brief import result_html, result_lines
from autoq.api.results._scores import ScoreKeeper
from autoq.api.results._verdict import held_out_text, outcome, why_none
from autoq.core import (
    BudgetError,
    Estimate,
    Format,
    OutputError,
    PlanError,
    StoredFileError,
    mapping_of,
    named_reason,
    read_record,
    typed,
    write_record,
    write_text,
)
from autoq.evaluation.scoring import Accuracy
from autoq.report import write_report
from autoq.searching.front import SearchInfo, TrialTable, closest, info_from_dict, info_to_dict
from autoq.searching.records import (
    TrialRecord,
    accuracy_from_dict,
    accuracy_to_dict,
    evaluation_of,
    record_from_dict,
    record_to_dict,
)
from autoq.searching.sampler import PredictionError
from autoq.searching.sensitivity import Probes
from autoq.searching.shown import ParetoFront, TimeRow, row_values, table_csv, time_rows, why_chosen

if TYPE_CHECKING:
    import pandas as pd

_RUN = Format("the result of a search", version=3, advice="start the search again: it goes on, and writes it anew")


@dataclass(frozen=True)
class SearchResult:
    """Trials, front and chosen model of a search.

    Attributes:
        info: What was searched.
        records: Every trial, by number.
        build: Builds the model of a trial.
        holdout_front: Scores of the models of the front on held-out data, by trial number. Empty without such data. It
            has the chosen model alone where there was no time for the others.
        probes: The cost of what was found out before the trials; None where the search ended before that.
        prediction_error: How well the sampler "front" could have predicted the trials; None where there were too few.
        interrupted: Whether the search ended, or was read, before its budget was spent.
        shortened: What there was no time for, in sentences.
        seconds: Wall time by part, in all sessions of the search: see `where_time_went`.
        folder: The folder of the result; None where nothing was written.
        ended_before: Whether the search had already ended in an earlier call, so that this call measured nothing.
    """

    info: SearchInfo
    records: tuple[TrialRecord, ...]
    build: Build
    holdout_front: Mapping[int, Accuracy] = field(default_factory=dict)
    probes: Probes | None = None
    prediction_error: PredictionError | None = None
    interrupted: bool = False
    shortened: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    folder: Path | None = None
    ended_before: bool = False

    def __repr__(self) -> str:
        return "\n".join(result_lines(self.info, self.table, self.verdict, self.holdout_verdict))

    def _repr_html_(self) -> str:
        return result_html(self.info, self.table, self.verdict, self.holdout_verdict)

    @cached_property
    def front(self) -> ParetoFront:
        """The feasible trials that no other trial beats in both accuracy and latency."""
        return ParetoFront(self.records)

    @cached_property
    def table(self) -> TrialTable:
        """Every trial and its place. All outputs are made from this table."""
        return TrialTable.of(self.front, self.info, self.holdout_front)

    @property
    def best(self) -> Candidate:
        """The trial within the limits that `info.choose` prefers; by default the fastest.

        It is the float model itself where no other trial within the limits is better.

        Raises:
            BudgetError: Only the float model keeps the limits. The message names the closest trial and the limits that
                it breaks.
        """
        if (chosen := self.chosen) is None:
            raise BudgetError(why_none(self.records, self.info))
        return self._of(chosen)

    @property
    def chosen(self) -> TrialRecord | None:
        """The trial of `best`; None where only the float model keeps the limits."""
        row = self.table.chosen
        return None if row is None else row.record

    @property
    def holdout(self) -> Accuracy | None:
        """Score of the chosen model on held-out data; None without such data."""
        return None if self.chosen is None else self.holdout_front.get(self.chosen.number)

    @property
    def gap(self) -> Estimate | None:
        """The chosen model's drop on held-out data minus its drop in the search; None without held-out data.

        The best of many candidates was also lucky with the samples of the search, so the gap is usually above 0.
        """
        if self.chosen is None or self.holdout is None:
            return None
        return self.holdout.drop.minus(evaluation_of(self.chosen).accuracy.drop)

    @property
    def holdout_verdict(self) -> str | None:
        """The chosen model's drop on held-out data, in a sentence; None without such data."""
        return None if self.holdout is None or self.gap is None else held_out_text(self.holdout, self.gap)

    @property
    def figures(self) -> dict[str, float]:
        """Figures of the whole search, by name."""
        found: dict[str, float] = {}
        if self.holdout is not None and self.gap is not None:
            found |= {"holdout/score": self.holdout.mean, "holdout/drop": self.holdout.drop.value}
            found |= {"holdout/gap": self.gap.value, "holdout/gap_low": self.gap.low, "holdout/gap_high": self.gap.high}
        if self.probes is not None:
            found |= {f"probes/{name}": float(value) for name, value in asdict(self.probes).items()}
        if self.prediction_error is not None:
            errors = asdict(self.prediction_error)
            found |= {f"prediction_error/{name}": float(value) for name, value in errors.items()}
        return found

    @property
    def where_time_went(self) -> tuple[TimeRow, ...]:
        """Wall time by part; the seconds of all rows add up to those since the call, in all sessions of the search.

        The files of a result, and MLflow, tell them until they are written.
        """
        return time_rows(self.seconds, self.records)

    @property
    def closest(self) -> Candidate | None:
        """The quantized trial that keeps the limits, or is closest to them; None where none was measured."""
        record = closest(self.records, self.info.limits)
        return None if record is None else self._of(record)

    @property
    def float_model(self) -> ov.Model:
        """The float model, from the folder of the search.

        Raises:
            OutputError: The search has no folder.
            StoredFileError: The model there is missing or damaged.
        """
        if self.folder is None:
            msg = "the search has no folder, which keeps its float model: search with out."
            raise OutputError(msg)
        return RunFolder(self.folder).read_float_model(str(self.info.settings["cache"]))

    def candidate(self, number: int) -> Candidate:
        """The trial with this number.

        Raises:
            PlanError: There is no such trial, or it failed.
        """
        for record in self.records:
            if record.number == number:
                if record.evaluation is None:
                    msg = f"trial {number} failed and builds no model: {record.error}"
                    raise PlanError(msg)
                return self._of(record)
        last = max((record.number for record in self.records), default=0)
        msg = f"there is no trial {number}: this search has trials 0 to {last}."
        raise PlanError(msg)

    @property
    def verdict(self) -> str:
        """The outcome in a sentence, followed by sentences with reservations."""
        try:
            best = self.best
        except BudgetError as error:
            return str(error)
        return outcome(best.record, self.records, self.info)

    def to_pandas(self) -> pd.DataFrame:
        """One row per trial, by number: its place, its figures with intervals, its recipe; as in trials.csv."""
        import pandas as pd

        return pd.DataFrame([row_values(row) for row in self.table.rows])

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Writes run.json, front.json, front.png, report.html, and the folder of the chosen model where there is one.

        Each file is written whole or not at all. run.json is the last one; all others can be made again from it.

        Raises:
            OutputError: The folder cannot be written to.
        """
        run = RunFolder.create(folder)
        check_run_inputs(run, self.info.settings.get("model_path"))
        self.front.save(run.path / "front.json")
        write_text(run.path / "trials.csv", table_csv(self.table))
        keep_chosen(run, self.chosen, self.build)
        try:
            self.write_report(run.path)
        except OutputError:
            raise
        except Exception as error:  # noqa: BLE001  # drawing may raise anything; the other files matter more
            warnings.warn(f"the report could not be written: {named_reason(error)}", stacklevel=2)
        write_record(run.run, _RUN, self.to_dict())
        run.best_so_far.unlink(missing_ok=True)
        return run.path

    def write_report(self, folder: str | os.PathLike[str]) -> Path:
        """Writes report.html and front.png.

        Raises:
            OutputError: The folder cannot be written to.
        """
        probed = None if self.probes is None else self.probes.text
        predicted = None if self.prediction_error is None else self.prediction_error.text
        return write_report(
            Path(folder),
            self.info,
            self.table,
            verdict=self.verdict,
            reasons=why_chosen(self.front, self.table, self.info.choose),
            notes=[
                *(note for note in (self.holdout_verdict, probed, predicted) if note is not None),
                *(f"{note}." for note in self.info.notes.values()),
                *self.shortened,
            ],
            model=kept_chosen(RunFolder(Path(folder)), self.chosen),
            time=self.where_time_went,
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], build: Build, folder: Path | None) -> SearchResult:
        """Reads the values of `to_dict`, or the part of them that exists while a search is running.

        Args:
            values: The JSON values.
            build: Builds the model of a trial.
            folder: The folder that they were read from; None where there is none.
        """
        held_out, error = values.get("holdout_front", {}), values.get("prediction_error")
        probes = values.get("probes")
        return cls(
            info=info_from_dict(values["info"]),
            records=tuple(map(record_from_dict, values["records"])),
            build=build,
            holdout_front={int(number): accuracy_from_dict(scored) for number, scored in held_out.items()},
            probes=None if probes is None else typed(Probes, probes, "probes"),
            prediction_error=None if error is None else typed(PredictionError, error, "errors of prediction"),
            interrupted=values.get("interrupted", True),
            shortened=tuple(values.get("shortened", ())),
            seconds=dict(mapping_of(values.get("seconds", {}), "seconds by part", StoredFileError)),
            folder=folder,
        )

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> SearchResult:
        """Reads the result of a search from its folder. Models are built again from the statistics in the folder.

        While a search is running, and after it was killed, this is its best so far, with `interrupted` set. Its records
        are then the trials of the front; where these are all float, also the quantized trial closest to the limits.

        Args:
            folder: The `out` of the search.

        Raises:
            OutputError: The folder holds no search.
            StoredFileError: A file is damaged, or of another version.
        """
        from autoq.api.results._rebuild import build_again

        run = RunFolder.open(folder)

        def parse(values: dict[str, Any]) -> SearchResult:
            return cls.from_dict(values, lambda record: build_again(run, parsed.info, record), run.path)

        try:
            parsed = read_record(run.best_so_far, BEST_SO_FAR, parse)
        except StoredFileError:
            if run.best_so_far.exists():
                raise
            # There is no such file, or the result has just replaced it.
            parsed = read_record(run.run, _RUN, parse)
        keeper = ScoreKeeper(run.scores)
        keeper.open(parsed.info)
        return replace(parsed, records=keeper.attach(parsed.records))

    def _of(self, record: TrialRecord) -> Candidate:
        return Candidate(record, self.build, self.info.settings.get("model_path"))

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values, without the builder of models and the scores of single samples."""
        return {
            "info": info_to_dict(self.info),
            "records": [record_to_dict(record) for record in self.records],
            "verdict": self.verdict,
            "holdout": None if self.holdout is None else accuracy_to_dict(self.holdout),
            "gap": None if self.gap is None else self.gap.to_dict(),
            "holdout_front": {number: accuracy_to_dict(scored) for number, scored in self.holdout_front.items()},
            "probes": None if self.probes is None else asdict(self.probes),
            "prediction_error": None if self.prediction_error is None else asdict(self.prediction_error),
            "interrupted": self.interrupted,
            "shortened": list(self.shortened),
            "seconds": dict(self.seconds),
        }
