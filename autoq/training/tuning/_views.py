"""Other views of the samples that are trained on: where data are few, a model learns more from each of them.

| word  | a sample becomes                                                                            |
|-------|---------------------------------------------------------------------------------------------|
| shift | the image moved by up to an eighth of its height and of its width, mirrored at the border     |
| flip  | the image mirrored from left to right, every other time                                      |
| mix   | l a + (1 - l) b, of the sample a and another one b of its batch, l uniform in [0, 1] (mixup)   |

The teacher answers for the view itself, so that no label is needed, and none is wrong (Beyer et al., "Knowledge
distillation: a good teacher is patient and consistent", 2022). What is held out from training is seen as it is.

By default, images are shifted and flipped if they mean the same to the teacher then: if its outputs change by less than
a quarter of their variance over samples. Those of classifiers of photos change by 0.01 to 0.10 of it; of a reader of
text lines, by 1.5 where lines are shifted, and by 0.6 where they are mirrored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoq.calibration import Feed
from autoq.core import Augmentation, ConfigError, quoted

Answers = Sequence[NDArray[Any]]

# An image has so many channels.
_COLOURS = (1, 3, 4)
_DIMENSIONS = 4
# Share of the height and of the width by which an image moves at most.
_MOST_SHIFT = 1 / 8
# What images are shown as if they mean the same then, unless the user says it.
_USUAL = (Augmentation.SHIFT, Augmentation.FLIP)
_MOST_CHANGE = 0.25
# Batches by which this is found out.
_ASKED = 4


@dataclass(frozen=True, slots=True)
class SampleViews:
    """Makes views of a batch.

    Attributes:
        kinds: What is done, in this order.
        images: Axes of height and width of the inputs that are images.
    """

    kinds: tuple[Augmentation, ...]
    images: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, kinds: Sequence[Augmentation] | None, feed: Feed, *, labelled: bool) -> SampleViews:
        """The views of samples like one.

        Args:
            kinds: What the user wants; None is what may be usual, for images without labels, and nothing for all else.
            feed: Inputs of a sample.
            labelled: Whether samples have targets.

        Raises:
            ConfigError: The samples have no such views.
        """
        images = {name: axes for name, value in feed.items() if (axes := _image_axes(value)) is not None}
        if kinds is None:
            return cls(_USUAL if images and len(images) == len(feed) and not labelled else (), images)
        shapes = ", ".join(f"{name!r} {list(value.shape)} {value.dtype}" for name, value in feed.items())
        for kind in kinds:
            if kind is not Augmentation.MIX and not images:
                msg = (
                    f"augment is {quoted(str(kind))}, which needs an image: an input of four dimensions with 1, 3 or 4 "
                    f"channels. The inputs are {shapes}."
                )
                raise ConfigError(msg)
            if kind is Augmentation.MIX and labelled:
                msg = "augment is 'mix', and the data have targets, which cannot be mixed: leave out mix, or the loss."
                raise ConfigError(msg)
            if kind is Augmentation.MIX and not all(value.ndim and _is_mixed(value) for value in feed.values()):
                msg = f"augment is 'mix', which needs inputs of real numbers. The inputs are {shapes}."
                raise ConfigError(msg)
        return cls(tuple(sorted(kinds, key=list(Augmentation).index)), images)

    def __call__(self, feed: Feed, rng: np.random.Generator) -> Feed:
        """A view of samples that are joined along the first axis; `feed` stays as it is."""
        for kind in self.kinds:
            feed = _VIEWS[kind](feed, self.images, rng)
        return feed

    def meaning_the_same(
        self, run: Callable[[Feed], Answers], chunks: Sequence[Feed], outputs: Sequence[Answers], seed: int
    ) -> SampleViews:
        """Those views for which a model answers much as for the samples.

        Args:
            run: The model.
            chunks: Samples, joined along the first axis.
            outputs: Its outputs for them.
            seed: Of the views.
        """
        chunks, outputs = chunks[:_ASKED], outputs[:_ASKED]
        kept = []
        for kind in self.kinds:
            rng, view = np.random.default_rng([seed, 0]), replace(self, kinds=(kind,))
            if _change(outputs, [run(view(feed, rng)) for feed in chunks]) <= _MOST_CHANGE:
                kept.append(kind)
        return replace(self, kinds=tuple(kept))


def _change(before: Sequence[Answers], after: Sequence[Answers]) -> float:
    """By how much outputs change, beside their variance over samples; the largest of all outputs."""
    found = []
    for own, others in zip(zip(*before, strict=True), zip(*after, strict=True), strict=True):
        if any(one.shape != other.shape for one, other in zip(own, others, strict=True)):
            return math.inf
        is_even = len({value.shape[1:] for value in own}) == 1
        mean = np.concatenate(own).mean(axis=0) if is_even else np.mean([value.mean() for value in own])
        moved = sum(np.square(one - other, dtype=np.float64).sum() for one, other in zip(own, others, strict=True))
        spread = sum(np.square(value - mean, dtype=np.float64).sum() for value in own)
        found.append(float(moved / spread) if spread else math.inf)
    return max(found)


def _image_axes(value: NDArray[Any]) -> tuple[int, int] | None:
    """Axes of height and width of images, channels first or last; None for others."""
    if value.ndim != _DIMENSIONS or not _is_mixed(value):
        return None
    if value.shape[1] in _COLOURS and min(value.shape[2:]) > max(_COLOURS):
        return 2, 3
    return (1, 2) if value.shape[3] in _COLOURS and min(value.shape[1:3]) > max(_COLOURS) else None


def _is_mixed(value: NDArray[Any]) -> bool:
    """Whether values are real numbers, or the steps of a grey value."""
    return value.dtype.kind == "f" or value.dtype == np.uint8


def _shifted(feed: Feed, images: Mapping[str, tuple[int, int]], rng: np.random.Generator) -> Feed:
    count = len(feed[next(iter(images))])
    by = rng.uniform(-_MOST_SHIFT, _MOST_SHIFT, (2, count))
    return {name: _moved(value, images[name], by) if name in images else value for name, value in feed.items()}


def _moved(value: NDArray[Any], axes: tuple[int, int], by: NDArray[np.float64]) -> NDArray[Any]:
    """Images moved by shares of their sizes."""
    places = []
    for axis, share in zip(axes, by, strict=True):
        size = value.shape[axis]
        place = np.abs(np.arange(size) + np.rint(share * size).astype(np.int64)[:, None])
        places.append(np.where(place < size, place, 2 * (size - 1) - place))
    rows, columns = places
    order = np.arange(len(value))[:, None, None]
    if axes[0] == 1:
        return np.ascontiguousarray(value[order, rows[:, :, None], columns[:, None, :]])
    # The indices stand on both sides of the channels, which numpy then puts last.
    return np.ascontiguousarray(np.moveaxis(value[order, :, rows[:, :, None], columns[:, None, :]], -1, 1))


def _flipped(feed: Feed, images: Mapping[str, tuple[int, int]], rng: np.random.Generator) -> Feed:
    mirrored = rng.random(len(feed[next(iter(images))])) < 0.5  # every other time
    found = dict(feed)
    for name, (_, axis) in images.items():
        found[name] = feed[name].copy()
        found[name][mirrored] = np.flip(feed[name][mirrored], axis)
    return found


def _mixed(feed: Feed, _: Mapping[str, tuple[int, int]], rng: np.random.Generator) -> Feed:
    count = len(next(iter(feed.values())))
    other, share = rng.permutation(count), rng.uniform(size=count)
    found = {}
    for name, value in feed.items():
        own = share.reshape(-1, *[1] * (value.ndim - 1)).astype(np.float32)
        mixed = own * value + (1 - own) * value[other]
        found[name] = (np.rint(mixed) if value.dtype == np.uint8 else mixed).astype(value.dtype)
    return found


_VIEWS: Mapping[Augmentation, Callable[[Feed, Mapping[str, tuple[int, int]], np.random.Generator], Feed]] = {
    Augmentation.SHIFT: _shifted,
    Augmentation.FLIP: _flipped,
    Augmentation.MIX: _mixed,
}
