"""Numbers by their place in a codebook. Formulas: NNCF 3.4.

s = max |x| / max |entry|, at least eps = 2^-23; the place is that of the nearest entry to x / s, by the midpoints, and
the lower one in a tie.
"""

from __future__ import annotations

import numpy as np

from autoq.core import FloatArray, WeightFormat
from autoq.transform.compress._encoded import Numbers, extremes
from autoq.transform.compress._floats import count_above
from autoq.transform.compress._integers import EPS

# Up to so many entries, comparing with all is faster than searching.
_FEW = 32


def codebook_scales(rows: FloatArray, form: WeightFormat) -> FloatArray:
    """Scales [R] of rows [R, row]; numbers that are not finite make the scale not finite."""
    low, high = extremes(rows)
    scale = np.maximum(-low, high) / np.float32(form.largest)
    return np.asarray(np.maximum(scale, EPS), np.float32)


def to_places(rows: FloatArray, scale: FloatArray, form: WeightFormat) -> Numbers:
    """The places of rows [R, row] in the codebook; the rows are overwritten."""
    np.divide(rows, scale[:, None], out=rows)
    entries = np.array(form.codebook, np.float32)
    midpoints = np.float32(0.5) * (entries[1:] + entries[:-1])
    if len(midpoints) <= _FEW:
        return count_above(rows, midpoints)
    places = np.searchsorted(midpoints, rows.reshape(-1)).reshape(rows.shape)
    return places.astype(np.uint8 if form.bits == 8 else np.uint16)


def from_places(places: Numbers, form: WeightFormat) -> FloatArray:
    """What places stand for, before their scale."""
    return np.take(stored_codebook(form), places)


def stored_codebook(form: WeightFormat) -> FloatArray:
    """The entries that the model computes with: in half precision."""
    return np.array(form.codebook, np.float16).astype(np.float32)
