"""How far what was measured of a trial may be from what it stands for."""

from __future__ import annotations

import math

from autoq.evaluation import Evaluation


def noise_of(evaluation: Evaluation, samples: int) -> tuple[float, float]:
    """Standard deviations of the drop and the latency ratio of a trial.

    Candidates are compared by their drops on the same samples, all there are. So a drop on all of them is exact, and
    one on n of N errs by sqrt((N - n) / (N - 1)) of what its interval says, which holds for an endless population
    (Cochran, "Sampling Techniques", 1977, equation 2.12).

    Args:
        evaluation: Of the trial.
        samples: How many there are, N.
    """
    accuracy = evaluation.accuracy
    unseen = max(samples - accuracy.n, 0) / max(samples - 1, 1)
    return accuracy.drop.sd * math.sqrt(unseen), evaluation.latency.ratio.sd
