"""The samples of a training: split, shuffled and put together in batches.

| name    | meaning                                                                        |
|---------|--------------------------------------------------------------------------------|
| sample  | inputs of one inference, perhaps with a target                                 |
| chunk   | samples that run together; a batch is one chunk wherever samples can be joined  |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoq.calibration import Feed
from autoq.core import DataError, counted
from autoq.training.tuning._views import SampleViews

# A tenth is held out from training, but no more than so many batches: each check runs all of it.
_HELD_OUT, _MOST_BATCHES = 0.1, 16


@dataclass(frozen=True, slots=True)
class SampleChunk:
    """TrainingSamples that run together.

    Attributes:
        numbers: Numbers of the samples in the data.
        feed: Their inputs, joined along the first axis.
        targets: Their targets, one for each; None without labels.
    """

    numbers: tuple[int, ...]
    feed: Feed
    targets: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class TrainingSamples:
    """All samples, of which some are held out from training.

    Attributes:
        items: Inputs by number, or pairs of inputs and target; they are read when they are used.
        labelled: Whether they are pairs.
        batch_size: TrainingSamples of a batch.
        joined: Whether samples of one shape run as one inference.
        held_out: Numbers of the samples that are held out.
        trained: Numbers of the others.
        seed: Of the order, and of the views.
        views: How the samples that are trained on are shown; None shows them as they are.
    """

    items: Sequence[Any]
    labelled: bool
    batch_size: int
    joined: bool
    held_out: NDArray[np.int64]
    trained: NDArray[np.int64]
    seed: int
    views: SampleViews | None = None

    @classmethod
    def of(
        cls,
        items: Sequence[Any],
        *,
        labelled: bool,
        batch_size: int,
        joined: bool,
        seed: int,
        views: SampleViews | None = None,
    ) -> TrainingSamples:
        """Draws the samples that are held out.

        Raises:
            DataError: There is no batch to train on beside the one that is held out.
        """
        count = len(items)
        batches = min(max(int(count * _HELD_OUT) // batch_size, 1), _MOST_BATCHES)
        held = batches * batch_size
        if count - held < batch_size:
            msg = (
                f"training data have {counted(count, 'sample')}: with a batch_size of {batch_size}, at least "
                f"{2 * batch_size} are needed, since a batch is held out from training. Pass more samples, or a "
                "smaller batch_size."
            )
            raise DataError(msg)
        order = np.random.default_rng([seed, 0]).permutation(count)
        return cls(items, labelled, batch_size, joined, np.sort(order[:held]), np.sort(order[held:]), seed, views)

    @property
    def batches_per_epoch(self) -> int:
        """Whole batches in the samples that are trained on."""
        return len(self.trained) // self.batch_size

    def batch(self, number: int) -> list[SampleChunk]:
        """The batch with a number, counted over all epochs: each has an order of its own, each batch its views."""
        epoch, place = divmod(number, self.batches_per_epoch)
        order = np.random.default_rng([self.seed, 1 + epoch]).permutation(self.trained)
        chunks = list(self._chunks(order[place * self.batch_size : (place + 1) * self.batch_size]))
        if self.views is None:
            return chunks
        rng = np.random.default_rng([self.seed, 0, number])
        return [replace(chunk, feed=self.views(chunk.feed, rng)) for chunk in chunks]

    def held_out_chunks(self) -> Iterator[SampleChunk]:
        """The samples that are held out, a batch at a time."""
        for start in range(0, len(self.held_out), self.batch_size):
            yield from self._chunks(self.held_out[start : start + self.batch_size])

    def trained_chunks(self) -> Iterator[SampleChunk]:
        """All samples that are trained on, as they are: those of one shape together, a batch at a time."""
        alike: dict[object, list[int]] = {}
        for number in map(int, self.trained):
            alike.setdefault(self._shapes(number, self._feed(self.items[number])), []).append(number)
        for group in alike.values():
            for start in range(0, len(group), self.batch_size):
                yield from self._chunks(np.array(group[start : start + self.batch_size]))

    def _feed(self, item: Any) -> Feed:  # inputs, or a pair of them and a target
        found: Feed = item[0] if self.labelled else item
        return found

    def _shapes(self, number: int, feed: Feed) -> object:
        """What samples that run together have in common."""
        return tuple((name, value.shape) for name, value in feed.items()) if self.joined else number

    def _chunks(self, numbers: NDArray[np.int64]) -> Iterator[SampleChunk]:
        read = {int(number): self.items[int(number)] for number in numbers}
        feeds = {number: self._feed(item) for number, item in read.items()}
        groups: dict[object, list[int]] = {}
        for number, feed in feeds.items():
            groups.setdefault(self._shapes(number, feed), []).append(number)
        for group in groups.values():
            joined = feeds[group[0]]
            if len(group) > 1:
                joined = {name: np.concatenate([feeds[number][name] for number in group]) for name in joined}
            targets = tuple(read[number][1] for number in group) if self.labelled else None
            yield SampleChunk(tuple(group), joined, targets)
