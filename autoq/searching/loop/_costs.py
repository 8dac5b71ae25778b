"""The seconds that measurements take, as earlier trials tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self

from autoq.evaluation.scoring import Outcome
from autoq.searching.records import Part, TrialRecord, TrialState, evaluation_of

# The latest trials tell the costs.
_LATEST = 15
# Before the first trial, so large a share of the samples is scored at first.
_FIRST_SHARE = 1 / 4
# The first candidates are scored on all samples if that takes no more than so many times as long as all the rest: they
# tell which samples tell candidates apart. On recorded tables, and with 5 in its place, a search that could not afford
# it needed twice the time to 95% of the front; with 20 it came late to 80%. Each of them may take such a share of the
# time that is left.
_TO_SCREEN, _SCREENING_SHARE = 12, 0.1
# A part of fewer samples than these tells little: all candidates are scored on all of them, if that takes no more than
# so many times as long as all the rest.
_FEW, _WHOLE = 512, 5


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds that a candidate takes.

    Attributes:
        build_s: Seconds to build and to compile it.
        sample_s: Seconds to score it on one sample.
        timing_s: Seconds to time it.
    """

    build_s: float
    sample_s: float
    timing_s: float

    @classmethod
    def of(cls, records: Sequence[TrialRecord]) -> Self | None:
        """The costs by the medians of the latest candidates; None before the first one."""
        measured = [r for r in records if r.state is TrialState.COMPLETE and not r.is_baseline and r.seconds]
        if not measured:
            return None
        seconds = [record.seconds for record in measured[-_LATEST:]]
        samples = [max(evaluation_of(record).accuracy.n, 1) for record in measured[-_LATEST:]]
        return cls(
            build_s=median(each.get(Part.BUILD, 0.0) + each.get(Part.COMPILE, 0.0) for each in seconds),
            sample_s=median(each.get(Part.SCORE, 0.0) / n for each, n in zip(seconds, samples, strict=True)),
            timing_s=median(each.get(Part.TIME, 0.0) for each in seconds),
        )

    @property
    def balanced_items(self) -> float:
        """Number of samples whose scoring takes as long as all the rest of a candidate."""
        return (self.build_s + self.timing_s) / max(self.sample_s, 1e-9)

    def trial_s(self, items: float) -> float:
        """Seconds of a new candidate that is scored on so many samples."""
        return self.build_s + self.timing_s + items * self.sample_s


def first_items(costs: Costs | None, samples: int, *, screened: bool = True, left_s: float = math.inf) -> int:
    """Number of samples that a new candidate is scored on at first.

    Args:
        costs: What earlier candidates took; None before the first one.
        samples: Number of all samples.
        screened: Whether enough candidates were scored on all samples to know which samples tell. If they were not, and
            of few samples, all are scored where that is not too dear.
        left_s: Seconds that are left for trials.
    """
    wanted = _FIRST_SHARE * samples if costs is None else costs.balanced_items
    if costs is not None:
        screens = not screened and samples * costs.sample_s <= _SCREENING_SHARE * left_s
        most = max(_TO_SCREEN if screens else 0, _WHOLE if samples < _FEW else 0)
        if samples <= most * wanted:
            return samples
    return max(1, min(samples, round(wanted)))


def finishing_s(record: TrialRecord, samples: int) -> float:
    """Expected seconds to build a measured candidate and to score it on the samples that it was not scored on.

    Args:
        record: Its record.
        samples: Number of all samples.
    """
    accuracy = evaluation_of(record).accuracy
    left = 0 if accuracy.outcome is Outcome.FINISHED else samples - accuracy.n if accuracy.scores.size else samples
    building, scoring = (record.seconds.get(part, 0.0) for part in (Part.BUILD, Part.SCORE))
    return building + scoring * left / accuracy.n
