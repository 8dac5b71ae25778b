"""How far what was measured of a trial may be from what it stands for."""

from __future__ import annotations

from autoq.evaluation.candidate import Evaluation
from autoq.evaluation.scoring import finite_population_factor


def noise_of(evaluation: Evaluation, samples: int) -> tuple[float, float]:
    """Standard deviations of the drop and the latency ratio of a trial.

    Candidates are compared by their drops on the same samples, all there are. So a drop on all of them is exact, and
    one on some of them errs by less than its interval says, which holds for an endless population: see
    `finite_population_factor`. So it is where nothing is known of its interval.

    Args:
        evaluation: Of the trial.
        samples: How many there are, N.
    """
    accuracy = evaluation.accuracy
    drop_sd = accuracy.drop.sd * finite_population_factor(accuracy.n, samples) if accuracy.drop.known else 0.0
    return drop_sd, evaluation.latency.ratio.sd
