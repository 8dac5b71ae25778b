"""Model inputs as a user brings them, as the model takes them: checked, one inference each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import openvino as ov

from autoq.calibration.sources._files import for_model
from autoq.calibration.sources._reader import Feed, Form, Reader, stacked
from autoq.calibration.sources._rows import ArrayRows, arrays_of
from autoq.calibration.sources._sources import Items, items_of
from autoq.core import DataError


class ModelInputs(Sequence[Feed]):
    """Inputs for single inferences, each of which is a sample; converted and checked when they are read.

    Items are dicts by the name of the model's input, with arrays of the type that the model takes.

    Args:
        feeds: Read again when they are asked for again, or read once.
        noun: What they are called in errors.
    """

    def __init__(self, feeds: Sequence[Feed], *, noun: str = "calibration") -> None:
        self._feeds = feeds
        try:
            self._feeds[0]
        except IndexError:
            msg = f"{noun} data are empty: at least one sample is needed."
            raise DataError(msg) from None

    def __len__(self) -> int:
        return len(self._feeds)

    def __getitem__(self, index: int) -> Feed:  # type: ignore[override]  # single items only
        return self._feeds[index if index >= 0 else index + len(self)]

    def __iter__(self) -> Iterator[Feed]:
        return iter(self._feeds)

    def at_most(self, count: int) -> int:
        """How many samples there are, up to so many: as far as is known without reading them."""
        return min(count, self._feeds.bound if isinstance(self._feeds, _ReadOnce) else len(self._feeds))


def as_inputs(
    model: ov.Model,
    data: Any,  # several kinds
    *,
    noun: str = "calibration",
    most: int | None = None,
    keep: bool = True,
) -> ModelInputs:
    """Makes model inputs of what a user brings.

    A sample is what the user yields: an item of an iterable, a row of an array. A sample that lacks just the model's
    first axis of one, or of open length, is given it. The first axis is one of samples only

    - where the model says so by its layout ("N..."), or takes one sample at a time and an item holds several;
    - where the data say so: a DataLoader with a batch size, a data set of TensorFlow that makes batches;
    - in arrays [n, ...] whose rows fit. A model that takes B samples at a time is given B rows at a time.

    Args:
        model: Takes the inputs.
        data: An array [n, ...] or a dict of arrays [n, ...] by input name; or anything that yields samples, each an
            array of any library, nested lists of numbers, an image of Pillow, a dict by input name, or a tuple by
            place; or where such lie in files, see `read_files`. Labels behind the inputs, and keys that are no inputs,
            are left out.
        noun: What the data are called in errors.
        most: Samples that are read of data which can be read once only; None reads all.
        keep: Whether what can be read once only is kept, so that it can be asked for again; else the first sample is.

    Returns:
        A sequence of feeds.

    Raises:
        DataError: The data are empty or do not fit the model; an item is checked when it is read.
    """
    if isinstance(data, ModelInputs):
        return data
    reader = Reader.of(model, noun)
    data = for_model(model, reader, data, in_turn=True)
    if (arrays := arrays_of(reader, data)) is not None:
        return ModelInputs(_Converted(reader, ArrayRows.of(reader, arrays), None), noun=noun)
    items = items_of(data, noun)
    if items.indexed is not None and len(items):
        arrays = reader.arrays(items[0], 0)
        form = reader.form(arrays, 0, batched=items.batched)
        if form is Form.SAMPLE or (form is Form.BATCH and items.single):
            return ModelInputs(_Converted(reader, items, form), noun=noun)
    return ModelInputs(_ReadOnce(feeds_of(reader, items), most, keep=keep), noun=noun)


class _Converted(Sequence[Feed]):
    """Samples that can be read again: each item is one."""

    def __init__(self, reader: Reader, items: Items | ArrayRows, form: Form | None) -> None:
        self._reader = reader
        self._items = items
        self._form = form

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Feed:  # type: ignore[override]  # single items only
        if not 0 <= index < len(self):
            raise IndexError(index)
        item = self._items[index]
        if self._form is None:
            arrays = item
        else:
            (arrays,) = self._reader.split(self._reader.arrays(item, index), self._form, index)
        return self._reader.feed(arrays, index)

    def __iter__(self) -> Iterator[Feed]:
        return (self[index] for index in range(len(self)))


def feeds_of(reader: Reader, items: Items) -> Iterator[Feed]:
    """Samples of items that are read one after the other; batches are split, as the first item is."""
    form, number = None, 0
    rows: list[Feed] = []
    for item in items:
        arrays = reader.arrays(item, number)
        form = reader.form(arrays, number, batched=items.batched) if form is None else form
        for sample in reader.split(arrays, form, number):
            number += 1
            if form is not Form.ROWS:
                yield reader.feed(sample, number - 1)
                continue
            rows.append(sample)
            if len(rows) == reader.together:
                yield reader.feed(stacked(rows), number - len(rows))
                rows = []


class _ReadOnce(Sequence[Feed]):
    """Samples that are read one after the other, no sooner than they are asked for.

    Args:
        feeds: Are read once.
        most: As many at the most; None is no limit.
        keep: Keep what was read; else all but the first sample is forgotten as it is iterated over.
    """

    def __init__(self, feeds: Iterable[Feed], most: int | None, *, keep: bool) -> None:
        self._feeds = islice(feeds, most)
        self._most = most
        self._keep = keep
        self._read: list[Feed] = []
        self._first: Feed | None = None
        self._gone = 0
        self._ended = False

    @property
    def bound(self) -> int:
        """Samples at the most; all where there is no limit."""
        return self._most if self._most is not None and not self._ended else len(self)

    def __len__(self) -> int:
        while self._read_one():
            pass
        return self._gone + len(self._read)

    def __getitem__(self, index: int) -> Feed:  # type: ignore[override]  # single items only
        if index == 0 and self._first is not None:
            return self._first
        if index < self._gone:
            msg = "data that can be read once only are asked for again: pass a list of samples."
            raise DataError(msg)
        while index >= self._gone + len(self._read):
            if not self._read_one():
                raise IndexError(index)
        return self._read[index - self._gone]

    def __iter__(self) -> Iterator[Feed]:
        index = 0
        while True:
            try:
                feed = self[index]
            except IndexError:
                return
            index += 1
            if not self._keep and index > self._gone:
                self._gone, self._read = index, self._read[index - self._gone :]
            yield feed

    def _read_one(self) -> bool:
        feed = next(self._feeds, None)
        if feed is None:
            self._ended = True
            return False
        self._first = feed if self._first is None else self._first
        self._read.append(feed)
        return True
