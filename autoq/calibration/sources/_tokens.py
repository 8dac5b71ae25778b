"""Token numbers as people hold them, as inputs of a decoder.

| form                                        | a sample is                                               |
|---------------------------------------------|-----------------------------------------------------------|
| array [n, length]                           | a row                                                     |
| array [length], longer than a window        | a window of 256 tokens; what remains at the end is left out |
| rows: arrays or lists of numbers, or dicts with `input_ids`, perhaps with `attention_mask` | a row |

The other inputs of a decoder follow from the tokens: `attention_mask` is 1, `position_ids` count the tokens that are no
padding, `beam_idx` is 0, since no sequence goes on from another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from autoq.calibration.sources._arrays import as_array, is_array
from autoq.graph import ATTENTION_MASK, BEAM_INDEX, INPUT_IDS, POSITION_IDS

WINDOW = 256


def completable(names: Set[str]) -> bool:
    """Whether these are the inputs of a decoder, some of which follow from the tokens.

    An encoder has no positions among its inputs, and its mask must not be forgotten.
    """
    known = {INPUT_IDS, ATTENTION_MASK, POSITION_IDS, BEAM_INDEX}
    return INPUT_IDS in names and names <= known and not names.isdisjoint({POSITION_IDS, BEAM_INDEX})


def in_windows(data: Any) -> Any:  # several kinds
    """A long row of tokens as windows, [n, 256]; other data are given back."""
    if not is_array(data) or len(data.shape) != 1 or len(data) <= WINDOW:
        return data
    tokens = as_array(data)
    return tokens[: len(tokens) // WINDOW * WINDOW].reshape(-1, WINDOW) if tokens.dtype.kind in "iu" else data


def are_tokens(item: Any) -> bool:  # as the user wrote it
    """Whether an item is a row of token numbers, or some rows: an array or a list of whole numbers."""
    if is_array(item):
        return as_array(item).dtype.kind in "iu"
    whole = isinstance(item, Sequence) and not isinstance(item, str | bytes) and len(item) > 0
    return whole and all(isinstance(number, int | np.integer) and not isinstance(number, bool) for number in item)


def completed(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Inputs of a decoder by name, with those that follow from the tokens.

    Args:
        values: Inputs by name, `input_ids` [..., length] among them; what is given stays.
    """
    tokens = as_array(values[INPUT_IDS])
    mask = as_array(values.get(ATTENTION_MASK, np.ones(tokens.shape, np.int64)))
    return {
        ATTENTION_MASK: mask,
        POSITION_IDS: np.maximum(np.cumsum(mask, axis=-1) - 1, 0) if mask.ndim else mask,
        BEAM_INDEX: np.zeros(tokens.shape[:-1], np.int64),
        **values,
    }
