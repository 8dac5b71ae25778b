"""The items of a user's data. The methods of an object tell how it is read; it is read only as far as needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from autoq.core import AutoqError, DataError, named_reason


@dataclass(frozen=True, slots=True)
class Items:
    """Items of a user's data, in their order.

    Attributes:
        indexed: Gives items by number, any number of times; None if they can only be read in order.
        iterate: Begins to read them in order.
        batched: Whether the data themselves say that items are batches.
        single: Whether each batch holds one sample.
        parts: Whether a list that is the target of a batch holds parts of it, or one target for each sample; None if
            this is not known.
        noun: Name of the data in errors.
    """

    indexed: Sequence[Any] | None
    iterate: Callable[[], Iterator[Any]]
    noun: str
    batched: bool = False
    single: bool = False
    parts: bool | None = None

    def __iter__(self) -> Iterator[Any]:
        """The items; errors of the user's code become `DataError`."""
        with _Reading(f"{self.noun} data"):
            iterator = self.iterate()
        number = 0
        while True:
            with _Reading(f"{self.noun} item {number}"):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item
            number += 1

    def __len__(self) -> int:
        """Items that can be read by number."""
        return 0 if self.indexed is None else len(self.indexed)

    def __getitem__(self, index: int) -> Any:  # as the user wrote it
        if self.indexed is None:
            msg = "items that are read one after the other cannot be indexed"
            raise TypeError(msg)
        with _Reading(f"{self.noun} item {index}"):
            return self.indexed[index]


def items_of(data: Any, noun: str) -> Items:  # whatever yields items
    """Finds out how items are read.

    1. A `DataLoader` of torch over a data set of known length: one sample at a time, each collated alone, in an order
       that its sampler draws once. So any sample can be read at any time, and only samples that are used are read.
    2. `nncf.Dataset`: the inputs that it gives to a model.
    3. A data set of TensorFlow: its items as numpy arrays.
    4. Anything with a length and items by number, such as lists and data sets.
    5. Anything that can be iterated: other loaders, generators.

    Batches are announced by a `batch_size` beside a `dataset` or `batch_sampler`, or by TensorFlow's `batch`.

    Args:
        data: The user's data.
        noun: What they are called in errors.

    Raises:
        DataError: The data are none of these.
    """
    if (loader := _torch_loader(data)) is not None:
        return Items(
            loader,
            lambda: iter(loader),
            noun,
            batched=loader.batched,
            single=loader.batched,
            parts=loader.parts,
        )
    if hasattr(data, "get_inference_data"):
        size = data.get_batch_size() if hasattr(data, "get_batch_size") else None
        return Items(None, lambda: iter(data.get_inference_data()), noun, batched=(size or 1) > 1)
    if hasattr(data, "as_numpy_iterator"):
        return Items(None, data.as_numpy_iterator, noun, batched=_is_batched(data))
    batched = isinstance(getattr(data, "batch_size", None), int) and (
        hasattr(data, "dataset") or hasattr(data, "batch_sampler")
    )
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return Items(data, lambda: _in_order(data), noun, batched=batched)
    if isinstance(data, Iterable) or hasattr(data, "__getitem__"):
        return Items(None, lambda: iter(data), noun, batched=batched)
    hint = "what it returns, " if callable(data) else ""
    msg = f"{noun} data are a {type(data).__name__}: pass {hint}an array, a dict of arrays, or an iterable of samples."
    raise DataError(msg)


def _in_order(data: Any) -> Iterator[Any]:
    """Items by number, up to the length: a data set need not end by itself."""
    return (data[number] for number in range(len(data)))


class _LoaderItems(Sequence[Any]):
    """The items of a DataLoader of torch, read from its data set.

    Args:
        dataset: Data set of the loader.
        order: Numbers of samples, in the order in which the loader draws them.
        collate: Makes a batch of a list of samples; without batches, an item of a sample.
        batched: Whether the loader makes batches.
        parts: Whether torch itself makes the batches, as tuples of parts.
    """

    def __init__(
        self, dataset: Any, order: Sequence[int], collate: Callable[[Any], Any], *, batched: bool, parts: bool
    ) -> None:
        self._dataset = dataset
        self._order = order
        self._collate = collate
        self.batched = batched
        self.parts = parts

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> Any:  # type: ignore[override]  # single items only
        sample = self._dataset[self._order[index]]
        return self._collate([sample] if self.batched else sample)


def _torch_loader(data: Any) -> _LoaderItems | None:
    """Whether data are a DataLoader of torch whose data set has a length, and which iterates as torch defines."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(data, torch.utils.data.DataLoader):
        return None
    own_way = type(data).__iter__ is not torch.utils.data.DataLoader.__iter__
    if own_way or not (hasattr(data.dataset, "__getitem__") and hasattr(data.dataset, "__len__")):
        return None
    # Some samplers never end.
    length = len(data)
    batched = data.batch_sampler is not None
    if batched:
        order = [number for batch in islice(data.batch_sampler, length) for number in batch]
    else:
        order = list(islice(data.sampler, length))
    parts = data.collate_fn is torch.utils.data.default_collate
    return _LoaderItems(data.dataset, order, data.collate_fn, batched=batched, parts=parts)


def _is_batched(dataset: Any) -> bool:
    """Whether a data set of TensorFlow makes batches; further steps may follow them."""
    while dataset is not None:
        name = type(dataset).__name__
        if "Unbatch" in name:
            return False
        if "Batch" in name:
            return True
        dataset = getattr(dataset, "_input_dataset", None)
    return False


class _Reading:
    """Turns errors of the user's code, while data are read, into errors of the data."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        """Does nothing."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, AutoqError):
            msg = f"{self._where} cannot be read: {named_reason(error)}"
            raise DataError(msg) from error
