"""The best of a search that goes on, on disk: whatever ends the search, there is an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoq.api.results._folder import RunFolder
from autoq.core import Format, write_record
from autoq.searching.front import SearchInfo, choose, closest, info_to_dict
from autoq.searching.records import TrialRecord, evaluation_of, evaluation_to_dict, record_to_dict
from autoq.searching.shown import ParetoFront

BEST_SO_FAR = Format(
    "the best so far of a search", version=2, advice="start the search again: it goes on, and writes it anew"
)


class BestSoFar:
    """A search observer that writes best.json whenever the front's staircase or the chosen model changes.

    The file holds the chosen trial with its plan and its objectives, what was searched, and the trials of the front;
    where its steps are all float, the quantized trial that is closest to the limits too. So it is enough to build the
    best so far from.

    Args:
        folder: Of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._info: SearchInfo | None = None
        self._written: tuple[int, ...] | None = None

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Preparation has no best."""

    def on_start(self, info: SearchInfo, earlier: Sequence[TrialRecord]) -> None:
        """Writes what is known, from earlier sessions or nothing yet."""
        self._info = info
        # As for the loop, what an earlier session closed with is a measurement like any other.
        self._write(ParetoFront([replace(record, remeasured=False) for record in earlier]))

    def on_trial(self, record: TrialRecord, front: ParetoFront) -> None:
        """Writes the best so far where it changed."""
        self._write(front)

    def on_finish(self, records: Sequence[TrialRecord], front: ParetoFront, files: Path | None) -> None:
        """The result is written by itself."""

    def _write(self, front: ParetoFront) -> None:
        if self._info is None:
            return
        best = choose(front, self._info.choose) if len(front) else None
        nearest = None
        if all(record.is_baseline for record in front.staircase):
            nearest = closest(front.records, self._info.limits)
        shown = tuple(record.number for record in (best, nearest, *front.staircase) if record is not None)
        if shown == self._written:
            return
        kept = {record.number: record for record in (*front, *([] if nearest is None else [nearest]))}
        values = {
            "best": None if best is None else _summary(best),
            "info": info_to_dict(self._info),
            "records": [record_to_dict(kept[number]) for number in sorted(kept)],
        }
        write_record(self._folder.best_so_far, BEST_SO_FAR, values)
        self._written = shown


def _summary(record: TrialRecord) -> dict[str, Any]:
    """Plan and objectives of a trial."""
    evaluation = evaluation_to_dict(evaluation_of(record))
    return {
        "trial": record.number,
        "plan": record.plan.to_dict(),
        "drop": evaluation["accuracy"]["drop"],
        "ratio": evaluation["latency"]["ratio"],
        "p50_ms": evaluation["latency"]["p50_ms"],
        "size_bytes": evaluation["size_bytes"],
    }
