"""Metrics that are objects with `update` and `compute`, as those of torchmetrics are."""

from __future__ import annotations

import copy
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from autoq.evaluation.metrics._corpus import CorpusMetric, Kept, as_rows
from autoq.evaluation.metrics._metrics import InferenceOutputs


@runtime_checkable
class StatefulMetric(Protocol):
    """An object that is told of samples, and then computes their metric.

    It may have `reset()`, which forgets the samples, and `higher_is_better`: False changes the sign of the metric.
    """

    def update(self, preds: Any, target: Any) -> Any:
        """Takes the first output of some samples, and their targets."""

    def compute(self) -> Any:
        """The metric of all samples so far, one number."""


def stateful_metric(metric: StatefulMetric) -> CorpusMetric:
    """An object as a metric of the whole corpus. The object itself is not changed.

    It gets numpy arrays, or tensors if it is a `torch.nn.Module`. Arrays of one shape are joined over inferences.
    """
    # An object with `reset` is reset for every evaluation; another one is copied.
    own = copy.deepcopy(metric)
    forgets = hasattr(own, "reset")
    lower_is_better = getattr(own, "higher_is_better", None) is False
    convert = _tensor if _is_torch_module(own) else _unchanged

    def compute(outputs: Sequence[InferenceOutputs], targets: Sequence[Any]) -> Any:  # one number
        current = own if forgets else copy.deepcopy(own)
        if forgets:
            current.reset()  # type: ignore[attr-defined]
        for preds, target in _batches(outputs, targets):
            current.update(convert(preds), convert(target))
        value = current.compute()
        return -value if lower_is_better else value

    return CorpusMetric(type(metric).__name__, compute, joined=False, keep=_first)


def _first(outputs: InferenceOutputs, target: Any) -> Kept:  # whatever the user's data hold
    try:
        kept = as_rows(outputs[:1], target)
    except ValueError:
        return outputs[:1], target
    return kept if kept[1].dtype != object else (outputs[:1], target)


def _batches(outputs: Sequence[InferenceOutputs], targets: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """First outputs and targets: those of one shape joined, the others one inference at a time."""
    alike: dict[Any, list[tuple[Any, Any]]] = defaultdict(list)
    for (array, *_), target in zip(outputs, targets, strict=True):
        if isinstance(target, np.ndarray) and target.shape[:1] == array.shape[:1]:
            alike[array.shape, target.shape].append((array, target))
        else:
            yield array, target
    for pairs in alike.values():
        arrays, rows = zip(*pairs, strict=True)
        yield np.concatenate(arrays), np.concatenate(rows)


def _is_torch_module(metric: object) -> bool:
    """Whether an object is a module of torch; torch is imported already if there is such an object."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(metric, torch.nn.Module)


def _unchanged(value: Any) -> Any:  # whatever the user's data hold
    return value


def _tensor(value: Any) -> Any:  # a torch.Tensor, or what cannot be one
    torch = sys.modules["torch"]  # its metric brought it
    return torch.tensor(value) if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" else value
