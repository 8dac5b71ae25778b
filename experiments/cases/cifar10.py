"""CIFAR-10: photos and labels, at 32 x 32 and enlarged to 128 x 128.

A search sees the first 2,000 test photos; the others are held out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from locate import locate
from numpy.typing import NDArray

SEARCHED = 2000

Photos = NDArray[np.float32]


def _read(name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    with np.load(locate(f"cifar10/{name}.npz")) as file:
        return file["x"], file["y"].astype(np.int64) if "y" in file else np.empty(0, np.int64)


def _planes(photos: NDArray[np.uint8]) -> Photos:
    """[n, height, width, 3] as [n, 3, height, width]."""
    return np.ascontiguousarray(photos.transpose(0, 3, 1, 2).astype(np.float32))


def calibration() -> Photos:
    """Training photos, [1000, 3, 32, 32]."""
    return _planes(_read("calib")[0])


def validation() -> tuple[Photos, NDArray[np.int64]]:
    """Photos [2000, 3, 32, 32] and labels that a search scores on."""
    photos, labels = _read("test")
    return _planes(photos[:SEARCHED]), labels[:SEARCHED]


def holdout() -> tuple[Photos, NDArray[np.int64]]:
    """Photos and labels that a search never sees."""
    photos, labels = _read("test")
    return _planes(photos[SEARCHED:]), labels[SEARCHED:]


def few() -> tuple[Photos, NDArray[np.int64]]:
    """200 photos, for a quick look."""
    photos, labels = _read("test")
    return _planes(photos[:200]), labels[:200]


class Enlarged(Sequence[Photos]):
    """Photos enlarged to 128 x 128 when they are read: as one array they would take gigabytes."""

    def __init__(self, photos: NDArray[np.uint8]) -> None:
        self._photos = photos
        with np.load(locate("cifar10/calib.npz")) as file:
            self._bicubic = file["up128"].astype(np.float32)

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, index: int) -> Photos:  # type: ignore[override]  # single items only
        photo = self._photos[index].astype(np.float32)
        up = np.einsum("ab,bwc->awc", self._bicubic, photo, optimize=True)
        up = np.einsum("ab,hbc->hac", self._bicubic, up, optimize=True)
        return np.ascontiguousarray(np.clip(up, 0, 255).transpose(2, 0, 1)[None])


class Pairs(Sequence[tuple[Photos, int]]):
    """Enlarged photos with their labels."""

    def __init__(self, photos: Enlarged, labels: NDArray[np.int64]) -> None:
        self._photos = photos
        self._labels = labels

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, index: int) -> tuple[Photos, int]:  # type: ignore[override]  # single items only
        return self._photos[index], int(self._labels[index])


def calibration_128() -> Enlarged:
    """Training photos, 1,000 of [1, 3, 128, 128]."""
    return Enlarged(_read("calib")[0])


def validation_128() -> Pairs:
    """Photos and labels that a search scores on."""
    photos, labels = _read("test")
    return Pairs(Enlarged(photos[:SEARCHED]), labels[:SEARCHED])


def holdout_128() -> Pairs:
    """Photos and labels that a search never sees."""
    photos, labels = _read("test")
    return Pairs(Enlarged(photos[SEARCHED:]), labels[SEARCHED:])
