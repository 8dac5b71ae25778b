"""Encoded weights that are kept: a few in memory, all of them in a folder."""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoq.core import DataError, Format, StoredFileError, WeightFormat, read_arrays, write_arrays
from autoq.transform.compress import StoredArray, StoredWeight, byte_size, stored_layout

_FORMAT = Format("an encoded weight", advice="remove it: the weight is then encoded again")
_MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class EncodingKey:
    """What an encoding follows from.

    Attributes:
        rounded: Digest of the weight, its format, and how it is rounded.
        seen: Digest of the statistics of its activation, or "none"; None if there are some that are not at hand.
    """

    rounded: str
    seen: str | None

    @property
    def name(self) -> str:
        """Name in the folder, where statistics are at hand."""
        return f"weight-{self.rounded}-{self.seen}"


@dataclass(frozen=True, slots=True)
class EncodedWeight:
    """One weight in one format.

    Attributes:
        weight: The weight as a model stores it.
        error: See `rounding_error`.
    """

    weight: StoredWeight
    error: float

    @property
    def arrays(self) -> dict[str, NDArray[np.uint8]]:
        """Bytes of the stored arrays by name."""
        named = {"numbers": self.weight.numbers, "scale": self.weight.scale, "zero_point": self.weight.zero_point}
        return {name: array.data for name, array in named.items() if array is not None}

    @property
    def size_bytes(self) -> int:
        """Bytes in memory."""
        return sum(data.nbytes for data in self.arrays.values())


class Encodings:
    """Encodings by key.

    Args:
        folder: Folder with one `.npz` for each; memory then holds those that were used last. None keeps all in memory.
        most_bytes: Bytes that they may take in memory beside a folder.
    """

    def __init__(self, folder: Path | None, most_bytes: int = _MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._known: OrderedDict[str, EncodedWeight] = OrderedDict()
        self._bytes = 0

    def get(
        self, key: EncodingKey, shape: Sequence[int], axes: Sequence[int], form: WeightFormat
    ) -> EncodedWeight | None:
        """The encoding with a key, of a weight with this shape and these reduced axes; None where there is none.

        Raises:
            DataError: Statistics are not at hand, and encodings by several ones are kept.
        """
        name = self._name(key)
        if name is None:
            return None
        if name in self._known:
            self._known.move_to_end(name)
            return self._known[name]
        if self._folder is None or not (path := self._folder / f"{name}.npz").exists():
            return None
        try:
            found = read_arrays(path, _FORMAT, lambda about, arrays: _read(about, arrays, shape, axes, form))
        except StoredFileError as error:
            warnings.warn(f"a weight is encoded again: {error}", stacklevel=2)
            return None
        self._keep(name, found)
        return found

    def put(self, key: EncodingKey, encoding: EncodedWeight) -> None:
        """Keeps an encoding, whole or not at all.

        Raises:
            OutputError: It cannot be written.
        """
        if self._folder is not None:
            about = {"error": encoding.error, "scale_of_scales": encoding.weight.scale_of_scales}
            write_arrays(self._folder / f"{key.name}.npz", _FORMAT, about, encoding.arrays)
        self._keep(key.name, encoding)

    def __contains__(self, key: EncodingKey) -> bool:
        name = self._name(key)
        if name is None:
            return False
        return name in self._known or (self._folder is not None and (self._folder / f"{name}.npz").exists())

    def _name(self, key: EncodingKey) -> str | None:
        """Name of an encoding; None where statistics are not at hand, and none is kept."""
        if key.seen is not None:
            return key.name
        start = f"weight-{key.rounded}-"
        names = {name for name in self._known if name.startswith(start)}
        if self._folder is not None:
            names |= {path.stem for path in self._folder.glob(f"{start}*.npz")}
        if len(names) > 1:
            msg = (
                f"folder {str(self._folder)!r} keeps {len(names)} encodings of one weight, by different data: the data "
                "are needed to tell them apart."
            )
            raise DataError(msg)
        return next(iter(names), None)

    def _keep(self, name: str, encoding: EncodedWeight) -> None:
        self._known[name] = encoding
        self._bytes += encoding.size_bytes
        while self._folder is not None and self._bytes > self._most_bytes and len(self._known) > 1:
            self._bytes -= self._known.popitem(last=False)[1].size_bytes


def _read(
    about: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    shape: Sequence[int],
    axes: Sequence[int],
    form: WeightFormat,
) -> EncodedWeight:
    """The encoding in a file, whose arrays have the lengths that the format gives them."""
    parts = {}
    for name, (kind, counts) in stored_layout(shape, axes, form).items():
        data, size = arrays[name], byte_size(math.prod(counts), kind)
        if data.dtype != np.uint8 or data.shape != (size,):
            msg = f"its {name} are {data.dtype} {data.shape}, and {size} bytes are needed"
            raise DataError(msg)
        parts[name] = StoredArray(kind, counts, data)
    whole = about["scale_of_scales"]
    weight = StoredWeight(form, tuple(shape), **parts, scale_of_scales=None if whole is None else float(whole))
    return EncodedWeight(weight, float(about["error"]))
