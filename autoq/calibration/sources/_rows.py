"""Arrays that hold one sample in each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoq.calibration.sources._arrays import as_array, is_array
from autoq.calibration.sources._ports import Port
from autoq.calibration.sources._reader import Feed, Reader
from autoq.calibration.sources._tokens import completed
from autoq.core import DataError
from autoq.graph import INPUT_IDS


class ArrayRows(Sequence[Feed]):
    """Rows of arrays. Each row is an inference, or as many rows as the model takes at a time.

    Attributes:
        together: Number of rows of one inference; 0 if the whole arrays are one inference.
        used: Number of rows that are used.
    """

    def __init__(self, reader: Reader, arrays: Mapping[str, Any], count: int, together: int) -> None:
        self._reader = reader
        self._arrays = arrays
        self.together = together
        self.used = count

    @classmethod
    def of(cls, reader: Reader, arrays: Mapping[str, Any]) -> ArrayRows:
        """Finds out what the rows of arrays mean.

        1. A row fits as it is, or lacks only a first axis of one or of open length: it is a sample.
        2. The model takes several samples at a time, and no layout says otherwise: so many rows are an inference, and
           remaining rows are left out.
        3. The whole arrays are one sample.

        Args:
            reader: Reader of the model's inputs.
            arrays: Arrays by the name of the input. They are of any library, or are read when they are indexed.

        Raises:
            DataError: The rows are none of these, or the arrays differ in their number of rows.
        """
        shapes = {name: tuple(map(int, array.shape)) for name, array in arrays.items()}
        ports = [(port, shapes[port.name]) for port in reader.ports]
        counts = {name: shape[0] for name, shape in shapes.items()}
        if all(port.taken(shape[1:]) is not None for port, shape in ports):
            together = 1
        elif (
            reader.together > 1
            and all(port.first_is_batch is not False for port in reader.ports)
            and all(port.takes((reader.together, *shape[1:])) for port, shape in ports)
        ):
            together = reader.together
        elif all(port.taken(shape) is not None for port, shape in ports):
            return cls(reader, arrays, 1, 0)
        else:
            # Arrays without rows tell only the shape that a row would have.
            raise reader.misfit({name: np.broadcast_to(np.float32(0), shape[1:]) for name, shape in shapes.items()}, 0)
        if len(set(counts.values())) > 1:
            msg = f"{reader.noun} arrays differ in their number of samples: {counts}."
            raise DataError(msg)
        count = next(iter(counts.values()))
        if 0 < count < together:
            msg = f"{reader.noun} data have {count} samples, less than the model's batch of {together}."
            raise DataError(msg)
        return cls(reader, arrays, count - count % together, together)

    def __len__(self) -> int:
        return self.used // max(self.together, 1)

    def __getitem__(self, index: int) -> Feed:  # type: ignore[override]  # single items only
        if not 0 <= index < len(self):
            raise IndexError(index)
        where = f"{self._reader.noun} sample {index}"
        return {port.name: port.array(self._part(port, index), where) for port in self._reader.ports}

    def _part(self, port: Port, index: int) -> Any:  # of whatever library
        array = self._arrays[port.name]
        if self.together == 0:
            return array
        if self.together == 1:
            return array[index]
        return array[index * self.together : (index + 1) * self.together]


def arrays_of(reader: Reader, data: Any) -> Mapping[str, Any] | None:
    """Arrays by the name of the model's input, if data are arrays and not items, without those that are no input.

    1. An array, for a model of one input, or of tokens for a decoder.
    2. A mapping of arrays by name.
    3. A tuple of arrays by place, perhaps with labels at the end, if these cannot be a sample.

    Raises:
        DataError: A mapping lacks an input or holds other things than arrays; or it is not clear whether the last array
            of a tuple holds labels.
    """
    ports = reader.ports
    if is_array(data) and len(ports) == 1:
        return {ports[0].name: _indexable(data)}
    if is_array(data):
        return _of_one_array(reader, data)
    if isinstance(data, Mapping):
        found = reader.by_name(data, f"{reader.noun} data")
        for name, array in found.items():
            if not (is_array(array) or isinstance(array, list)):
                msg = f"{reader.noun} data hold a {type(array).__name__} for {name!r}: arrays [n, ...] are needed."
                raise DataError(msg)
        try:
            return {name: _indexable(array) for name, array in found.items()}
        except ValueError:
            msg = f"{reader.noun} data hold lists of arrays of several shapes: yield a dict for each sample."
            raise DataError(msg) from None
    if isinstance(data, tuple) and len(data) >= len(ports) and len(data) > 1 and all(map(is_array, data)):
        inputs, others = data[: len(ports)], data[len(ports) :]
        by_rows = all(port.taken(tuple(array.shape)[1:]) is not None for port, array in zip(ports, inputs, strict=True))
        as_many = len({len(array) for array in data}) == 1
        could_be = as_many and len(others) == 1 and reader.could_be(ports[0], others[0])
        if by_rows and could_be and len(data[0]) > 1:
            msg = (
                f"{reader.noun} data are a tuple of {len(data)} arrays of {len(data[0])} rows each, of which the last "
                "one may be inputs too, or labels: pass the inputs alone, or a list of samples."
            )
            raise DataError(msg)
        if by_rows and as_many and not could_be:
            return {port.name: _indexable(array) for port, array in zip(ports, inputs, strict=True)}
    return None


def _of_one_array(reader: Reader, data: Any) -> Mapping[str, Any]:  # of whatever library
    """Arrays of all inputs by name, from one array for a model of several inputs."""
    if reader.completes and len(data.shape) == 2:
        return completed({INPUT_IDS: data})
    names = ", ".join(repr(port.name) for port in reader.ports)
    msg = (
        f"{reader.noun} data are one array, but the model has {len(reader.ports)} inputs: {names}. "
        "Pass a dict of arrays."
    )
    raise DataError(msg)


def _indexable(array: Any) -> Any:
    """An array whose rows can be read by number; a table of pandas itself is indexed by column."""
    return as_array(array) if hasattr(array, "iloc") or isinstance(array, list) else array
