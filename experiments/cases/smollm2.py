"""Windows of 256 tokens, scored by the mean log-likelihood of their tokens; perplexity is exp of minus it.

A search sees the first 32 windows; the others are held out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from locate import locate
from numpy.typing import NDArray
from scipy.special import log_softmax

SEARCHED = 32

Tokens = NDArray[np.int64]


def _read() -> Any:  # numpy has no type for an opened archive
    return np.load(locate("smollm2_135m/data.npz"))


def calibration() -> list[Tokens]:
    """Windows [1, 256] that are not scored on."""
    return [window[None].astype(np.int64) for window in _read()["calib"]]


def _pairs(part: slice) -> list[tuple[Tokens, Tokens]]:
    return [(window[None].astype(np.int64), window.astype(np.int64)) for window in _read()["test"][part]]


def validation() -> list[tuple[Tokens, Tokens]]:
    """Windows that a search scores on; each is its own target."""
    return _pairs(slice(0, SEARCHED))


def holdout() -> list[tuple[Tokens, Tokens]]:
    """Windows that a search never sees."""
    return _pairs(slice(SEARCHED, None))


def sample() -> Tokens:
    """One window, what latency is measured on."""
    return calibration()[0]


def log_likelihood(outputs: list[NDArray[Any]], tokens: Tokens) -> float:
    """Mean log-likelihood of each token given those before it."""
    predicted = log_softmax(outputs[0][0, :-1].astype(np.float64), axis=-1)
    return float(predicted[np.arange(len(tokens) - 1), tokens[1:]].mean())
