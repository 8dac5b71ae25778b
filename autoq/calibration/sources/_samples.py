"""A user's inputs as a model takes them: checked, and one inference each."""

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
    """Samples as inputs of single inferences. They are converted and checked when they are read.

    Items are dicts by the name of the model's input, with arrays of the type that the model takes.

    Args:
        feeds: The inputs; they are read at each use, or only once.
        noun: Name of the data in errors.
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
        """Number of samples, up to a limit, as far as it is known without reading them."""
        return min(count, self._feeds.bound if isinstance(self._feeds, _ReadOnce) else len(self._feeds))


def as_inputs(
    model: ov.Model,
    data: Any,  # several kinds
    *,
    noun: str = "calibration",
    most: int | None = None,
    keep: bool = True,
) -> ModelInputs:
    """Makes model inputs of a user's data.

    A sample is one item of an iterable, or one row of an array. If a sample lacks only the model's first axis of one or
    of open length, it gets this axis. The first axis counts samples only

    - if the layout of the model says so ("N..."), or the model takes one sample at a time and an item holds several;
    - if the data say so: a DataLoader with a batch size, or a data set of TensorFlow that makes batches;
    - in arrays [n, ...] whose rows fit. A model that takes B samples at a time gets B rows at a time.

    Args:
        model: Takes the inputs.
        data: An array [n, ...] or a dict of arrays [n, ...] by input name. Or anything that yields samples: an array of
            any library, nested lists of numbers, an image of Pillow, a dict by input name, or a tuple by place. Or the
            path of such data in files, see `read_files`. Labels after the inputs, and keys that are no inputs, are left
            out.
        noun: What the data are called in errors.
        most: Most samples that are read of data which can be read only once; None reads all.
        keep: Whether data that can be read only once are kept for further use; otherwise only the first sample is.

    Returns:
        A sequence of feeds.

    Raises:
        DataError: The data are empty or do not fit the model. Each item is checked when it is read.
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
    """Samples that can be read again: each item is a sample."""

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
    """Samples of items that are read in order. If the first item is a batch, all are split."""
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
    """Samples that are read in order, each when it is used.

    Args:
        feeds: The inputs, which are read once.
        most: Most samples; None is no limit.
        keep: Whether samples are kept; otherwise only the first one is.
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
        """Most samples; all without a limit."""
        return self._most if self._most is not None and not self._ended else len(self)

    def __len__(self) -> int:
        while self._read_one():
            pass
        return self._gone + len(self._read)

    def __getitem__(self, index: int) -> Feed:  # type: ignore[override]  # single items only
        if index == 0 and self._first is not None:
            return self._first
        if index < self._gone:
            msg = "data that can be read only once are needed again: pass a list of samples."
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
