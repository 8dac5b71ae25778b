"""Metrics that compare a model's outputs with those of the float model: no labels are needed.

| name | meaning                                                                     | shape        |
|------|-----------------------------------------------------------------------------|--------------|
| p    | probabilities of the float model at each scored position                    | [s, classes] |
| q    | those of the model                                                          | [s, classes] |

Positions are those whose label is not -100; without such labels, all. The scores of the float model itself are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoq.core import MetricError
from autoq.evaluation.metrics._labels import IGNORED
from autoq.evaluation.metrics._metrics import InferenceOutputs, Metric

# A language model has many classes: so many rows at a time are held in float32.
_ROWS = 64
_TOLERANCE, _SUM_TOLERANCE, _SMALLEST = 1e-6, 5e-3, 1e-12


@dataclass(frozen=True, slots=True)
class BesideFloat:
    """A target, and what the float model says.

    Attributes:
        target: The user's target.
        log_probabilities: Of the float model at each scored position, [s, classes], in half precision. Their error is
            a share of each, so that of likely classes is small.
    """

    target: Any
    log_probabilities: NDArray[np.float16]


def scored_log_probabilities(outputs: InferenceOutputs, target: Any) -> NDArray[np.float16]:
    """Log-probabilities at the scored positions, to be kept: [s, classes].

    Args:
        outputs: Output arrays of an inference; the first one is used.
        target: Its target.

    Raises:
        MetricError: No position is scored, or the first output has no classes.
    """
    rows = _scored(outputs, target)
    found = np.empty(rows.shape, np.float16)
    for start in range(0, len(rows), _ROWS):
        with np.errstate(over="ignore"):
            found[start : start + _ROWS] = _log_probabilities(rows[start : start + _ROWS])
    return found


def negative_kl(outputs: InferenceOutputs, beside: BesideFloat) -> float:
    """Minus the mean divergence of Kullback and Leibler from the float model, sum of p log(p / q), in nats."""
    total = 0.0
    rows = _paired(outputs, beside)
    for start in range(0, len(rows), _ROWS):
        part = slice(start, start + _ROWS)
        log_p = beside.log_probabilities[part].astype(np.float32)
        p = np.exp(log_p)
        # Rounded probabilities add up to one again, so that what is measured is a divergence.
        sums = p.sum(axis=-1, keepdims=True, dtype=np.float64).astype(np.float32)
        log_p -= np.log(sums)
        p /= sums
        with np.errstate(invalid="ignore"):
            log_p -= _log_probabilities(rows[part])
        log_p[p == 0] = 0
        total += float(np.einsum("ij,ij->", p, log_p, dtype=np.float64))
    # Equal models differ by rounding alone, which has any sign.
    return -max(total, 0.0) / len(rows)


def top1_agreement(outputs: InferenceOutputs, beside: BesideFloat) -> float:
    """Share of positions at which the likeliest class is that of the float model."""
    rows = _paired(outputs, beside)
    # Half precision may make two classes equal: any of the likeliest agrees.
    likeliest = beside.log_probabilities.max(axis=-1)
    chosen = beside.log_probabilities[np.arange(len(rows)), rows.argmax(axis=-1)]
    return float((chosen == likeliest).mean())


TO_FLOAT = {
    "negative_kl": Metric("negative_kl", negative_kl, joined=False, of_float=0.0),
    "top1_agreement": Metric("top1_agreement", top1_agreement, joined=False, of_float=1.0),
}


def _paired(outputs: InferenceOutputs, beside: BesideFloat) -> NDArray[Any]:
    rows = _scored(outputs, beside.target)
    if rows.shape != beside.log_probabilities.shape:
        shape = beside.log_probabilities.shape
        msg = f"the first output has {rows.shape} scored numbers, but that of the float model has {shape}."
        raise MetricError(msg)
    return rows


def _scored(outputs: InferenceOutputs, target: Any) -> NDArray[Any]:
    """The scored rows of the first output, [s, classes]."""
    values = outputs[0]
    if values.ndim < 2 or values.shape[-1] < 2:
        msg = f"the first output has the shape {list(values.shape)}: a number for each of some classes is needed."
        raise MetricError(msg)
    rows = values.reshape(-1, values.shape[-1])
    labels = np.asarray(target) if isinstance(target, np.ndarray | list) else np.empty(0)
    if labels.size == len(rows) and labels.dtype.kind in "iu":
        rows = rows[labels.reshape(-1) != IGNORED]
        if not len(rows):
            msg = f"all labels are {IGNORED}, which leaves none to score."
            raise MetricError(msg)
    return rows


def _log_probabilities(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Logarithms of probabilities, or of the softmax of logits, [rows, classes]."""
    values = np.array(rows, np.float32)
    in_unit = values.min() >= -_TOLERANCE and values.max() <= 1 + _TOLERANCE
    if in_unit and np.abs(values.sum(axis=-1, dtype=np.float64) - 1).max() <= _SUM_TOLERANCE:
        return np.log(np.maximum(values, _SMALLEST))
    values -= values.max(axis=-1, keepdims=True)
    values -= np.log(np.exp(values).sum(axis=-1, keepdims=True, dtype=np.float64)).astype(np.float32)
    return values
