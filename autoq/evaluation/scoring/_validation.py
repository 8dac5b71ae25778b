"""Labelled data: pairs of model inputs and targets."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import openvino as ov

from autoq.calibration import (
    ArrayRows,
    Feed,
    Form,
    Images,
    Items,
    Reader,
    arrays_of,
    for_model,
    is_array,
    items_of,
    rows_apart,
    stacked,
)
from autoq.core import DataError
from autoq.evaluation.scoring._chosen import Chosen
from autoq.evaluation.scoring._following import tokens_alone
from autoq.evaluation.scoring._targets import has_rows, kept, target_rows
from autoq.graph import is_decoder

# Keys of a row that hold its target, if several keys are no inputs.
_TARGET_KEYS = ("label", "labels", "target", "targets", "y")


class ValidationSet(Sequence[tuple[Feed, Any]]):
    """Pairs of (inputs, target), one per inference, in a fixed order.

    Args:
        pairs: Anything indexable.
    """

    def __init__(self, pairs: Sequence[tuple[Feed, Any]]) -> None:
        self._pairs = pairs

    @classmethod
    def of(cls, model: ov.Model, data: Any, *, noun: str = "validation") -> ValidationSet:  # several kinds
        """Makes labelled data of a user's data.

        Samples are found in the inputs as `as_inputs` finds them, with the targets beside them. Batches are split into
        samples, also a last short one, so that the score does not depend on the batch. If only the number of targets
        tells that an item is a batch, the model must be known to keep rows apart.

        Args:
            model: Takes the inputs.
            data: Two arrays (x, y), two lists, or a dict of arrays and y, with one sample in each row, and as many
                targets at a time as the model's batch. Or a dict of arrays of which one is no input. Or anything that
                yields pairs of (inputs, target), or rows as dicts in which one key is no input. Or the path of such
                data in files, or of images with a sub-folder for each class. For a decoder, tokens alone, as
                `as_inputs` takes them: the targets are the tokens that follow.
            noun: What the data are called in errors.

        Raises:
            DataError: The data are empty or do not consist of pairs, or the inputs do not fit the model.
        """
        if isinstance(data, ValidationSet):
            return data
        reader = Reader.of(model, noun)
        data = for_model(model, reader, data, in_turn=False)
        if isinstance(data, Iterator) and is_decoder(model):
            data = list(data)  # whether it holds targets is seen by its first item
        if (tokens := tokens_alone(model, reader, data)) is not None:
            return cls(tokens)
        if isinstance(data, Images) and None in data.labels:
            file = data.files[data.labels.index(None)]
            msg = (
                f"{noun} image {str(file)!r} has no class: put images into a sub-folder for each class, or list them "
                "with their classes in a .csv."
            )
            raise DataError(msg)
        if (arrays := _as_arrays(reader, data)) is not None:
            pairs: Sequence[tuple[Feed, Any]] = _of_arrays(reader, *arrays)
        else:
            if isinstance(data, Mapping) or is_array(data):
                msg = f"{noun} data are a {type(data).__name__}: pass pairs of (inputs, target), or arrays (x, y)."
                raise DataError(msg)
            if _are_lists(data):
                data = list(zip(*data, strict=True))
            pairs = _of_items(model, reader, items_of(data, noun))
        if not len(pairs):
            msg = f"{noun} data are empty: at least one sample is needed."
            raise DataError(msg)
        pairs[0]
        return cls(pairs)

    def split(self, held_out: Sequence[int]) -> tuple[ValidationSet, ValidationSet]:
        """Splits the pairs into those without these numbers and those with them. Pairs are read when they are used.

        Args:
            held_out: Numbers of pairs.
        """
        numbers = set(held_out)
        parts = [n for n in range(len(self)) if n not in numbers], sorted(numbers)
        kept, rest = (ValidationSet(Chosen(self._pairs, part)) for part in parts)
        return kept, rest

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> tuple[Feed, Any]:  # type: ignore[override]  # single items only
        return self._pairs[index]

    def __iter__(self) -> Iterator[tuple[Feed, Any]]:
        return (self[i] for i in range(len(self)))


class _Pairs(Sequence[tuple[Feed, Any]]):
    """Pairs that are converted and checked when they are read.

    Args:
        reader: Reader of the inputs.
        samples: Arrays of each sample, or data that are converted to them.
        targets: One for each sample.
    """

    def __init__(self, reader: Reader, samples: Sequence[Feed], targets: Sequence[Any]) -> None:
        self._reader = reader
        self._samples = samples
        self._targets = targets

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[Feed, Any]:  # type: ignore[override]  # single items only
        return self._reader.feed(self._samples[index], index), self._targets[index]


# --- arrays ----------------------------------------------------------------------------------------------------------


def _as_arrays(reader: Reader, data: Any) -> tuple[Any, Any] | None:  # several kinds
    """Inputs and targets, if both are arrays."""
    if isinstance(data, tuple | list) and len(data) == 2:
        inputs, targets = data
        if isinstance(inputs, tuple | list) and len(reader.ports) == len(inputs) > 1 and all(map(is_array, inputs)):
            inputs = {port.name: array for port, array in zip(reader.ports, inputs, strict=True)}
        arrays = is_array(inputs) or (isinstance(inputs, Mapping) and all(map(is_array, inputs.values())))
        if not arrays or not (is_array(targets) or isinstance(targets, list)) or isinstance(targets, Mapping):
            return None
        return (inputs, targets) if isinstance(data, tuple) or _as_many(inputs, targets) else None
    if isinstance(data, Mapping) and data and all(is_array(a) or isinstance(a, list) for a in data.values()):
        inputs, target = _row_and_target(reader, data, f"{reader.noun} data")
        return inputs, target
    return None


def _are_lists(data: Any) -> bool:  # several kinds
    """Whether data are a list of inputs and one of targets. Two lists of two may as well be two pairs."""
    if not (isinstance(data, tuple) and len(data) == 2 and all(isinstance(part, list) for part in data)):
        return False
    return len(data[0]) == len(data[1]) != 2


def _as_many(inputs: Any, targets: Any) -> bool:  # arrays
    first = next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs
    return len(first) == len(targets)


def _of_arrays(reader: Reader, inputs: Any, targets: Any) -> _Pairs:  # several kinds
    arrays = arrays_of(reader, inputs)
    if arrays is None:
        msg = f"{reader.noun} inputs are a {type(inputs).__name__}: pass an array or a dict of arrays."
        raise DataError(msg)
    rows = ArrayRows.of(reader, arrays)
    # A column of pandas would be indexed by its labels.
    targets = np.asarray(targets) if hasattr(targets, "iloc") else targets
    given = len(next(iter(arrays.values())))
    # An array as a whole can be one sample.
    targets = targets if rows.together else [targets]
    if len(targets) != (given if rows.together else 1):
        msg = f"{reader.noun} data have {given} inputs but {len(targets)} targets."
        raise DataError(msg)
    if rows.together < 2:
        return _Pairs(reader, rows, targets)
    _warn_of_rest(given - rows.used, rows.together)
    targets = targets if is_array(targets) else np.asarray(targets)
    return _Pairs(reader, rows, [targets[i : i + rows.together] for i in range(0, rows.used, rows.together)])


def _warn_of_rest(rest: int, together: int) -> None:
    if rest:
        text = f"the last {rest} of the validation samples are left out: the model takes {together} at a time."
        warnings.warn(text, stacklevel=4)


# --- items -----------------------------------------------------------------------------------------------------------


def _of_items(model: ov.Model, reader: Reader, items: Items) -> Sequence[tuple[Feed, Any]]:
    """Pairs that are read when they are used, if each item is a sample; otherwise they are kept."""
    if items.indexed is None:
        return _kept(model, reader, items)
    if not len(items):
        return []
    given, target = _pair(reader, items[0], 0)
    arrays = reader.arrays(given, 0)
    form = _form(model, reader, items, arrays, target)
    if form is Form.SAMPLE or (form is Form.BATCH and items.single):
        return _Indexed(reader, items, form)
    return _kept(model, reader, items)


class _Indexed(Sequence[tuple[Feed, Any]]):
    """Pairs that are read again at each use: each item is a pair."""

    def __init__(self, reader: Reader, items: Items, form: Form) -> None:
        self._reader = reader
        self._items = items
        self._form = form

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[Feed, Any]:  # type: ignore[override]  # single items only
        given, target = _pair(self._reader, self._items[index], index)
        arrays = self._reader.arrays(given, index)
        if self._form is Form.BATCH:
            (arrays,) = self._reader.split(arrays, self._form, index)
            (target,) = target_rows(target, 1, f"{self._reader.noun} sample {index}", parts=self._items.parts)
        # A copy: the user's code may fill one buffer again and again.
        return self._reader.feed(arrays, index), kept(target)


def _kept(model: ov.Model, reader: Reader, items: Items) -> _Pairs:
    """Samples of items that are read once. If the first item is a batch, all are split."""
    form = None
    samples: list[Feed] = []
    targets: list[Any] = []
    for item in items:
        number = len(samples)
        given, target = _pair(reader, item, number)
        arrays = reader.arrays(given, number)
        form = _form(model, reader, items, arrays, target) if form is None else form
        found = list(reader.split(arrays, form, number))
        # Copies: the user's code may fill one buffer again and again.
        samples += [{name: np.array(array) for name, array in sample.items()} for sample in found]
        target = kept(target)
        if form is Form.SAMPLE or (form is Form.ROWS and len(found) == 1 and not has_rows(target, 1)):
            targets.append(target)
        else:
            targets += target_rows(target, len(found), f"{reader.noun} sample {number}", parts=items.parts)
    if form is Form.ROWS:
        together = reader.together
        starts = range(0, len(samples) - together + 1, together)
        _warn_of_rest(len(samples) % together, together)
        joined = [stacked(samples[start : start + together]) for start in starts]
        return _Pairs(reader, joined, [np.asarray(targets[start : start + together]) for start in starts])
    return _Pairs(reader, samples, targets)


def _form(model: ov.Model, reader: Reader, items: Items, arrays: Feed, target: Any) -> Form:  # the user's target
    """The form of an item, by its inputs and its targets: a batch has one target per sample."""
    form = reader.form(arrays, 0, batched=items.batched)
    if form is not Form.SAMPLE or not reader.is_batch(arrays) or not (size := reader.size(arrays)) > 1:
        return form
    if not has_rows(target, size):
        return form
    shapes = {port.name: (1, *arrays[port.name].shape[1:]) for port in reader.ports}
    return Form.BATCH if rows_apart(model, shapes) else form


def _pair(reader: Reader, item: Any, number: int) -> tuple[Any, Any]:  # as the user wrote it
    """The inputs and the target of an item."""
    where = f"{reader.noun} sample {number}"
    if isinstance(item, Mapping):
        return _row_and_target(reader, item, where)
    if isinstance(item, tuple | list):
        if len(item) == 2:
            return item[0], item[1]
        if len(item) == len(reader.ports) + 1 > 2:
            return tuple(item[:-1]), item[-1]
    what = (
        f"{type(item).__name__} of {len(item)}" if isinstance(item, Sequence) or is_array(item) else type(item).__name__
    )
    msg = f"{where} is a {what}: a pair (inputs, target) is needed."
    raise DataError(msg)


def _row_and_target(reader: Reader, row: Mapping[Any, Any], where: str) -> tuple[Mapping[Any, Any], Any]:
    """The inputs of a row, and its one other key; of several, the one that is called a target."""
    used = [key for key in row if any(key in port.aliases for port in reader.ports)]
    inputs: Mapping[Any, Any] = {key: row[key] for key in used}
    if len(reader.ports) == 1 and not used:
        inputs = reader.by_name(row, where)
        used = [key for key in row if row[key] is next(iter(inputs.values()))]
    others = [key for key in row if key not in used]
    named = [key for key in others if str(key).lower() in _TARGET_KEYS]
    found = others if len(others) == 1 else named
    if len(found) != 1:
        keys = ", ".join(map(repr, others)) or "no other"
        msg = f"{where} has the keys {keys} besides the inputs: which is the target? Pass pairs (inputs, target)."
        raise DataError(msg)
    return inputs, row[found[0]]
