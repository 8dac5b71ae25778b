"""The accuracy of one candidate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoq.core import Estimate, brief_repr
from autoq.evaluation.scoring._racing import Outcome


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Scores of a candidate beside the float model's on the same samples.

    Attributes:
        mean: Mean score, in the metric's unit; higher is better.
        drop: Float mean minus candidate mean, paired, with its interval; positive is worse.
        n: Number of samples scored.
        scores: Scores by sample, float64; NaN for samples that were not scored, empty if the user's function gives
            none.
        outcome: How its scoring ended.
        sampling_sd: Standard deviation of the drop as an estimate of the drop on all samples; 0 where all were scored.
    """

    mean: float
    drop: Estimate
    n: int
    scores: NDArray[np.float64]
    outcome: Outcome = Outcome.FINISHED
    sampling_sd: float = 0.0

    __repr__ = brief_repr
