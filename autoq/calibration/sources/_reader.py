"""Items of a user's data as inputs of a model: the parts that are inputs, and the samples in an item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Self

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration.sources._arrays import as_array, is_array, is_picture
from autoq.calibration.sources._ports import Port
from autoq.calibration.sources._tokens import are_tokens, completable, completed
from autoq.core import DataError
from autoq.graph import INPUT_IDS, check_ranks

Feed = dict[str, NDArray[Any]]


class Form(Enum):
    """The form of an item."""

    SAMPLE = auto()  # one inference
    BATCH = auto()  # samples along the first axis, one inference each
    ROWS = auto()  # samples for a model that takes several at a time


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads inputs of one model.

    Attributes:
        ports: The model's inputs.
        noun: Name of the data in errors.
        completes: Whether it is a decoder, whose further inputs follow from the tokens.
    """

    ports: tuple[Port, ...]
    noun: str
    completes: bool = False

    @classmethod
    def of(cls, model: ov.Model, noun: str) -> Self:
        """A reader of inputs of a model.

        Raises:
            ModelError: An input has an unknown number of axes.
        """
        check_ranks(model)
        ports = tuple(Port.of(port, index) for index, port in enumerate(model.inputs))
        names = {port.name for port in ports}
        return cls(ports, noun, completes=completable(names))

    # --- which parts of an item are inputs ---------------------------------------------------------------------------

    def arrays(self, item: Any, number: int) -> Feed:  # whatever the user brought
        """The arrays of an item by the name of the model's input, without parts such as labels that are no input.

        Args:
            item: An array, nested lists of numbers or an image; a mapping by name; or a tuple or list by place, perhaps
                with labels at the end.
            number: Number of the item, for errors.

        Raises:
            DataError: Inputs are missing, or it is not clear which part is an input.
        """
        where = f"{self.noun} sample {number}"
        values = self._values(item, where)
        return {port.name: port.array(values[port.name], where) for port in self.ports}

    def _values(self, item: Any, where: str) -> Mapping[str, Any]:
        if self.completes and are_tokens(item):
            return completed({INPUT_IDS: item})
        if isinstance(item, Mapping):
            return self.by_name(item, where)
        if isinstance(item, tuple | list) and (len(self.ports) > 1 or any(map(_is_part, item)) or _is_mixed(item)):
            return self._by_place(item, where)
        if len(self.ports) == 1:
            return {self.ports[0].name: item}
        msg = (
            f"{where} is one array, but the model has {len(self.ports)} inputs: {self._names()}. "
            "Pass a dict of arrays by these names."
        )
        raise DataError(msg)

    def by_name(self, item: Mapping[Any, Any], where: str) -> Mapping[str, Any]:
        found = {port.name: value for port in self.ports for key, value in item.items() if key in port.aliases}
        missing = [port for port in self.ports if port.name not in found]
        if not missing:
            return found
        if self.completes and INPUT_IDS in found:
            return completed(found)
        if len(self.ports) == 1:
            could_be = [key for key, value in item.items() if self.could_be(missing[0], value)]
            if len(could_be) == 1:
                return {missing[0].name: item[could_be[0]]}
        keys = ", ".join(repr(key) for key in item) or "none"
        msg = f"{where} lacks the model's input {missing[0].name!r}: its keys are {keys}; rename the right one."
        raise DataError(msg)

    def _by_place(self, parts: Sequence[Any], where: str) -> Mapping[str, Any]:
        count = len(self.ports)
        first = parts[0] if len(parts) else None
        nested = isinstance(first, Mapping) or (isinstance(first, tuple | list) and any(map(_is_part, first)))
        if nested and len(parts) <= 2:
            return self._values(first, where)
        if count > 1:
            if len(parts) < count or (len(parts) > count and not all(map(self.could_be, self.ports, parts))):
                msg = f"{where} has {len(parts)} arrays, but the model has {count} inputs: {self._names()}."
                raise DataError(msg)
            return dict(zip((port.name for port in self.ports), parts, strict=False))
        port = self.ports[0]
        if (joined := _joined(parts)) is not None and port.taken(joined) is not None:
            if not self.could_be(port, first):
                return {port.name: parts}
            if isinstance(parts, list) and len(parts) > 1 and port.taken(as_array(first).shape) is not None:
                msg = (
                    f"{where} is a list of {len(parts)} arrays, which may be one input of shape {list(joined)} or an "
                    "input and its label: pass an array, or a tuple (input, label)."
                )
                raise DataError(msg)
        return {port.name: first}

    def could_be(self, port: Port, value: Any) -> bool:
        """Whether a value may be an input or a batch."""
        if not (is_array(value) or is_picture(value) or isinstance(value, list | tuple)):
            return False
        try:
            shape = port.array(value, "").shape
        except DataError:
            return False
        return port.taken(shape) is not None or (len(shape) > 0 and port.taken(shape[1:]) is not None)

    def _names(self) -> str:
        return ", ".join(repr(port.name) for port in self.ports)

    # --- how many samples an item holds ------------------------------------------------------------------------------

    @property
    def together(self) -> int:
        """Number of samples that a model takes at a time, if the first axis of its inputs counts samples."""
        leading = {port.leading for port in self.ports}
        return next(iter(leading)) or 1 if len(leading) == 1 else 1

    def form(self, arrays: Feed, number: int, *, batched: bool) -> Form:
        """The form of an item.

        1. The data say that the item is a batch, and the parts along its first axis fit: it is a batch.
        2. The item fits as it is, or lacks only a first axis of one: it is a sample. But it is a batch if the first
           axis of the model is open, and its layout says that it counts samples.
        3. The parts along its first axis fit: it is a batch.
        4. The model takes several samples at a time, and the data or its layout say so: the item is some of these.

        Args:
            arrays: Arrays of the item.
            number: Number of the item, for errors.
            batched: Whether the data say that their items are batches.

        Raises:
            DataError: None of these.
        """
        batch = self.is_batch(arrays)
        if batched and batch:
            return Form.BATCH
        layout = all(port.first_is_batch is True for port in self.ports)
        if all(port.taken(arrays[port.name].shape) is not None for port in self.ports):
            return Form.BATCH if layout and batch and self.size(arrays) > 1 else Form.SAMPLE
        if batch:
            return Form.BATCH
        if (batched or layout) and self.together > 1 and self._rows(arrays) is not None:
            return Form.ROWS
        raise self.misfit(arrays, number)

    def is_batch(self, arrays: Feed) -> bool:
        """Whether the parts along the first axes of an item are samples, equally many for each input."""
        shapes = [arrays[port.name].shape for port in self.ports]
        if not all(shapes) or len({shape[0] for shape in shapes}) > 1:
            return False
        return all(port.taken(shape[1:]) is not None for port, shape in zip(self.ports, shapes, strict=True))

    def size(self, arrays: Feed) -> int:
        """Number of samples in a batch."""
        return len(arrays[self.ports[0].name])

    def misfit(self, arrays: Feed, number: int) -> DataError:
        """The error for an item that does not fit."""
        port = next((p for p in self.ports if p.taken(arrays[p.name].shape) is None), self.ports[0])
        return port.misfit(arrays[port.name].shape, f"{self.noun} sample {number}")

    def split(self, arrays: Feed, form: Form, number: int) -> Iterator[Feed]:
        """The samples of an item, views of its arrays.

        Args:
            arrays: Arrays of the item.
            form: Form of the item.
            number: Number of its first sample, for errors.

        Raises:
            DataError: The item does not have this form.
        """
        if form is Form.SAMPLE:
            yield arrays
            return
        if form is Form.ROWS:
            rows = self._rows(arrays)
            if rows is None:
                raise self.misfit(arrays, number)
            yield from rows
            return
        if not self.is_batch(arrays):
            raise self.misfit(arrays, number)
        for row in range(self.size(arrays)):
            yield {port.name: arrays[port.name][row] for port in self.ports}

    def _rows(self, arrays: Feed) -> list[Feed] | None:
        """The samples of an item, for a model that takes several at a time."""
        shapes = [(port, arrays[port.name].shape) for port in self.ports]
        if all(port.takes((self.together, *shape)) for port, shape in shapes):
            return [arrays]
        if all(shape and port.takes((self.together, *shape[1:])) for port, shape in shapes):
            sizes = {shape[0] for _, shape in shapes}
            if len(sizes) == 1:
                return [{name: array[row] for name, array in arrays.items()} for row in range(sizes.pop())]
        return None

    def feed(self, arrays: Feed, number: int) -> Feed:
        """A sample as the model takes it.

        Raises:
            DataError: It does not fit.
        """
        where = f"{self.noun} sample {number}"
        return {port.name: port.convert(arrays[port.name], where) for port in self.ports}


def _is_part(value: object) -> bool:
    """Whether a value in a tuple is a part of its own, and not one of many numbers."""
    if isinstance(value, tuple | list):
        return any(map(_is_part, value))
    return is_array(value) or is_picture(value) or isinstance(value, Mapping)


def _is_mixed(parts: Sequence[Any]) -> bool:
    """Whether there are lists of numbers beside other values, as an input beside its label."""
    return 0 < sum(isinstance(part, list | tuple) for part in parts) < len(parts)


def _joined(parts: Sequence[Any]) -> tuple[int, ...] | None:
    """Shape of one array that holds all these arrays, which have one shape."""
    if not all(map(is_array, parts)) or len({tuple(part.shape) for part in parts}) != 1:
        return None
    return (len(parts), *map(int, parts[0].shape))


def stacked(samples: Sequence[Feed]) -> Feed:
    """Samples joined to one inference, for a model that takes several at a time."""
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
