"""What a person sees while a search runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from autoq.core import Level, shown, shown_ms, shown_path
from autoq.search import Limits, ParetoFront, SearchInfo, TrialRecord, choose

# Where more are tied than this, the table shows the steps of the front alone.
_MOST_ROWS = 16
_STAGE_INTERVAL_S = 5.0
_LOG_WIDTH = 132


class LiveTable:
    """A search observer: stages, then a table of the front that grows, and a line per trial where there is no terminal.

    A context: its end leaves the terminal as it was, however the search ends.

    Args:
        console: Where to print; the process's error output by default, so that standard output stays clean.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        if not self._console.is_terminal:
            # A log has no width of its own; the table wants this much.
            self._console = Console(file=self._console.file, width=_LOG_WIDTH)
        self._info: SearchInfo | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._task = self._progress.add_task("search", total=None, visible=False)
        self._live: Live | None = None
        self._stage, self._told_at = "", 0.0

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Says what is prepared, and how far that is."""
        if self._console.is_terminal:
            self._show(None)
            self._progress.update(self._task, description=text, completed=done, total=total, visible=True)
            return
        now = time.monotonic()
        if text != self._stage or done == total or now - self._told_at > _STAGE_INTERVAL_S:
            # On a log, a stage is told when it begins, when it ends, and now and then between.
            if text != self._stage or total is not None:
                self._console.print(text + (f" {done}/{total}" if total else ""), highlight=False)
            self._stage, self._told_at = text, now

    def on_start(self, info: SearchInfo, earlier: Sequence[TrialRecord]) -> None:
        """Says what is searched and what the float model does."""
        self._info = info
        accuracy, latency = info.float_accuracy, info.float_latency
        plans = info.settings["plans"]
        lines = [f"[bold]{escape(info.model_name)}[/]: {_units(info)}, {plans:.2g} plans, on {info.device}"]
        lines.append(
            f"float model: {escape(info.metric)} {shown(accuracy.mean, significant=4)} on {accuracy.n} samples, "
            f"{shown_ms(latency.baseline_p50_ms)}; timer against itself {latency.ratio.shown(least=3)}"
        )
        if info.held_out:
            lines.append(f"{info.held_out:,} more samples are held out: the search never sees them")
        lines += info.notes.values()
        if earlier and "ended" not in info.notes:
            lines.append(f"going on after {len(earlier)} earlier trials")
        self._console.print("\n".join(lines), highlight=False)

    def on_trial(self, record: TrialRecord, front: ParetoFront) -> None:
        """Shows the trial and the front."""
        done = len(front.records)
        if self._console.is_terminal:
            total = None if self._info is None else self._info.n_trials
            self._progress.update(
                self._task, description=f"trial {record.number}", completed=done, total=total, visible=True
            )
            self._show(front)
        else:
            max_drop = None if self._info is None else self._info.max_drop
            self._console.print(_line(record, max_drop), highlight=False, markup=False)

    def on_finish(self, records: Sequence[TrialRecord], front: ParetoFront, files: Path | None) -> None:
        """Leaves the last table standing."""
        if self._live is not None:
            self._stop()
        else:
            self._console.print(self._table(front))
        if files is not None:
            said = f"{len(records)} trials; report, picture and model are in {shown_path(files)}"
            self._console.print(said, highlight=False, markup=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            self._progress.update(self._task, visible=False)
            live.stop()

    def _table(self, front: ParetoFront) -> Table:
        if self._info is None:
            return front_table(front, Limits())
        # The float model alone, where no other keeps the limits, is nothing to choose.
        quantized = any(record.feasible and not record.is_baseline for record in front.records)
        chosen = choose(front, self._info.choose) if quantized and len(front) else None
        return front_table(front, self._info.limits, chosen=chosen)

    def _show(self, front: ParetoFront | None) -> None:
        content = Group(self._progress) if front is None else Group(self._table(front), self._progress)
        if self._live is None:
            self._live = Live(content, console=self._console, refresh_per_second=4)
            self._live.start()
        else:
            self._live.update(content)


def front_table(front: ParetoFront, limits: Limits, *, chosen: TrialRecord | None = None) -> Table:
    """The front as a table, fastest first; one row for members that differ in their recipes alone and are tied.

    Args:
        front: Its members are shown, or its steps where they are too many.
        limits: Named in the title.
        chosen: Member that is marked.
    """
    title = ", ".join(text for text in ("Pareto front", limits.summary) if text)
    table = Table(title=title, title_justify="left", caption_justify="left")
    for name, justify in (
        ("trial", "right"),
        ("from", "left"),
        ("drop [95%]", "right"),
        ("speed-up [95%]", "right"),
        ("ms", "right"),
        ("int8 layers", "right"),
        ("float groups", "right"),
        ("MB", "right"),
        ("", "left"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]  # rich wants a literal
    tied, rows = front.tied, front.alike(chosen)
    if len(rows) > _MOST_ROWS:
        wanted = {record.number for record in front.staircase} | ({chosen.number} if chosen is not None else set())
        rows = tuple(row for row in rows if any(record.number in wanted for record in row))
    for record, *others in rows:
        if (evaluation := record.evaluation) is None:
            continue
        remarks = [
            "chosen" if chosen is not None and record.number == chosen.number else "",
            "tied" if record.number in tied else "",
            f"+{len(others)}" if others else "",
        ]
        table.add_row(
            str(record.number),
            record.origin,
            evaluation.accuracy.drop.shown(sign=True, beside=limits.max_drop),
            evaluation.latency.speedup.shown(least=2),
            shown(evaluation.latency.p50_ms, least=2, significant=3),
            str(evaluation.execution.int8_layers),
            str(len(record.plan.float_groups)),
            shown(evaluation.size_bytes / 1e6, least=2),
            ", ".join(filter(None, remarks)),
        )
    if any(others for _, *others in rows):
        table.caption = "+n: n more trials with other recipes and the same precisions, not to be told from it"
    return table


def _units(info: SearchInfo) -> str:
    """What has one precision each, and how many there are."""
    level, count, groups = info.settings["level"], info.settings["units"], _counted(len(info.groups), Level.GROUP)
    return groups if level == Level.GROUP else f"{_counted(count, level)} of {groups}"


def _counted(count: int, level: str) -> str:
    many = "prefixes" if level == Level.PREFIX else f"{level}s"
    return f"{count} {level if count == 1 else many}"


def _line(record: TrialRecord, max_drop: float | None) -> str:
    head = f"trial {record.number:>3} {record.origin:<9}"
    if record.evaluation is None:
        return f"{head} failed: {record.remark}"
    evaluation = record.evaluation
    numbers = (
        f"{head} drop {evaluation.accuracy.drop.shown(sign=True, beside=max_drop)}  "
        f"speed-up {evaluation.latency.speedup.shown(least=2)}  {shown_ms(evaluation.latency.p50_ms)}"
    )
    return f"{numbers}  {record.remark}".rstrip()
