"""Quantiles of the intervals, and the interval of a share.

The numbers are those of `scipy.stats`. That module takes most of a second to import, and every device process would.
"""

from __future__ import annotations

import math

from scipy import special


def normal_quantile(level: float) -> float:
    """Quantile of the normal distribution at a level within 0 and 1."""
    return float(special.ndtri(level))


def t_quantile(level: float, degrees: int) -> float:
    """Quantile of Student's distribution at a level within 0 and 1, for 1 degree of freedom or more."""
    return float(special.stdtrit(degrees, level))


def wilson_interval(count: int, n: int, confidence: float) -> tuple[float, float]:
    """Score interval of a share (Wilson 1927; Newcombe 1998, method 3).

    Args:
        count: Number of hits, 0 to n.
        n: Number of all, 1 or more.
        confidence: Nominal coverage.

    Returns:
        Ends within 0 and 1.
    """
    z = normal_quantile(0.5 + 0.5 * confidence)
    share = count / n
    scale = 2 * (n + z**2)
    center = (2 * n * share + z**2) / scale
    half = z / scale * math.sqrt(4 * n * share * (1 - share) + z**2)
    return 0.0 if count == 0 else center - half, 1.0 if count == n else center + half
