"""The interval of a difference of paired proportions that McNemar's test belongs to.

| name | meaning                                                             |
|------|---------------------------------------------------------------------|
| n    | pairs                                                               |
| lost | pairs of which only the first counts                                |
| won  | pairs of which only the second counts                               |
| d    | difference of the proportions                                       |
| q    | likeliest share of pairs won under d (Tango 1998, equation 8)       |

The ends are the values of d that the score test would just not reject; at d = 0 that is McNemar's test. With few
changes, this interval covers better than those of Wald and of Agresti and Min: it has a width if nothing changed, and
leans to the side with more changes.
"""

from __future__ import annotations

import numpy as np

# If nothing changed, or everything did, the statistic has no value at the observed difference itself.
_BESIDE = 1e-9


def tango_interval(lost: float, won: float, n: int, z: float) -> tuple[float, float]:
    """Score interval of `(lost - won) / n` (Tango, "Equivalence test and confidence interval...", 1998).

    Args:
        lost: Number of pairs lost; it need not be whole.
        won: Number of pairs won.
        n: Number of all pairs, at least `lost + won`.
        z: Quantile of the level: 1.96 for 95%.

    Returns:
        Ends within -1 and 1.
    """
    return _lower(lost, won, n, z), -_lower(won, lost, n, z)


def _lower(lost: float, won: float, n: int, z: float) -> float:
    from scipy.optimize import brentq

    def excess(d: float) -> float:
        b = -lost - won + (2 * n - lost + won) * d
        q = (np.sqrt(max(b**2 + 8 * n * won * d * (1 - d), 0.0)) - b) / (4 * n)
        variance = n * (2 * q + d * (1 - d))
        return float(lost - won - n * d - z * np.sqrt(max(variance, 0.0)))

    observed = (lost - won) / n - _BESIDE
    return -1.0 if observed <= -1 else float(brentq(excess, -1.0, observed, xtol=1e-12))
