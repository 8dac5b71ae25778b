"""A search in MLflow: one parent run, a child per trial, the members of the front as models.

Every call names its run; MLflow's process-wide active run is never changed. Runs are found again by tags. So a killed
search goes on in the same parent run, and nothing is logged twice.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from autoq.core import ConfigError, temporary_folder
from autoq.searching.front import SearchInfo, TrialRow, TrialTable, choose
from autoq.searching.records import TrialRecord, TrialState, Tuned
from autoq.searching.shown import ParetoFront, TimeRow, time_csv, time_metrics
from autoq.stores import Holder
from autoq.tracking._abandoned import ENDED, PARENT, PROCESS, close_abandoned, runs_of, without_process
from autoq.tracking._caller import active_run_id, place_of
from autoq.tracking._entries import course_metrics, progress, search_metrics, search_params, trial_metrics, trial_params
from autoq.tracking._logged_model import Export, give_up_pending, log_model, without_uploads
from autoq.tracking._store import (
    asking,
    client_of,
    is_server,
    telling,
    tracking_store,
)
from autoq.tracking._tags import trial_tags
from autoq.tracking._view import share_view

if TYPE_CHECKING:
    from mlflow.entities import Run

T = TypeVar("T")
Figures = Callable[[], Mapping[str, float]]

_STUDY, _TRIAL = "autoq.study", "autoq.trial"
# Tag that the parent run is found by: MLflow's filters do not take names with both kinds of quotes.
_KEY = "autoq.study_key"
# Longest texts that MLflow takes.
_LONGEST_PARAM, _LONGEST_TAG = 6000, 5000
# A store that failed faster than this is tried again at the next trial. Other stores are tried again at the end only.
_QUICK_S = 1.0


class MlflowObserver:
    """A search observer that writes to an MLflow store.

    It is a context manager. Its end closes a parent run that is still open. Where the store was unreachable for a
    while, the missing entries are written when it is back, or when the search ends.

    Args:
        tracking_uri: URI of the store, such as "sqlite:///mlflow.db" or "http://..."; None is the one that MLflow was
            given or finds in its environment, else "sqlite:///mlflow.db".
        experiment: Name of the experiment, which is made where it is missing; None is that of the caller's active run,
            else the one that MLflow was given or finds in its environment, else "autoq". A run that is active in the
            same store becomes the parent of the search's run.
        export: Saves the model of a trial as IR; None logs no models.
        figures: Gives metrics of a search that has ended, for its parent run; None logs none.
        table: Gives the table of a search that has ended; None is that of its front.
        time: Tells where the time of a search went that has ended; None logs nothing of it.
        ends: Moment of `time.monotonic()`. After it, only the chosen model is logged.
        active: Gives the active run of the caller, which may be that of another thread.

    Raises:
        ConfigError: The store cannot be opened. A server that does not answer yet is asked again later.
    """

    def __init__(
        self,
        tracking_uri: str | None,
        experiment: str | None,
        *,
        export: Export | None = None,
        figures: Figures | None = None,
        table: Callable[[], TrialTable] | None = None,
        time: Callable[[], Sequence[TimeRow]] | None = None,
        ends: float = math.inf,
        active: Callable[[], str | None] = active_run_id,
    ) -> None:
        self.tracking_uri = tracking_store(tracking_uri)
        self.experiment_id: str | None = None
        self._export = export
        self._figures = figures
        self._table = table
        self._time = time
        self._ends = ends
        self._experiment = experiment
        self._active = active()
        self._caller: Run | None = None
        self._client: Any = None  # MlflowClient; its package has no types
        self._info: SearchInfo | None = None
        self._parent: str | None = None
        self._is_found = False
        self._holder = Holder.this()
        self._records: list[TrialRecord] = []
        self._logged: dict[int, str] = {}
        self._begun: dict[int, str] = {}
        # Metrics and tags that the run of each trial has.
        self._told: dict[int, dict[str, float]] = {}
        self._tags: dict[int, dict[str, str]] = {}
        self._is_away = False
        try:
            self._open()
        except ConfigError:
            # A server may be back when there is something to write. If not, the search is told then.
            if not is_server(self.tracking_uri):
                raise

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Does nothing: the preparation is not tracked."""

    def on_start(self, info: SearchInfo, earlier: Sequence[TrialRecord]) -> None:
        """Opens or finds the parent run, and logs the children that it lacks."""
        self._info = info
        self._records = list(earlier)
        with self._reached():
            self._catch_up()

    def on_trial(self, record: TrialRecord, front: ParetoFront) -> None:
        """Logs a child run, or the later figures of one, and the state of the search to the parent."""
        numbers = [known.number for known in self._records]
        place = numbers.index(record.number) if record.number in numbers else len(numbers)
        self._records[place : place + 1] = [record]
        if not self._is_away:
            with self._reached():
                self._catch_up()

    def on_finish(self, records: Sequence[TrialRecord], front: ParetoFront, files: Path | None) -> None:
        """Logs the models of the front and the files of the run, and closes the parent."""
        if self._info is None:
            return
        with self._reached():
            self._catch_up()
            self._finish(TrialTable.of(front, self._info) if self._table is None else self._table(), front, files)
            self._end("FINISHED")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes a parent run that is still open: the search was stopped, or its end could not be written."""
        if self._parent is not None:
            status = "FINISHED" if kind is None else "KILLED" if issubclass(kind, KeyboardInterrupt) else "FAILED"
            with suppress(Exception), asking(self.tracking_uri):
                self._end(status)

    def _end(self, status: str) -> None:
        """Closes the parent run, and removes its process."""
        self._client.set_terminated(self._parent, status=status)
        without_process(self._client, self._parent)
        self._parent, self._is_found = None, False
        self._holder.free()

    # --- the store ----------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._client is None:
            client = client_of(self.tracking_uri)
            place = place_of(client, self.tracking_uri, self._experiment, self._active)
            self.experiment_id, self._caller = place.experiment_id, place.caller
            with asking(self.tracking_uri):
                share_view(client, str(self.experiment_id))
            self._client = client

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Encloses every write: an unreachable store is noticed in seconds, and not asked again and again."""
        began = time.monotonic()
        self._is_away = False
        try:
            self._open()
            if is_server(self.tracking_uri):
                with asking(self.tracking_uri):
                    self._client.get_experiment(self.experiment_id)
            with telling(self.tracking_uri):
                yield
        except BaseException:
            # The last write may have succeeded or not: the runs are read again before the next write.
            self._is_found = False
            self._is_away = time.monotonic() - began > _QUICK_S
            raise

    def _catch_up(self) -> None:
        """Finds or opens the parent run, and logs the trials that have no run yet."""
        if not self._is_found:
            self._open_parent()
        for place, record in enumerate(self._records):
            if record.number not in self._logged:
                self._child(record, ParetoFront(self._records[: place + 1]))
            else:
                self._revise(TrialRow.alone(record))
        self._mark(TrialTable.of(ParetoFront(self._records), self._info))

    def _open_parent(self) -> None:
        info = self._info
        if info is None:
            return
        self._holder.hold()
        key = hashlib.blake2b(info.name.encode(), digest_size=16).hexdigest()
        found = self._client.search_runs([self.experiment_id], filter_string=f"tags.`{_KEY}` = '{key}'", max_results=1)
        if found:
            parent = found[0].info.run_id
            self._client.set_tag(parent, PROCESS, self._holder.text)
            self._client.update_run(parent, status="RUNNING")
            without_uploads(found[0].info.artifact_uri)
            if self._caller is not None:
                self._client.set_tag(parent, PARENT, self._caller.info.run_id)
        else:
            tags = {_STUDY: info.name, _KEY: key, "mlflow.runName": info.name, "autoq.device": info.device}
            tags[PROCESS] = self._holder.text
            if self._caller is not None:
                tags[PARENT] = self._caller.info.run_id
            parent = self._client.create_run(self.experiment_id, tags=_short(tags)).info.run_id
        self._parent = parent
        # Parameters are logged once. A killed session may have logged only a part of them.
        known = found[0].data.params if found else {}
        self._log(parent, search_metrics(info), _without(search_params(info), known))
        self._logged, self._begun, self._told, self._tags = {}, {}, {}, {}
        for child in runs_of(self._client, self.experiment_id, f"tags.`{PARENT}` = '{parent}'"):
            number, run_id = int(child.data.tags[_TRIAL]), child.info.run_id
            if child.info.status in ENDED:
                self._logged[number] = run_id
                self._told[number], self._tags[number] = dict(child.data.metrics), dict(child.data.tags)
            else:
                # The session was killed while it logged this trial: the run is completed.
                self._begun[number] = run_id
        give_up_pending(self._client, self.experiment_id, [*self._logged.values(), *self._begun.values()])
        close_abandoned(self._client, self.experiment_id, parent)
        self._is_found = True

    # --- what is written ----------------------------------------------------------------------------------------------

    def _child(self, record: TrialRecord, front: ParetoFront) -> None:
        tags = {
            PARENT: str(self._parent),
            _TRIAL: str(record.number),
            "mlflow.runName": f"trial {record.number} {record.origin}",
            "autoq.state": str(record.state),
            "autoq.origin": record.origin,
            "autoq.fingerprint": record.fingerprint,
        }
        if record.error is not None:
            tags["autoq.error"] = record.error
        row = TrialRow.alone(record)
        metrics, params, curves = trial_metrics(row), trial_params(row), progress(front, self._info)
        self._told[record.number] = metrics
        if (run_id := self._begun.get(record.number)) is None:
            run_id = self._client.create_run(self.experiment_id, tags=_short(tags)).info.run_id
        else:
            begun = self._client.get_run(run_id)
            without_uploads(begun.info.artifact_uri)
            self._told[record.number] = metrics | begun.data.metrics
            metrics, params = _without(metrics, begun.data.metrics), _without(params, begun.data.params)
            curves = {key: value for key, value in curves.items() if record.number not in self._steps(key)}
        self._log(run_id, metrics, params)
        with temporary_folder() as folder:
            record.plan.save(folder / "plan.json")
            self._client.log_artifact(run_id, str(folder / "plan.json"))
        if record.tuned is not None:
            self._log_course(run_id, record.tuned)
        self._log(self._parent, curves, {}, step=record.number)
        state = "FAILED" if record.state is TrialState.FAILED else "FINISHED"
        self._client.set_terminated(run_id, status=state)
        self._logged[record.number] = run_id
        # The trial may have been measured further since the killed session began the run.
        self._revise(row)

    def _log_course(self, run_id: str, tuned: Tuned) -> None:
        """Logs the course of a training as curves of its run, unless a killed session did."""
        from mlflow.entities import Metric

        if not self._client.get_metric_history(run_id, "tuning/loss"):
            now, points = int(time.time() * 1000), course_metrics(tuned)
            entries = [Metric(key, value, now, step) for step, point in points for key, value in point.items()]
            self._client.log_batch(run_id, metrics=[entry for entry in entries if np.isfinite(entry.value)])

    def _revise(self, row: TrialRow) -> None:
        """Logs the figures of a trial that was measured further in place of the earlier ones."""
        if (figures := trial_metrics(row)) != self._told.get(row.number):
            # MLflow shows the figures of the later step, and of these the latest.
            self._log(self._logged[row.number], figures, {}, step=1)
            self._told[row.number] = figures

    def _steps(self, key: str) -> set[int]:
        """Numbers of the trials at which the parent has a metric."""
        return {metric.step for metric in self._client.get_metric_history(self._parent, key)}

    def _finish(self, table: TrialTable, front: ParetoFront, files: Path | None) -> None:
        if self._figures is not None:
            self._log(self._parent, dict(self._figures()), {})
        if self._time is not None:
            rows = self._time()
            self._log(self._parent, time_metrics(rows), {})
            self._client.log_text(self._parent, time_csv(rows), "seconds.csv")
        for row in table.rows:
            if row.number in self._logged:
                self._revise(row)
        last = max((row.number for row in table.rows), default=0)
        self._log(self._parent, progress(front, self._info), {}, step=last + 1)
        if files is not None:
            for name in ("report.html", "front.png", "front.json", "trials.csv", "best/plan.json", "run.json"):
                if (files / name).exists():
                    self._client.log_artifact(self._parent, str(files / name))
        self._mark(table)
        self._log_models(front)

    def _mark(self, table: TrialTable) -> None:
        """Updates the tags of each child; the chosen trial comes last, so that no two trials are marked as chosen."""
        from mlflow.entities import RunTag

        for row in sorted(table.rows, key=lambda row: row.chosen):
            run_id, known, tags = self._logged.get(row.number), self._tags.get(row.number, {}), trial_tags(row)
            changed = [RunTag(key, value) for key, value in tags.items() if known.get(key) != value]
            if run_id is not None and changed:
                self._client.log_batch(run_id, tags=changed)
                self._tags[row.number] = known | tags

    def _log_models(self, front: ParetoFront) -> None:
        if self._export is None or self._info is None or self.experiment_id is None or not len(front):
            return
        chosen, longest_s = choose(front, self._info.choose).number, 0.0
        for record in sorted(front.staircase, key=lambda step: step.number != chosen):
            began = time.monotonic()
            if longest_s and began + longest_s > self._ends:
                break
            if not record.is_baseline and record.number in self._logged:
                run_id = self._logged[record.number]
                log_model(self._client, self.experiment_id, run_id, record, self._export, self._info.device)
                longest_s = max(longest_s, time.monotonic() - began)

    def _log(self, run_id: str | None, metrics: dict[str, float], params: dict[str, str], step: int = 0) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        kept = [Metric(key, float(value), now, step) for key, value in metrics.items() if np.isfinite(value)]
        given = [Param(key, value[:_LONGEST_PARAM]) for key, value in params.items()]
        self._client.log_batch(run_id, metrics=kept, params=given)


def _without(values: Mapping[str, T], known: Mapping[str, object]) -> dict[str, T]:
    """The values whose keys are not known."""
    return {key: value for key, value in values.items() if key not in known}


def _short(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value[:_LONGEST_TAG] for key, value in tags.items()}
