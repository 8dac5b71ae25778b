"""Text lines and what stands in them, scored by character accuracy.

A search sees the first 300 lines; the others are held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from locate import locate
from numpy.typing import NDArray

SEARCHED = 300


class Lines(Sequence[NDArray[np.float32]]):
    """Grey images [n, 48, 320] as the network takes them, [1, 3, 48, 320] in -1..1."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> NDArray[np.float32]:  # type: ignore[override]  # single items only
        scaled = (self._images[index].astype(np.float32) / 255 - 0.5) / 0.5
        return np.repeat(scaled[None, None], 3, axis=1)


def _read() -> Any:  # numpy has no type for an opened archive
    return np.load(locate("ppocrv4_rec/data.npz"))


def calibration() -> Lines:
    """Lines without their text."""
    return Lines(_read()["x_calib"])


def _pairs(part: slice) -> list[tuple[NDArray[np.float32], str]]:
    data = _read()
    lines = Lines(data["x_test"][part])
    return [(lines[i], str(text)) for i, text in enumerate(data["t_test"][part])]


def validation() -> list[tuple[NDArray[np.float32], str]]:
    """Lines and texts that a search scores on."""
    return _pairs(slice(0, SEARCHED))


def holdout() -> list[tuple[NDArray[np.float32], str]]:
    """Lines and texts that a search never sees."""
    return _pairs(slice(SEARCHED, None))


@cache
def _characters() -> list[str]:
    return ["", *locate("ppocrv4_rec/charset.txt").read_text("utf-8").split("\n"), " "]


def character_accuracy(outputs: list[NDArray[Any]], text: str) -> float:
    """One minus the character error rate of the CTC-decoded line; spaces do not count."""
    best = outputs[0][0].argmax(axis=-1)
    kept = best[(best != 0) & (best != np.concatenate([[-1], best[:-1]]))]
    characters = _characters()
    read = "".join(characters[k] for k in kept).replace(" ", "")
    truth = text.replace(" ", "")
    return 1 - min(1.0, _edits(read, truth) / max(1, len(truth)))


def _edits(a: str, b: str) -> int:
    """Levenshtein distance; one row of the table at a time, insertions resolved by a running minimum."""
    codes = np.frombuffer(b.encode("utf-32-le"), np.uint32)
    steps = np.arange(len(codes) + 1)
    row = steps
    for i, character in enumerate(a, start=1):
        above = np.minimum(row[1:] + 1, row[:-1] + (codes != ord(character)))
        row = np.minimum.accumulate(np.concatenate([[i], above]) - steps) + steps
    return int(row[-1])
