"""Where the wall time of a search went, as a table."""

from __future__ import annotations

import csv
import html
import io
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autoq.searching.records import Part, TrialRecord

# What happens in each part, in words.
_MEANINGS = {
    Part.READ: "arguments, model and data are read",
    Part.OPEN: "the folder and the study are opened",
    Part.CALIBRATE: "quantizers are placed, statistics are collected",
    Part.START: "the device process starts and gets the model and the data",
    Part.SCORE_FLOAT: "the float model is scored in f32",
    Part.TIME_FLOAT: "the float model is timed beside itself",
    Part.REFUSALS: "groups are found that the device refuses",
    Part.SENSITIVITIES: "what each unit distorts is measured",
    Part.PROFILES: "the float model and quantized models are profiled",
    Part.RECIPES: "what each recipe distorts is measured",
    Part.PROPOSE: "plans are proposed",
    Part.BUILD: "models are built",
    Part.SEND: "models are sent to the device process, or fail there",
    Part.COMPILE: "models are compiled",
    Part.SCORE: "models are scored",
    Part.TIME: "models are timed",
    Part.RECORD: "scores and trials are kept in the folder and the study",
    Part.TRACK: "observers are told: terminal, MLflow",
    Part.TUNE: "models near the front are trained",
    Part.CLOSE: "the best models are measured together",
    Part.HELD_OUT: "the front is scored on held-out data",
    Part.PREDICTIONS: "predictions are compared with trials",
    Part.FILES: "report, picture and model are written",
    Part.OTHER: "everything else",
}
TIME_COLUMNS = ("part", "seconds", "share", "a trial", "what happens")


@dataclass(frozen=True, slots=True)
class TimeRow:
    """The wall time of one part of a search.

    Attributes:
        part: The part.
        seconds: Wall time in all sessions of the search.
        share: Share of the wall time of all parts.
        trial_s: Median seconds of a trial; None for parts that trials do not tell.
    """

    part: Part
    seconds: float
    share: float
    trial_s: float | None

    @property
    def meaning(self) -> str:
        """What happens in the part."""
        return _MEANINGS[self.part]

    @property
    def texts(self) -> tuple[str, ...]:
        """The row in words, by `TIME_COLUMNS`."""
        trial = "" if self.trial_s is None else f"{self.trial_s:.3f}"
        return str(self.part), f"{self.seconds:.2f}", f"{self.share:.1%}", trial, self.meaning


def time_rows(seconds: Mapping[str, float], records: Iterable[TrialRecord]) -> tuple[TimeRow, ...]:
    """A row for each part of a search; their seconds add up to its wall time.

    Args:
        seconds: Wall time by part.
        records: Trials of the search.
    """
    told, total = [record.seconds for record in records], sum(seconds.values())
    rows = []
    for part in Part:
        if part in seconds:
            of_trials = [trial[part] for trial in told if part in trial]
            trial_s = statistics.median(of_trials) if of_trials else None
            rows.append(TimeRow(part, seconds[part], seconds[part] / total if total else 0.0, trial_s))
    return tuple(rows)


def time_title(rows: Sequence[TimeRow]) -> str:
    """The heading of such a table."""
    return f"Where the time went: {sum(row.seconds for row in rows):.1f} s"


def time_html(rows: Sequence[TimeRow]) -> str:
    """The rows as a table of HTML."""
    lines = "\n".join(_line("td", row.texts) for row in rows)
    return (
        '<div class="autoq-trials" role="region" aria-label="where the time went" tabindex="0"><table>'
        f"<thead>{_line('th', TIME_COLUMNS)}</thead><tbody>\n{lines}\n</tbody></table></div>"
    )


def time_csv(rows: Sequence[TimeRow]) -> str:
    """The rows as CSV; a missing value is left empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["part", "seconds", "share", "trial_s", "meaning"])
    writer.writerows([row.part, row.seconds, row.share, row.trial_s, row.meaning] for row in rows)
    return text.getvalue()


def time_metrics(rows: Sequence[TimeRow]) -> dict[str, float]:
    """The seconds by part, under names for metrics: "seconds/score_float"."""
    return {f"seconds/{row.part.replace(' ', '_')}": row.seconds for row in rows}


def _line(tag: str, texts: Sequence[str]) -> str:
    """A line of the table; its first and its last cell have words."""
    first, *numbers, last = map(html.escape, texts)
    cells = "".join(f"<{tag}>{number}</{tag}>" for number in numbers)
    return f'<tr><{tag} class="word">{first}</{tag}>{cells}<{tag} class="word">{last}</{tag}></tr>'
