"""Integers of 2 to 8 bits. Formulas: NNCF 3.4, in single precision.

| name  | meaning                                              | shape          |
|-------|------------------------------------------------------|----------------|
| x     | numbers of a weight                                  | [R, row]       |
| s     | scale                                                | [R]            |
| z     | zero point                                           | [R]            |
| low   | lowest integer, `high` the highest                   |                |

- Without a zero point: s = |min x| / 2^(b-1) if |min x| >= max x, else -max x / 2^(b-1), so that the extreme is exact.
- With one: lo = min(0, min x), hi = max(0, max x); s = (hi - lo) / (2^b - 1); z = clip(-round(lo / s), low, high).
- q = clip(round(x / s + z), low, high). Rounds to even; |s| is eps = 2^-23 at least.
"""

from __future__ import annotations

import numpy as np

from autoq.core import FloatArray, WeightFormat
from autoq.transform.compress._encoded import Numbers, extremes

EPS = np.finfo(np.float32).eps


def integer_scales(rows: FloatArray, form: WeightFormat) -> tuple[FloatArray, FloatArray | None]:
    """Scales, and zero points as float32 of formats that have them.

    Args:
        rows: [R, row].
        form: The format.

    Returns:
        [R] and [R]; numbers that are not finite make the scale not finite.
    """
    low, high = extremes(rows)
    least, most = form.levels
    if form.is_symmetric:
        magnitude = np.abs(low)
        scale = np.asarray(np.where(magnitude >= high, magnitude, -high) / np.float32(-least), np.float32)
        scale[np.abs(scale) < EPS] = EPS
        return scale, None
    np.minimum(low, 0, out=low)
    np.maximum(high, 0, out=high)
    scale = (high - low) / np.float32(most)
    scale[np.abs(scale) < EPS] = EPS
    return scale, np.clip(0 - np.rint(low / scale), least, most)


def to_integers(rows: FloatArray, scale: FloatArray, zero_point: FloatArray | None, form: WeightFormat) -> Numbers:
    """The integers of rows, which are overwritten.

    Args:
        rows: [R, row].
        scale: [R].
        zero_point: [R]; None without one.
        form: The format.

    Returns:
        int8 [R, row] without zero points, else uint8.
    """
    np.divide(rows, scale[:, None], out=rows)
    if zero_point is not None:
        rows += zero_point[:, None]
    np.rint(rows, out=rows)
    np.clip(rows, *form.levels, out=rows)
    return rows.astype(np.int8 if form.is_symmetric else np.uint8)


def from_integers(numbers: Numbers, zero_point: Numbers | None) -> FloatArray:
    """What integers stand for, before their scale."""
    value = numbers.astype(np.float32)
    return value if zero_point is None else value - zero_point
