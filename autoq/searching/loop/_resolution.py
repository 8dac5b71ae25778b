"""The smallest differences between models that the measurements of a search can tell."""

from __future__ import annotations

from statistics import median

from autoq.searching.records import TrialState, evaluation_of
from autoq.searching.study import Study

# A closing session compiles each model four times or more, which halves the error of one compilation.
_CLOSING = 0.5
# Two models are scored on the same samples and timed in turn, so that their difference is known better than each value.
_PAIRED = 0.5


def resolution(study: Study) -> tuple[float, float]:
    """Standard deviations of differences of the drop on all samples, and of the latency ratio in a closing session.

    They are taken from the medians of the quantized trials within the limits; 0 where there are none, or no intervals.

    Args:
        study: The study of the search.
    """
    records = study.records(closed=False)
    found = [evaluation_of(r) for r in records if r.state is TrialState.COMPLETE and r.feasible and not r.is_baseline]
    whole = [evaluation for evaluation in found if not evaluation.accuracy.sampling_sd] or found
    drops = [evaluation.accuracy.drop.sd for evaluation in whole if evaluation.accuracy.drop.known]
    ratios = [_CLOSING * evaluation.latency.ratio.sd for evaluation in found if evaluation.latency.ratio.known]
    return _PAIRED * median(drops) if drops else 0.0, _PAIRED * median(ratios) if ratios else 0.0
