"""The measurement noise of a trial."""

from __future__ import annotations

from autoq.evaluation.candidate import Evaluation
from autoq.evaluation.scoring import finite_population_factor


def noise_of(evaluation: Evaluation, samples: int) -> tuple[float, float]:
    """Standard deviations of the drop and the latency ratio of a trial.

    Candidates are compared by their drops on all samples. A drop on all of them is therefore exact. A drop on some of
    them has less noise than its confidence interval says, because that assumes an infinite population: see
    `finite_population_factor`. A drop without an interval counts as exact.

    Args:
        evaluation: Of the trial.
        samples: How many there are, N.
    """
    accuracy = evaluation.accuracy
    drop_sd = accuracy.drop.sd * finite_population_factor(accuracy.n, samples) if accuracy.drop.known else 0.0
    return drop_sd, evaluation.latency.ratio.sd
