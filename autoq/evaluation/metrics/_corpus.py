"""Metrics of a whole data set, such as F1, perplexity or a rank correlation. They are no mean over samples.

| name  | meaning                                                                  | shape  |
|-------|--------------------------------------------------------------------------|--------|
| n     | inferences; what one of them holds stays together: tokens, boxes, a batch | scalar |
| K     | blocks that the inferences are dealt into, the same for every model       | scalar |
| t     | the metric of all inferences                                              | scalar |
| t_k   | the metric of all but those of block k                                    | [K]    |
| s_k   | scores: t + (K - 1) (mean(t_k) - t_k)                                     | [K]    |

The mean of the scores is t, and their t interval is that of the delete-a-block jackknife (Shao and Wu, "A general
theory for jackknife variance estimation", 1989). So they can take the place of scores per sample, above all in paired
differences of two models. If the metric is a mean and K is n, they are the scores of the samples.

A bootstrap needs a thousand evaluations of the metric or more, the jackknife K + 1, for any metric. `make bench
NAME=coverage` holds the intervals to their level. They are too short for a metric that depends on few events in few
samples, but so are those of a percentile bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autoq.core import MetricError, reason
from autoq.evaluation.metrics._labels import as_sample
from autoq.evaluation.metrics._metrics import InferenceOutputs, Scores
from autoq.evaluation.metrics._output_kind import OutputKind

# More blocks cost more and narrow the interval by a percent or two; fewer widen it.
_BLOCKS = 40
_SEED = 0

# Outputs of one inference, or the part of them that is kept, and the target.
Kept = tuple[InferenceOutputs, Any]


def as_rows(outputs: InferenceOutputs, target: Any) -> Kept:  # whatever the user's data hold
    """Outputs as they are, and the target with a first axis of as many samples.

    Raises:
        ValueError: The target has another number of samples.
    """
    outputs = [as_sample(outputs[0], target), *outputs[1:]]
    count = len(outputs[0])
    array = np.asarray(target)
    if array.ndim == 0 or (count == 1 and len(array) != 1):
        array = array[None]
    if len(array) != count:
        msg = f"the target has the shape {np.shape(target)}, but the first output has {count} samples."
        raise ValueError(msg)
    return outputs, array


def as_they_are(outputs: InferenceOutputs, target: Any) -> Kept:  # whatever the user's data hold
    """Outputs and target of one inference, unchanged."""
    return outputs, target


@dataclass(frozen=True, slots=True)
class CorpusMetric:
    """A metric of all samples together: one number that is not the mean of scores of single samples.

    For its interval, it is computed again without each of up to forty blocks of the samples.

    Attributes:
        name: Name for people, and for the identity of a search.
        compute: `(outputs, targets) -> float`, higher is better. Outputs is a list with one array per output of the
            model, and targets an array, each joined over samples, [n, ...]; the order of the samples is arbitrary.
        joined: False gives `compute` two lists instead, of the outputs and of the target of each inference, whose
            shapes may differ.
        keep: Takes `(outputs, target)` of one inference, and gives the part that `compute` needs; None keeps all.
        kinds: The metric for each kind of the first output, if the kind makes a difference.
    """

    name: str
    compute: Callable[[Any, Any], Any]
    joined: bool = True
    keep: Callable[[InferenceOutputs, Any], Kept] | None = None
    kinds: Callable[[OutputKind], CorpusMetric] | None = None

    def kept(self, outputs: InferenceOutputs, target: Any, number: int) -> Kept:  # whatever the user's data hold
        """The part of an inference that is kept.

        Args:
            outputs: Its output arrays.
            target: Its target.
            number: Number of the inference, for errors.

        Raises:
            MetricError: Outputs and target do not fit the metric.
        """
        try:
            return (self.keep or (as_rows if self.joined else as_they_are))(outputs, target)
        except MetricError as error:
            msg = f"metric {self.name!r} cannot score sample {number}: {error}"
            raise MetricError(msg) from None
        except Exception as error:
            msg = f"metric {self.name!r} raised {type(error).__name__} on sample {number}: {reason(error)}"
            raise MetricError(msg) from error


def jackknife_scores(metric: CorpusMetric, kept: Sequence[Kept]) -> Scores:
    """Scores whose mean is the metric, and whose paired differences have its interval.

    Args:
        metric: The metric.
        kept: The kept part of each inference.

    Returns:
        One score per block, [K]: 40, or as many as there are inferences.

    Raises:
        MetricError: The metric raised, or returned something other than one finite number, on all or almost all
            inferences.
    """
    number = min(_BLOCKS, len(kept))
    # The blocks depend only on the number of inferences, so that scores of two models pair block by block.
    block = np.random.default_rng(_SEED).permutation(len(kept)) % number
    members = [[kept[i] for i in np.flatnonzero(block == k).tolist()] for k in range(number)]
    parts = [_joined(metric, part) for part in members] if metric.joined else members
    whole = _value(metric, parts, len(kept), len(kept))
    if number == 1:
        return np.array([whole])
    without = np.array(
        [_value(metric, parts[:k] + parts[k + 1 :], len(kept) - len(members[k]), len(kept)) for k in range(number)]
    )
    return np.asarray(whole + (number - 1) * (without.mean() - without))


def _joined(metric: CorpusMetric, kept: Sequence[Kept]) -> list[Kept]:
    """All parts joined to one."""
    outputs, targets = zip(*kept, strict=True)
    try:
        return [([np.concatenate(arrays) for arrays in zip(*outputs, strict=True)], np.concatenate(targets))]
    except ValueError as error:
        msg = (
            f"metric {metric.name!r} takes joined samples, but they differ in shape: {error}; a CorpusMetric with "
            "joined=False takes them one by one."
        )
        raise MetricError(msg) from error


def _value(metric: CorpusMetric, parts: Sequence[list[Kept]], count: int, total: int) -> float:
    """The metric of some parts, which hold `count` of `total` inferences."""
    given = [kept for part in parts for kept in part]
    outputs: Any = [outputs for outputs, _ in given]
    targets: Any = [target for _, target in given]
    where = f"on {count} of {total} samples"
    if metric.joined:
        ((outputs, targets),) = _joined(metric, given)
    try:
        with np.errstate(all="ignore"):
            returned = metric.compute(outputs, targets)
    except MetricError as error:
        msg = f"metric {metric.name!r} cannot score {count} of {total} samples: {error}"
        raise MetricError(msg) from None
    except Exception as error:
        msg = f"metric {metric.name!r} raised {type(error).__name__} {where}: {reason(error)}"
        raise MetricError(msg) from error
    try:
        value = float(returned.item() if hasattr(returned, "item") else returned)
    except (TypeError, ValueError, RuntimeError):
        msg = f"metric {metric.name!r} returned {returned!r} {where}: one number for all of them is needed."
        raise MetricError(msg) from None
    if not np.isfinite(value):
        msg = (
            f"metric {metric.name!r} returned {value} {where}: it must have a value with and without any of "
            f"{min(_BLOCKS, total)} parts of the samples; perhaps a class has too few of them, or all are the same."
        )
        raise MetricError(msg)
    return value
