"""The live view of a running search."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from autoq.core import Level, counted, shown, shown_path
from autoq.evaluation.latency import time_text
from autoq.report._console import console_of, plain
from autoq.report._front_table import front_table
from autoq.searching.front import SearchInfo, TrialRow, TrialTable
from autoq.searching.records import Limits, TrialRecord
from autoq.searching.shown import ACCURACY_DROP, LATENCY, SIZE, SPEED_UP, ParetoFront, why_numbers_miss

_STAGE_INTERVAL_S = 5.0


class LiveTable:
    """A search observer that prints. On a terminal it draws the stages and a table of the front; a log gets lines.

    It is a context manager. At its end the terminal is as before, and shows the last table, however the search ends.

    Args:
        console: The console to print to; by default standard error.
        table: Gives the table of a search that has ended; by default that of its front.
        notes: Gives the notes of a search that has ended, of which those that it did not begin with are told; by
            default none.
    """

    def __init__(
        self,
        console: Console | None = None,
        table: Callable[[], TrialTable] | None = None,
        notes: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        self._outcome, self._notes = table, notes
        self._console = console_of() if console is None else console
        self._info: SearchInfo | None = None
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._task = self._progress.add_task("search", total=None, visible=False)
        self._live: Live | None = None
        self._front: ParetoFront | None = None
        self._stage, self._told_at = "", 0.0

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Shows a step and its progress."""
        if self._console.is_terminal:
            self._show(text, done, total)
            return
        now = time.monotonic()
        if text != self._stage or done == total or now - self._told_at > _STAGE_INTERVAL_S:
            # A log gets a line when a stage begins, when it ends, and now and then in between.
            if text != self._stage or total is not None:
                self._say(text + (f" {done}/{total}" if total else ""))
            self._stage, self._told_at = text, now

    def on_start(self, info: SearchInfo, earlier: Sequence[TrialRecord]) -> None:
        """Shows what is searched, and the figures of the float model."""
        self._info = info
        accuracy, latency = info.float_accuracy, info.float_latency
        plans = info.settings["plans"]
        self._say(f"{info.model_name}: {_units(info)}, {plans:.2g} plans, on {info.device}", bold=len(info.model_name))
        self._say(
            f"float model: {info.metric} {shown(accuracy.mean, significant=4)} on {counted(accuracy.n, 'sample')}, "
            f"{time_text(latency, of_float=True)}; timer against itself {latency.ratio.shown(least=3)}"
        )
        if info.held_out:
            self._say(f"{info.held_out:,} more samples are held out: the search never sees them")
        for note in info.notes.values():
            self._say(note)
        if earlier and "ended" not in info.notes:
            self._say(f"going on after {counted(len(earlier), 'earlier trial')}")

    def on_trial(self, record: TrialRecord, front: ParetoFront) -> None:
        """Shows the trial and the front."""
        self._front = front
        if self._console.is_terminal:
            total = None if self._info is None else self._info.n_trials
            self._show(f"trial {record.number}", len(front.records), total)
        else:
            limits = Limits() if self._info is None else self._info.limits
            self._say(_line(TrialRow.alone(record), limits))

    def on_finish(self, records: Sequence[TrialRecord], front: ParetoFront, files: Path | None) -> None:
        """Prints the final table, with the figures of the closing session, and what became known since the start."""
        self._stop()
        self._print(self._table(front) if self._outcome is None else self._outcome())
        begun = {} if self._info is None else self._info.notes
        for name, note in ({} if self._notes is None else self._notes()).items():
            if begun.get(name) != note:
                self._say(note)
        if files is not None:
            self._say(f"{counted(len(records), 'trial')}; report, picture and model are in {shown_path(files)}")
        if (why := why_numbers_miss([record.number for record in records])) is not None:
            self._say(why)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stop() and self._front is not None:
            self._print(self._table(self._front))

    def _stop(self) -> bool:
        """Removes the drawing, and returns whether there was one."""
        if self._live is None:
            return False
        live, self._live = self._live, None
        live.stop()
        return True

    def _print(self, table: TrialTable) -> None:
        self._console.print(front_table(table, self._console.width))

    def _table(self, front: ParetoFront) -> TrialTable:
        return TrialTable.of(front, self._info)

    def _say(self, text: str, *, bold: int = 0) -> None:
        said = Text(plain(text, self._console))
        said.stylize("bold", 0, bold)
        self._console.print(said, soft_wrap=not self._console.is_terminal)

    def _show(self, text: str, done: int, total: int | None) -> None:
        self._progress.update(
            self._task, description=plain(text, self._console), completed=done, total=total, visible=True
        )
        front = [] if self._front is None else [front_table(self._table(self._front), self._console.width)]
        content = Group(self._progress, *front)
        if self._live is None:
            self._live = Live(content, console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        else:
            self._live.update(content)


def _units(info: SearchInfo) -> str:
    """The number of units, of groups where units are coarser, and of weights that have formats of their own."""
    level, weights = info.settings["level"], info.settings.get("weights", 0)
    groups, count = _counted(len(info.groups), Level.GROUP), info.settings["units"] - weights
    of_groups = groups if level == Level.GROUP else f"{_counted(count, level)} of {groups}"
    found = [*([of_groups] if info.groups or not weights else []), *([_counted(weights, "weight")] if weights else [])]
    return " and ".join(found)


def _counted(count: int, level: str) -> str:
    many = "prefixes" if level == Level.PREFIX else f"{level}s"
    return f"{count} {level if count == 1 else many}"


def _line(row: TrialRow, limits: Limits) -> str:
    """A trial as one line of a log."""
    head = f"trial {row.number:>3} {row.record.origin:<9}"
    if row.record.evaluation is None:
        return f"{head} failed: {row.record.remark}"
    figures = (f"{column.title} {column.text(row, limits)}" for column in (ACCURACY_DROP, SPEED_UP))
    size = "" if row.record.evaluation.size_ratio is None else f"  {SIZE.text(row, limits)} MB"
    return f"{head} {'  '.join(figures)}  {LATENCY.text(row, limits)} ms{size}  {row.record.remark}".rstrip()
