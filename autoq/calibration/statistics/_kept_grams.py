"""A folder that keeps statistics of activations: an index, and a file for each product, which is read when it is used.

Of X^T X, the upper triangle is kept, column by column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from autoq.calibration.statistics._grams import Activation, Grams
from autoq.core import DataError, FloatArray, Format, drafted_folder, read_arrays, write_arrays
from autoq.graph import Tensor

_FORMAT = Format("statistics of activations", advice="remove its folder: they are then collected again")
_INDEX = "index.npz"


def save_grams(grams: Grams, folder: Path) -> None:
    """Keeps statistics in a folder, all of them or nothing.

    Raises:
        OutputError: It cannot be written there.
    """
    with drafted_folder(folder) as draft:
        names: list[list[Any]] = []
        arrays: dict[str, FloatArray] = {}
        for number, activation in enumerate(grams.tokens):
            kept = activation in grams.products
            tensor, numbers = activation.tensor, [activation.axis, activation.matrices, activation.matrix]
            names.append([tensor.producer, tensor.port, *numbers, kept])
            parts = {"tokens": grams.tokens, "means": grams.means, "summaries": grams.summaries}
            arrays |= {f"{name}_{number}": part[activation] for name, part in parts.items() if activation in part}
            if activation in grams.blocks:
                arrays[f"blocks_{number}"] = grams.blocks[activation]
            if kept:
                upper, _ = lapack.strttp(grams.products[activation], uplo="U")
                grams.release(activation)
                write_arrays(draft / _file(number), _FORMAT, {}, {"upper": upper})
        write_arrays(draft / _INDEX, _FORMAT, {"activations": names}, arrays)


def load_grams(folder: Path) -> Grams:
    """The statistics that a folder keeps.

    Raises:
        StoredFileError: The index cannot be read, or is damaged. A product that is damaged is found when it is read.
    """
    return read_arrays(folder / _INDEX, _FORMAT, lambda about, arrays: _grams(folder, about, arrays))


class _KeptProducts(Mapping[Activation, FloatArray]):
    """Products in a folder. Each is read again whenever it is asked for.

    Args:
        folder: The folder.
        lengths: Number of each product in the folder, and length of its activation.
    """

    def __init__(self, folder: Path, lengths: Mapping[Activation, tuple[int, int]]) -> None:
        self._folder = folder
        self._lengths = lengths

    def __getitem__(self, activation: Activation) -> FloatArray:
        number, length = self._lengths[activation]
        return read_arrays(self._folder / _file(number), _FORMAT, lambda _, arrays: _square(arrays["upper"], length))

    def __contains__(self, activation: object) -> bool:
        return activation in self._lengths

    def __iter__(self) -> Iterator[Activation]:
        return iter(self._lengths)

    def __len__(self) -> int:
        return len(self._lengths)


def _grams(folder: Path, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Grams:
    tokens: dict[Activation, FloatArray] = {}
    means: dict[Activation, FloatArray] = {}
    summaries: dict[Activation, FloatArray] = {}
    blocks: dict[Activation, FloatArray] = {}
    lengths = {}
    for number, (producer, port, *numbers, kept) in enumerate(about["activations"]):
        activation = Activation(Tensor(str(producer), int(port)), *map(int, numbers))
        tokens[activation] = arrays[f"tokens_{number}"]
        means[activation] = arrays[f"means_{number}"]
        if f"summaries_{number}" in arrays:
            summaries[activation] = arrays[f"summaries_{number}"]
        if f"blocks_{number}" in arrays:
            blocks[activation] = arrays[f"blocks_{number}"]
        if kept:
            lengths[activation] = number, means[activation].shape[1]
    return Grams(tokens, means, summaries, _KeptProducts(folder, lengths), blocks)


def _square(upper: NDArray[Any], length: int) -> FloatArray:
    """An upper triangle as [I, I], with zeros below."""
    if upper.dtype != np.float32 or upper.shape != (length * (length + 1) // 2,):
        msg = f"its product is {upper.dtype} {upper.shape}, of an activation with {length} channels"
        raise DataError(msg)
    square, _ = lapack.stpttr(length, upper, uplo="U")
    return np.asfortranarray(np.triu(square))


def _file(number: int) -> str:
    return f"product-{number}.npz"
