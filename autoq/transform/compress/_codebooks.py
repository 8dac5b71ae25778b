"""Numbers by their place in a codebook. Formulas: NNCF 3.4.

s = max |x| / max |entry|, at least eps = 2^-23; the place is that of the nearest entry to x / s, by the midpoints, and
the lower one in a tie.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoq.core import CodebookType, FloatArray, WeightFormat
from autoq.transform.compress._encoded import Numbers, extremes
from autoq.transform.compress._floats import count_above, e4m3_bits, e4m3_values
from autoq.transform.compress._integers import EPS
from autoq.transform.compress._stored import StoredArray, stored

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
    """The entries that the model computes with: of their type, in half precision."""
    return rounded_entries(form.codebook, form).astype(np.float16).astype(np.float32)


def rounded_entries(entries: Sequence[float] | NDArray[Any], form: WeightFormat) -> FloatArray:
    """Entries as the type of a codebook holds them."""
    single = np.asarray(entries, np.float32)
    match form.codebook_type:
        case CodebookType.F8E4M3:
            return e4m3_values()[e4m3_bits(single)]
        case CodebookType.F16:
            return single.astype(np.float16).astype(np.float32)
        case CodebookType.I8:
            return np.clip(np.rint(single), -128, 127)
        case _:
            return single


def stored_entries(form: WeightFormat) -> StoredArray:
    """The entries as a Constant of their type holds them."""
    single = np.array(form.codebook, np.float32)
    match form.codebook_type:
        case CodebookType.F8E4M3:
            return stored(e4m3_bits(single), "f8e4m3")
        case CodebookType.F16:
            return stored(single.astype(np.float16), "f16")
        case CodebookType.I8:
            return stored(rounded_entries(single, form).astype(np.int8), "i8")
        case _:
            return stored(single, "f32")
