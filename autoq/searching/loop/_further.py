"""What the next seconds go to: a new plan, more samples of an earlier one, or another timing of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from autoq.evaluation.scoring import Outcome
from autoq.searching.loop._costs import Costs, first_items
from autoq.searching.records import TrialRecord, TrialState, evaluation_of
from autoq.searching.sampler import MORE, Prospects

# What adds less than this share of the hypervolume is not worth a measurement of its own.
_LEAST = 1e-4
# Expected improvement by a proposal counts its whole posterior, of which a first look at some samples tells a part.
_DISCOUNT = 0.5


class What(StrEnum):
    """What is measured further."""

    SAMPLES = "samples"
    TIMING = "timing"


@dataclass(frozen=True, slots=True)
class Further:
    """A further measurement of an earlier candidate.

    Attributes:
        record: Record of the candidate.
        what: What is measured.
        items: Number of samples that it is scored on afterwards.
    """

    record: TrialRecord
    what: What
    items: int


def further(
    prospects: Prospects, records: Sequence[TrialRecord], samples: int, fixed: Collection[tuple[int, What]] = ()
) -> Further | None:
    """The measurement of an earlier candidate that is worth more by second than the proposed new one.

    Args:
        prospects: What the next measurements are expected to add.
        records: Records of all trials, with their scores.
        samples: Number of all samples.
        fixed: Trials, by number, and what of them cannot be measured any better.

    Returns:
        The measurement; None if the proposal is worth as much.
    """
    costs = Costs.of(records)
    if costs is None:
        return None
    best = None
    highest = _DISCOUNT * prospects.proposal / max(costs.trial_s(first_items(costs, samples)), 1e-9)
    for record in records:
        if record.state is not TrialState.COMPLETE:
            continue
        accuracy = evaluation_of(record).accuracy
        more = min((MORE - 1) * accuracy.n, samples - accuracy.n)
        offers = []
        if accuracy.scores.size and accuracy.outcome in {Outcome.PARTIAL, Outcome.FEASIBLE}:
            offers.append((What.SAMPLES, prospects.samples.get(record.number, 0.0), more * costs.sample_s))
        if not record.is_baseline:
            offers.append((What.TIMING, prospects.timing.get(record.number, 0.0), costs.timing_s))
        for what, value, seconds in offers:
            rate = value / max(costs.build_s + seconds, 1e-9)
            if value > _LEAST and rate > highest and (record.number, what) not in fixed:
                best, highest = Further(record, what, accuracy.n + more), rate
    return best
