"""Model inputs as a user brings them, as the model takes them: checked, one inference each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.core import DataError, nearest
from autoq.graph import array_type

Feed = dict[str, NDArray[Any]]


class ModelInputs(Sequence[Feed]):
    """Inputs for single inferences, converted and checked when they are read.

    Items are dicts by the name of the model's input, with arrays of the type that the model takes.

    Args:
        model: Takes the inputs.
        items: Inputs as the user wrote them.
        noun: What they are called in errors.
    """

    def __init__(self, model: ov.Model, items: Sequence[Any], *, noun: str = "calibration") -> None:
        self._ports = tuple(_Port.of(port, index) for index, port in enumerate(model.inputs))
        self._items = items
        self._noun = noun
        if not len(items):
            msg = f"{noun} data are empty: at least one sample is needed."
            raise DataError(msg)
        self[0]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Feed:  # type: ignore[override]  # single items only
        position = index if index >= 0 else index + len(self)
        if not 0 <= position < len(self):
            raise IndexError(index)
        return self._convert(self._items[position], f"{self._noun} sample {position}")

    def __iter__(self) -> Iterator[Feed]:
        return (self[i] for i in range(len(self)))

    def _convert(self, item: Any, where: str) -> Feed:  # whatever the user brought
        if isinstance(item, Mapping):
            values = self._by_name(item, where)
        elif isinstance(item, tuple | list) and len(self._ports) > 1:
            if len(item) != len(self._ports):
                msg = f"{where} has {len(item)} arrays, but the model has {len(self._ports)} inputs: {self._names()}."
                raise DataError(msg)
            values = dict(zip((p.name for p in self._ports), item, strict=True))
        elif len(self._ports) == 1:
            values = {self._ports[0].name: item}
        else:
            msg = f"{where} is one array, but the model has {len(self._ports)} inputs: {self._names()}."
            raise DataError(msg)
        return {port.name: port.convert(values[port.name], where) for port in self._ports}

    def _by_name(self, item: Mapping[Any, Any], where: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in item.items():
            port = next((p for p in self._ports if key in p.aliases), None)
            if port is None:
                msg = f"{where} has an input {key!r} that the model does not have: {nearest(str(key), self._known())}"
                raise DataError(msg)
            found[port.name] = value
        for port in self._ports:
            if port.name not in found:
                msg = f"{where} lacks the model's input {port.name!r}."
                raise DataError(msg)
        return found

    def _known(self) -> list[str]:
        return [port.name for port in self._ports]

    def _names(self) -> str:
        return ", ".join(map(repr, self._known()))


class _Port:
    """One input of a model."""

    def __init__(self, name: str, aliases: frozenset[Any], shape: ov.PartialShape, dtype: np.dtype[Any]) -> None:
        self.name = name
        self.aliases = aliases
        self.shape = shape
        self.dtype = dtype

    @classmethod
    def of(cls, port: ov.Output, index: int) -> _Port:
        names = frozenset(port.get_names())
        name = _name(port)
        aliases = names | {index, port.get_node().get_friendly_name(), name}
        return cls(name, aliases, port.get_partial_shape(), array_type(port.get_element_type()))

    def convert(self, value: Any, where: str) -> NDArray[Any]:  # whatever the user brought
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            msg = f"{where}: input {self.name!r} has type {array.dtype}, which is not numeric; {self.dtype} is wanted."
            raise DataError(msg)
        if array.dtype.kind == "f" and self.dtype.kind in "iub":
            msg = f"{where}: input {self.name!r} has type {array.dtype}, but the model takes {self.dtype}."
            raise DataError(msg)
        if not self.shape.compatible(ov.PartialShape(list(array.shape))):
            msg = f"{where}: input {self.name!r} has shape {list(array.shape)}, but the model takes {self.shape}."
            raise DataError(msg)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            msg = f"{where}: input {self.name!r} holds NaN or infinity."
            raise DataError(msg)
        return np.asarray(array, dtype=self.dtype, order="C")


def _name(port: ov.Output) -> str:
    """What feeds call an input, which need not have a name of its own."""
    return str(min(port.get_names(), default=port.get_node().get_friendly_name()))


def give_shapes(model: ov.Model, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Gives a model the shapes of feeds.

    Args:
        model: Is changed.
        shapes: Shape by the name that feeds have for the input.

    Raises:
        RuntimeError: The model cannot take them.
    """
    model.reshape({port: ov.PartialShape(list(shapes[_name(port)])) for port in model.inputs})


def as_inputs(model: ov.Model, data: Any, *, noun: str = "calibration") -> ModelInputs:  # several kinds
    """Makes model inputs of what a user brings.

    Args:
        model: Takes the inputs.
        data: An array [n, ...] or a dict of arrays [n, ...] by input name, which is cut along its first axis into
            batches of the model's size (one where it is dynamic); or an iterable of inputs, each an array, a tuple of
            arrays or a dict of arrays by input name, batch axis included.
        noun: What the data are called in errors.

    Returns:
        A sequence of feeds.

    Raises:
        DataError: The data are empty or do not fit the model; an item is checked when it is read.
    """
    if isinstance(data, ModelInputs):
        return data
    if isinstance(data, np.ndarray):
        return ModelInputs(model, _Slices(model, {0: data}, noun), noun=noun)
    if isinstance(data, Mapping):
        return ModelInputs(model, _Slices(model, data, noun), noun=noun)
    if isinstance(data, str | bytes) or not isinstance(data, Iterable):
        msg = f"{noun} data are a {type(data).__name__}: pass an array, a dict of arrays, or an iterable of inputs."
        raise DataError(msg)
    items = data if isinstance(data, Sequence) else list(data)
    return ModelInputs(model, items, noun=noun)


class _Slices(Sequence[dict[Any, NDArray[Any]]]):
    """Arrays with one sample per row, as batches."""

    def __init__(self, model: ov.Model, arrays: Mapping[Any, Any], noun: str) -> None:
        self._arrays = {key: np.asarray(array) for key, array in arrays.items()}
        sizes = {key: array.shape[0] if array.ndim else 0 for key, array in self._arrays.items()}
        if len(set(sizes.values())) > 1:
            msg = f"{noun} arrays differ in their number of samples: {sizes}."
            raise DataError(msg)
        self._batch = _batch_size(model)
        self._count = next(iter(sizes.values()), 0) // self._batch
        if not self._count and any(sizes.values()):
            msg = f"{noun} data have {max(sizes.values())} samples, less than the model's batch of {self._batch}."
            raise DataError(msg)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> dict[Any, NDArray[Any]]:  # type: ignore[override]  # single items only
        start = index * self._batch
        return {key: array[start : start + self._batch] for key, array in self._arrays.items()}


def _batch_size(model: ov.Model) -> int:
    shape = model.inputs[0].get_partial_shape()
    if shape.rank.is_dynamic or not len(shape) or shape[0].is_dynamic:
        return 1
    return int(shape[0].get_length())
