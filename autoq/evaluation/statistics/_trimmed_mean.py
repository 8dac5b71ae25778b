"""A mean that few disturbed values cannot move, with its interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoq.evaluation.statistics._quantiles import t_quantile

_TRIMMED = 0.2


def trimmed_mean(values: NDArray[np.float64], confidence: float) -> tuple[float, float, float]:
    """Mean without the largest and the smallest fifth, and the ends of its interval.

    The interval is that of Tukey and McLaughlin (1963; Yuen 1974). For the spread, each trimmed value is replaced by
    the nearest value that counts; the degrees of freedom are those of the values that count. Below five values, the
    interval is Student's.

    Args:
        values: [n], two or more.
        confidence: Nominal coverage.
    """
    cut = int(_TRIMMED * len(values))
    ordered = np.sort(values)
    kept = ordered[cut : len(values) - cut]
    drawn_in = np.clip(values, kept[0], kept[-1])
    error = float(drawn_in.std(ddof=1)) * np.sqrt(len(values)) / len(kept)
    half = t_quantile((1 + confidence) / 2, len(kept) - 1) * error
    value = float(kept.mean())
    return value, value - half, value + half
