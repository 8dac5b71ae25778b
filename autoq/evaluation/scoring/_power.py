"""The accuracy drop that labelled data can prove, known before any candidate is scored.

| name | meaning                                                                     |
|------|-----------------------------------------------------------------------------|
| n    | samples                                                                     |
| d    | largest acceptable drop, which the upper end of an interval has to keep     |
| z, t | quantiles: of the normal distribution, of Student's of n - 1                |
| s    | standard deviation of the float model's scores                              |
| c    | that of the changes of single scores, as a share of s                       |

1. Scores of 0 and 1: the easiest proof is that of a candidate whose scores have not changed. The upper end of Tango's
   interval is then z^2 / (n + z^2) (Statistics in Medicine 17, 1998, equation 8 without discordant pairs). So it takes
   n = z^2 (1 / d - 1) samples, and more if some scores have changed.
2. Other scores change a little everywhere, by an amount that is not known before. With changes of c s, the half width
   of the t interval is t c s / sqrt(n). The value of c is a small one, which careful quantization reaches.
"""

from __future__ import annotations

import bisect
import math

import numpy as np

from autoq.evaluation.metrics import Scores
from autoq.evaluation.scoring._accuracy_record import Accuracy
from autoq.evaluation.statistics import normal_quantile, t_quantile

# Changes of single scores, as a share of the spread of scores: a correlation of 0.9988 with those of the float model.
_SMALL_CHANGE = 0.05


def samples_to_prove(scores: Scores, max_drop: float, confidence: float = 0.95) -> float:
    """The least number of samples that can prove a drop of at most `max_drop`, with scores such as these.

    Args:
        scores: Scores of the float model by sample, [n].
        max_drop: The budget, 0 or more.
        confidence: Nominal coverage of the interval that has to stay within the budget.

    Returns:
        A whole number; infinite if no number of samples can prove it.
    """
    if not max_drop > 0:
        return math.inf
    level = (1 + confidence) / 2
    if np.isin(scores, (0, 1)).all():
        return math.ceil(max(normal_quantile(level) ** 2 * (1 / max_drop - 1), 1))
    ratio = _SMALL_CHANGE * float(np.std(scores)) / max_drop

    def proves(count: int) -> bool:
        return bool(t_quantile(level, count - 1) * ratio <= math.sqrt(count))

    most = 2
    while not proves(most):
        most *= 2
    return float(bisect.bisect_left(range(most), True, lo=2, key=proves))


def power_note(accuracy: Accuracy, max_drop: float | None, confidence: float = 0.95) -> str | None:
    """A sentence that says what the labelled data cannot prove, and how many samples could; None if they can.

    Args:
        accuracy: Accuracy of the float model, with its scores.
        max_drop: The budget; None needs no proof.
        confidence: As `samples_to_prove` has it.
    """
    if max_drop is None:
        return None
    limit = f"a drop of at most {max_drop:.6g}"
    if not accuracy.scores.size:
        return (
            f"{limit} cannot be proven by one number for all samples, whose interval is unknown: have `evaluate` "
            "return a score for each item too"
        )
    if not max_drop:
        return "no number of samples can prove that nothing is lost: point estimates decide what keeps a drop of 0"
    scores = samples_to_prove(accuracy.scores, max_drop, confidence)
    # The spread of scores of blocks shrinks with the root of the number of samples in each.
    needed = math.ceil(scores * accuracy.n / accuracy.scores.size)
    if needed <= accuracy.n:
        return None
    binary = bool(np.isin(accuracy.scores, (0, 1)).all())
    whom = "a model that loses none of them" if binary else "a model that changes single scores by little"
    samples = f"{accuracy.n:,} validation sample{' ' if accuracy.n == 1 else 's '}"
    return f"{samples}cannot prove {limit}, not even for {whom}: that takes {needed:,} or more"
