"""The best trial so far, on disk: there is an answer, whatever ends the search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoq.api.results._folder import RunFolder
from autoq.core import Format, write_record
from autoq.searching.front import SearchInfo, choose, closest, info_to_dict
from autoq.searching.records import TrialRecord, evaluation_of, evaluation_to_dict, preference, record_to_dict
from autoq.searching.shown import ParetoFront

BEST_SO_FAR = Format(
    "the best so far of a search", version=3, advice="start the search again: it goes on, and writes it anew"
)


class BestSoFar:
    """A search observer that writes best.json whenever the front's staircase, its figures or the chosen model change.

    The file is enough to build the best model so far. It holds the chosen trial with its plan and its objectives, what
    was searched, and the trials of the front. Where the front has float models alone, it also holds the quantized trial
    that is closest to the limits.

    Args:
        folder: The folder of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._info: SearchInfo | None = None
        self._written: tuple[tuple[float, ...], ...] | None = None

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Preparation has no best."""

    def on_start(self, info: SearchInfo, earlier: Sequence[TrialRecord]) -> None:
        """Writes what earlier sessions found."""
        self._info = info
        # The loop too treats the measurements of an earlier closing session like any others.
        self._write(ParetoFront([replace(record, remeasured=False) for record in earlier]))

    def on_trial(self, record: TrialRecord, front: ParetoFront) -> None:
        """Writes the best so far where it changed."""
        self._write(front)

    def on_finish(self, records: Sequence[TrialRecord], front: ParetoFront, files: Path | None) -> None:
        """Writes nothing: the result has files of its own."""

    def _write(self, front: ParetoFront) -> None:
        if self._info is None:
            return
        best = choose(front, self._info.choose) if len(front) else None
        nearest = None
        if all(record.is_baseline for record in front.staircase):
            nearest = closest(front.records, self._info.limits)
        members = [record for record in (best, nearest, *front.staircase) if record is not None]
        shown = tuple((record.number, *preference(record)) for record in members)
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
