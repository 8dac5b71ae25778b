"""Sentences of movie reviews and whether they praise.

A search sees the first 900 sentences; the others are held out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from locate import locate
from numpy.typing import NDArray

SEARCHED = 900

Tokens = dict[str, NDArray[np.int64]]


def _tokens(ids: NDArray[Any]) -> Tokens:
    """One sentence without its padding."""
    kept = ids[None, : max(1, int((ids != 0).sum()))].astype(np.int64)
    return {"input_ids": kept, "attention_mask": (kept != 0).astype(np.int64)}


def _read() -> Any:  # numpy has no type for an opened archive
    return np.load(locate("minilm_l6/data.npz"))


def calibration() -> list[Tokens]:
    """Sentences without their rating."""
    return [_tokens(ids) for ids in _read()["calib_ids"]]


def _pairs(part: slice) -> list[tuple[Tokens, int]]:
    data = _read()
    return [(_tokens(ids), int(y)) for ids, y in zip(data["test_ids"][part], data["test_y"][part], strict=True)]


def validation() -> list[tuple[Tokens, int]]:
    """Sentences and ratings that a search scores on."""
    return _pairs(slice(0, SEARCHED))


def holdout() -> list[tuple[Tokens, int]]:
    """Sentences and ratings that a search never sees."""
    return _pairs(slice(SEARCHED, None))


def sample() -> Tokens:
    """128 tokens, what latency is measured on."""
    ids = np.random.default_rng(0).integers(1000, 20000, (1, 128))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def sentiment(outputs: list[NDArray[Any]], praise: int) -> float:
    """1 where the sign of the logit, the second output, is that of the rating."""
    return float((outputs[1].ravel()[0] > 0) == praise)
