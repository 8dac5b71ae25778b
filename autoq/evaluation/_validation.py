"""Labelled data: pairs of model inputs and targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import openvino as ov

from autoq.calibration import Feed, ModelInputs, as_inputs
from autoq.core import DataError
from autoq.evaluation._chosen import Chosen


class ValidationSet(Sequence[tuple[Feed, Any]]):
    """Pairs of (inputs, target), one per inference, in a fixed order.

    Args:
        inputs: Model inputs.
        targets: As many targets.
    """

    def __init__(self, inputs: Sequence[Feed], targets: Sequence[Any]) -> None:
        self.inputs = inputs
        self.targets = targets

    @classmethod
    def of(cls, model: ov.Model, data: Any) -> ValidationSet:  # several kinds
        """Makes labelled data of what a user brings.

        Args:
            model: Takes the inputs.
            data: An iterable of (inputs, target), or anything indexable that yields such pairs; or two arrays (x, y)
                with one sample a row, whose targets come as many at a time as the model's batch.

        Raises:
            DataError: It is empty, does not consist of pairs, or the inputs do not fit the model.
        """
        if isinstance(data, ValidationSet):
            return data
        if _is_two_arrays(data):
            inputs = as_inputs(model, data[0], noun="validation")
            targets = np.asarray(data[1])
            if len(targets) != len(data[0]):
                msg = f"validation data have {len(data[0])} inputs but {len(targets)} targets."
                raise DataError(msg)
            size = max(1, len(data[0]) // len(inputs))
            # A model of batch one sees (x[i], y[i]) as a list of pairs would have them.
            rows = list(targets) if size == 1 else [targets[i * size : (i + 1) * size] for i in range(len(inputs))]
            return cls(inputs, rows)
        pairs = _Pairs.of(data)
        return cls(ModelInputs(model, _Column(pairs, 0), noun="validation"), _Column(pairs, 1))

    def split(self, held_out: Sequence[int]) -> tuple[ValidationSet, ValidationSet]:
        """The pairs but those with these numbers, and those with them; each is read when it is asked for.

        Args:
            held_out: Numbers of pairs.
        """
        numbers = set(held_out)
        parts = [n for n in range(len(self)) if n not in numbers], sorted(numbers)
        kept, rest = (ValidationSet(Chosen(self.inputs, part), Chosen(self.targets, part)) for part in parts)
        return kept, rest

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> tuple[Feed, Any]:  # type: ignore[override]  # single items only
        return self.inputs[index], self.targets[index]

    def __iter__(self) -> Iterator[tuple[Feed, Any]]:
        return (self[i] for i in range(len(self)))


def _is_two_arrays(data: object) -> bool:
    return isinstance(data, tuple) and len(data) == 2 and all(isinstance(part, np.ndarray) for part in data)


class _Pairs(Sequence[tuple[Any, Any]]):
    """Pairs that are checked when they are read."""

    def __init__(self, items: Any, count: int) -> None:  # anything indexable
        self._items = items
        self._count = count

    @classmethod
    def of(cls, data: Any) -> _Pairs:  # several kinds
        if isinstance(data, str | bytes | Mapping | np.ndarray):
            msg = f"validation data are a {type(data).__name__}: pass pairs of (inputs, target), or two arrays (x, y)."
            raise DataError(msg)
        if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
            return cls(data, len(data))
        if not isinstance(data, Iterable):
            msg = f"validation data are a {type(data).__name__}: pass an iterable of (inputs, target)."
            raise DataError(msg)
        items = list(data)
        return cls(items, len(items))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[Any, Any]:  # type: ignore[override]  # single items only
        item = self._items[index]
        if not isinstance(item, tuple | list) or len(item) != 2:
            what = f"{type(item).__name__} of {len(item)}" if hasattr(item, "__len__") else type(item).__name__
            msg = f"validation sample {index} is a {what}: a pair (inputs, target) is needed."
            raise DataError(msg)
        return item[0], item[1]


class _Column(Sequence[Any]):
    """One side of the pairs."""

    def __init__(self, pairs: _Pairs, side: int) -> None:
        self._pairs = pairs
        self._side = side

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Any:  # type: ignore[override]  # single items only
        return self._pairs[index][self._side]
